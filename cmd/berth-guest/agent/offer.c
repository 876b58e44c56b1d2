/* SPDX-License-Identifier: MIT */
#include "offer.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCALES "/usr/lib/locale/"
/* Header of glibc's locale-archive, as 32-bit words: its magic number and the range of the names.
 * Source: the glibc manual's localedef and the file itself. Other files have no names. */
#define ARCHIVE_MAGIC 0xde020109u
enum { WORD_MAGIC = 0, WORD_NAMES = 5, WORD_NAMES_SIZE = 6, WORDS = 14 };
#define NAMES_MAX (1u << 20)

/* ---- terminals ---- */

static bool terminal_is_known(const char *name)
{
    static const char *const databases[] = {"/etc/terminfo", "/lib/terminfo", "/usr/lib/terminfo",
                                            "/usr/share/terminfo"};
    bool any = false;
    if (name[0] == '\0' || strchr(name, '/') != NULL)
        return false;
    for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++) {
        char by_letter[PATH_MAX], by_number[PATH_MAX];
        snprintf(by_letter, sizeof(by_letter), "%s/%c/%s", databases[i], name[0], name);
        snprintf(by_number, sizeof(by_number), "%s/%02x/%s", databases[i], (unsigned char)name[0],
                 name);
        if (access(by_letter, F_OK) == 0 || access(by_number, F_OK) == 0)
            return true;
        any = any || access(databases[i], F_OK) == 0;
    }
    return !any; /* no terminfo at all: no program looks TERM up */
}

/* ---- locales ---- */

/* Normalize "de_DE.UTF-8@x" as localedef does: "de_DE.utf8@x". False when it does not fit. */
static bool normalize(const char *name, char *text, size_t size)
{
    size_t length = strcspn(name, ".");
    size_t codeset = strcspn(name + length, "@");
    const char *modifier = name + length + codeset;
    if (length + codeset + strlen(modifier) + 1 > size)
        return false;

    char *next = mempcpy(text, name, length);
    for (size_t i = 0; i < codeset; i++) {
        char c = name[length + i];
        if (c == '.' || isalnum((unsigned char)c))
            *next++ = (char)tolower((unsigned char)c);
    }
    strcpy(next, modifier);
    return true;
}

/* Whether one of the strings of @size bytes is @name. */
static bool has_string(const char *strings, size_t size, const char *name)
{
    const char *end = strings + size;
    while (strings < end) {
        size_t length = strnlen(strings, (size_t)(end - strings));
        if (length == strlen(name) && memcmp(strings, name, length) == 0)
            return true;
        strings += length + 1;
    }
    return false;
}

static bool archive_has(int fd, const char *name)
{
    uint32_t head[WORDS];
    if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        head[WORD_MAGIC] != ARCHIVE_MAGIC || head[WORD_NAMES_SIZE] > NAMES_MAX)
        return false;
    size_t size = head[WORD_NAMES_SIZE];
    char *names = malloc(size + 1);
    bool found = names != NULL && pread(fd, names, size, head[WORD_NAMES]) == (ssize_t)size &&
                 has_string(names, size, name);
    free(names);
    return found;
}

static bool locale_is_known(const char *value)
{
    char name[128];
    char path[sizeof(LOCALES) + sizeof(name)];
    if (value[0] == '\0' || strcmp(value, "C") == 0 || strcmp(value, "POSIX") == 0)
        return true;
    if (strchr(value, '/') != NULL || !normalize(value, name, sizeof(name)))
        return false;
    if (strcmp(name, "C.utf8") == 0)
        return true; /* built into all but old C libraries */

    snprintf(path, sizeof(path), LOCALES "%s", name);
    if (access(path, F_OK) == 0)
        return true;
    int fd = open(LOCALES "locale-archive", O_RDONLY | O_CLOEXEC);
    bool found = fd >= 0 && archive_has(fd, name);
    if (fd >= 0)
        close(fd);
    return found;
}

bool offer_is_known(const char *pair)
{
    const char *value = strchr(pair, '=');
    if (value == NULL)
        return false;
    value++;
    if (strncmp(pair, "TERM=", 5) == 0)
        return terminal_is_known(value);
    if (strncmp(pair, "LANG=", 5) == 0 || strncmp(pair, "LC_", 3) == 0)
        return locale_is_known(value);
    return true;
}
