/* SPDX-License-Identifier: MIT */
#include "fstab.h"

#include "distro/edit.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *tag;
    const char *directory;
} tags[] = {
    {"UUID=", "/dev/disk/by-uuid/"},
    {"LABEL=", "/dev/disk/by-label/"},
    {"PARTUUID=", "/dev/disk/by-partuuid/"},
    {"PARTLABEL=", "/dev/disk/by-partlabel/"},
    {"ID=", "/dev/disk/by-id/"},
};

/* Shared folders of other hypervisors and of WSL. */
static const char *const foreign_types[] = {"virtiofs",         "vboxsf", "vmhgfs",
                                            "fuse.vmhgfs-fuse", "prl_fs", "drvfs"};

/* Devices that programs in the distro create later. */
static const char *const made_later[] = {"/dev/loop", "/dev/nbd",  "/dev/ram",
                                         "/dev/zram", "/dev/zvol", "/dev/fuse"};

#define COUNT(table) (sizeof(table) / sizeof(table[0]))

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool fstab_has_option(const char *options, const char *word)
{
    size_t length = strlen(word);
    while (*options != '\0') {
        size_t size = strcspn(options, ",");
        if (size >= length && strncmp(options, word, length) == 0 &&
            (size == length || options[length] == '='))
            return true;
        options += size + (options[size] == ',');
    }
    return false;
}

static const char *find_tag(const char *source, size_t *ret_length)
{
    for (size_t i = 0; i < COUNT(tags); i++) {
        if (begins_with(source, tags[i].tag)) {
            *ret_length = strlen(tags[i].tag);
            return tags[i].directory;
        }
    }
    return NULL;
}

bool fstab_device(const char *source, char *path, size_t size)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789#+-.:=@_";
    char value[256];
    size_t length = 0;
    const char *directory = find_tag(source, &length);
    if (directory == NULL)
        return snprintf(path, size, "%s", source) < (int)size;
    source += length;
    length = strlen(source);
    bool quoted = length >= 2 && source[0] == '"' && source[length - 1] == '"';
    if (snprintf(value, sizeof(value), "%.*s", (int)(quoted ? length - 2 : length),
                 source + quoted) >= (int)sizeof(value))
        return false;
    return value[0] != '\0' && strspn(value, plain) == strlen(value) &&
           snprintf(path, size, "%s%s", directory, value) < (int)size;
}

/* ---- absent devices ---- */

static bool is_listed(const char *const *list, size_t count, const char *text, bool prefix)
{
    for (size_t i = 0; i < count; i++)
        if (prefix ? begins_with(text, list[i]) : strcmp(text, list[i]) == 0)
            return true;
    return false;
}

static bool exists_below(int root, const char *path)
{
    return faccessat(root, path + 1, F_OK, 0) == 0;
}

/* Whether the device of @line cannot exist. The one disk has no partitions and the caller skips the
 * root entry, so no UUID, label or id can match a device. */
static bool cannot_be(int root, const FstabLine *line)
{
    size_t length;
    const char *source = line->source;
    if (is_listed(foreign_types, COUNT(foreign_types), line->type, false))
        return true;
    if (strcmp(line->type, "9p") == 0)
        return strstr(line->options, "trans=virtio") != NULL;
    if (find_tag(source, &length) != NULL || begins_with(source, "/dev/disk/"))
        return true;
    if (begins_with(source, "/dev/"))
        return !is_listed(made_later, COUNT(made_later), source, true) &&
               !exists_below(root, source);
    return source[0] == '/' && strcmp(line->type, "swap") == 0 && !exists_below(root, source);
}

static void judge(int root, FstabLine *line)
{
    line->is_root = strcmp(line->target, "/") == 0;
    line->may_fail = fstab_has_option(line->options, "nofail");
    line->is_absent = !line->is_root && !fstab_has_option(line->options, "noauto") &&
                      !fstab_has_option(line->options, "x-systemd.automount") &&
                      cannot_be(root, line);
}

/* ---- parsing ---- */

/* Resolve octal escapes in place. Source: fstab(5). */
static char *unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        unsigned byte;
        if (sscanf(from, "\\%3o", &byte) == 1 && strspn(from + 1, "01234567") >= 3) {
            *to++ = (char)byte;
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return text;
}

static void split(char *text, char *fields[4])
{
    static char none[] = "";
    char *rest = text;
    for (size_t i = 0; i < 4; i++) {
        char *field = rest != NULL ? rest + strspn(rest, " \t") : NULL;
        rest = field;
        field = rest != NULL ? strsep(&rest, " \t\r\n") : NULL;
        fields[i] = field != NULL ? unescape(field) : none;
    }
}

typedef void (*Fill)(FstabLine *line, char *fields[4]);

static void each_line(int root, const char *path, Fill fill, FstabEach each, void *data)
{
    FILE *file = file_stream(edit_open(root, path));
    char *text = NULL;
    size_t room = 0;
    for (unsigned number = 1; file != NULL && getline(&text, &room, file) > 0; number++) {
        char *fields[4];
        char *copy = strdup(text);
        FstabLine line = {.number = number, .text = text};
        if (copy == NULL)
            break;
        split(copy, fields);
        fill(&line, fields);
        line.is_entry = fields[0][0] != '\0' && fields[0][0] != '#' && fields[1][0] != '\0';
        if (line.is_entry)
            judge(root, &line);
        each(data, &line);
        free(copy);
    }
    free(text);
    if (file != NULL)
        fclose(file);
}

static void fill_mount(FstabLine *line, char *fields[4])
{
    line->source = fields[0];
    line->target = fields[1];
    line->type = fields[2];
    line->options = fields[3];
}

static void fill_crypt(FstabLine *line, char *fields[4])
{
    line->source = fields[1];
    line->target = fields[0];
    line->type = "";
    line->options = fields[3];
}

void fstab_each(int root, FstabEach each, void *data)
{
    each_line(root, "etc/fstab", fill_mount, each, data);
}

void fstab_each_crypt(int root, FstabEach each, void *data)
{
    each_line(root, "etc/crypttab", fill_crypt, each, data);
}
