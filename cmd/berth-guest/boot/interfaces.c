/* SPDX-License-Identifier: MIT */
#include "interfaces.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS    " \t\n"
#define DIRECTORY "/etc/network/"
#define DEPTH_MAX 4   /* of files that include others */
#define FILES_MAX 256 /* which each may include all of a directory */

typedef struct {
    int root;
    unsigned depth;
    unsigned *files; /* read so far */
    InterfacesEach each;
    void *data;
} Reader;

static void read_file(const Reader *including, const char *path);

static bool is_absent(const char *name)
{
    char patterns[] = INTERFACES_ABSENT;
    char *rest = NULL;
    for (char *pattern = strtok_r(patterns, " ", &rest); pattern != NULL;
         pattern = strtok_r(NULL, " ", &rest))
        if (fnmatch(pattern, name, 0) == 0)
            return strlen(name) < IFNAMSIZ;
    return false;
}

static bool is_plain_name(const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    return name[strspn(name, plain)] == '\0';
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Read the files in @directory ("" for the root) that match @pattern; NULL: those with plain names.
 */
static void read_directory(const Reader *reader, const char *directory, const char *pattern)
{
    struct dirent **entries = NULL;
    const char *below = directory[0] == '/' ? directory + 1 : ".";
    int count = scandirat(reader->root, below, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const char *name = entries[i]->d_name;
        bool wanted = pattern != NULL ? fnmatch(pattern, name, 0) == 0 : is_plain_name(name);
        int size = snprintf(path, sizeof(path), "%s/%s", directory, name);
        if (wanted && size > 0 && (size_t)size < sizeof(path))
            read_file(reader, path);
        free(entries[i]);
    }
    free(entries);
}

/* Read the files that @word names in a "source" or "source-directory" line. */
static void read_sourced(const Reader *reader, const char *word, bool is_directory)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s%s", word[0] == '/' ? "" : DIRECTORY, word);
    if (size < 0 || (size_t)size >= sizeof(path))
        return;
    if (is_directory) {
        while (size > 0 && path[size - 1] == '/')
            path[--size] = '\0';
        read_directory(reader, path, NULL);
        return;
    }
    char *slash = strrchr(path, '/');
    *slash = '\0';
    read_directory(reader, path, slash + 1);
}

static void read_line(const Reader *reader, char *text, const char *file, unsigned line)
{
    char *rest = NULL;
    const char *keyword = strtok_r(text, BLANKS, &rest);
    if (keyword == NULL)
        return;
    bool is_auto = strcmp(keyword, "auto") == 0 || strcmp(keyword, "allow-auto") == 0;
    bool is_directory = strcmp(keyword, "source-directory") == 0;
    bool is_source = is_directory || strcmp(keyword, "source") == 0;
    for (const char *word = strtok_r(NULL, BLANKS, &rest); word != NULL;
         word = strtok_r(NULL, BLANKS, &rest)) {
        if (is_auto && is_absent(word))
            reader->each(reader->data, file, line, word);
        else if (is_source && reader->depth < DEPTH_MAX)
            read_sourced(reader, word, is_directory);
    }
}

static void read_file(const Reader *including, const char *path)
{
    Reader reader = *including;
    struct stat info;
    reader.depth++;
    if (++*reader.files > FILES_MAX)
        return;
    int fd = openat(reader.root, path + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_regular = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    FILE *file = is_regular ? fdopen(fd, "r") : NULL;
    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    char *text = NULL;
    size_t size = 0;
    for (unsigned line = 1; getline(&text, &size, file) >= 0; line++)
        read_line(&reader, text, path, line);
    free(text);
    fclose(file);
}

void interfaces_each_absent(int root, InterfacesEach each, void *data)
{
    unsigned files = 0;
    read_file(&(Reader){.root = root, .files = &files, .each = each, .data = data},
              DIRECTORY "interfaces");
}
