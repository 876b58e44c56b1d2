/* SPDX-License-Identifier: MIT */
#include "systemd_fstab.h"

#include "fstab.h"

#include "os/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNITS            "run/systemd/system"
#define NAME_MAX_ESCAPED 256

typedef struct {
    int root;
    int result; /* the first failure */
} Work;

/* Source: systemd.unit(5), "String escaping for inclusion in unit names". False: too long. */
static bool escape(const char *text, bool is_path, char name[NAME_MAX_ESCAPED])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.";
    size_t used = 0;
    text += is_path ? strspn(text, "/") : 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (used + 8 > NAME_MAX_ESCAPED)
            return false;
        bool slash = *at == '/';
        if (slash && is_path && (at[1] == '/' || at[1] == '\0'))
            continue;
        if (slash)
            name[used++] = '-';
        else if (strchr(plain, *at) != NULL && !(*at == '.' && at == text))
            name[used++] = *at;
        else
            used += (size_t)sprintf(name + used, "\\x%02x", (unsigned char)*at);
    }
    name[used] = '\0';
    return used > 0;
}

/* For a unit file: % begins a specifier, and a line ends where it ends. */
static bool quote(const char *text, char quoted[PATH_MAX])
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == '\\' || used + 3 > PATH_MAX)
            return false;
        if (*text == '%')
            quoted[used++] = '%';
        quoted[used++] = *text;
    }
    quoted[used] = '\0';
    return true;
}

static int replace_mount(int root, const FstabLine *line)
{
    char name[NAME_MAX_ESCAPED];
    char where[PATH_MAX];
    char path[sizeof(UNITS) + NAME_MAX_ESCAPED + 8];
    char *text = NULL;
    if (line->target[0] != '/' || !escape(line->target, true, name) || !quote(line->target, where))
        return 0;
    snprintf(path, sizeof(path), UNITS "/%s.mount", name);
    if (asprintf(&text,
                 "# berth: line %u of /etc/fstab names a device that this machine does not have\n"
                 "[Unit]\nDescription=%s (not in this machine)\nDefaultDependencies=no\n"
                 "ConditionPathExists=!/\n[Mount]\nWhat=none\nWhere=%s\nType=tmpfs\n",
                 line->number, where, where) < 0)
        return -ENOMEM;
    int result = file_make_directories_at(root, UNITS, 0755);
    if (result == 0)
        result = file_replace_at(root, path, text, 0644);
    free(text);
    return result;
}

/* So that @target does not pull @unit in. */
static int mask_links(int root, const char *target, const char *unit)
{
    static const char *const kinds[] = {"requires", "wants"};
    int result = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && result == 0; i++) {
        char directory[128];
        char path[sizeof(directory) + NAME_MAX_ESCAPED + 64];
        snprintf(directory, sizeof(directory), UNITS "/%s.%s", target, kinds[i]);
        snprintf(path, sizeof(path), "%s/%s", directory, unit);
        result = file_make_directories_at(root, directory, 0755);
        if (result == 0 && symlinkat("/dev/null", root, path) < 0 && errno != EEXIST)
            result = -errno;
    }
    return result;
}

static int leave_swap_out(int root, const FstabLine *line)
{
    char device[PATH_MAX];
    char name[NAME_MAX_ESCAPED];
    char unit[NAME_MAX_ESCAPED + 8];
    if (!fstab_device(line->source, device, sizeof(device)) || !escape(device, true, name))
        return 0;
    snprintf(unit, sizeof(unit), "%s.swap", name);
    return mask_links(root, "swap.target", unit);
}

static void handle_mount(void *data, const FstabLine *line)
{
    Work *work = data;
    int result = 0;
    if (line->is_absent && strcmp(line->type, "swap") == 0)
        result = leave_swap_out(work->root, line);
    else if (line->is_absent)
        result = replace_mount(work->root, line);
    if (work->result == 0)
        work->result = result;
}

static void handle_crypt(void *data, const FstabLine *line)
{
    Work *work = data;
    char name[NAME_MAX_ESCAPED];
    char unit[NAME_MAX_ESCAPED + 32];
    if (!line->is_absent || !escape(line->target, false, name))
        return;
    snprintf(unit, sizeof(unit), "systemd-cryptsetup@%s.service", name);
    int result = mask_links(work->root, "cryptsetup.target", unit);
    if (work->result == 0)
        work->result = result;
}

int systemd_fstab_prepare(int root)
{
    Work work = {.root = root};
    fstab_each(root, handle_mount, &work);
    fstab_each_crypt(root, handle_crypt, &work);
    return work.result;
}
