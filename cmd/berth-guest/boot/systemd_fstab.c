/* SPDX-License-Identifier: MIT */
#include "systemd_fstab.h"

#include "fstab.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNITS            "run/systemd/system"
#define NAME_MAX_ESCAPED 256

typedef struct {
    int root;
    int result; /* the first error */
    bool lacks; /* a mount's device is absent */
} Work;

/* Escape for a unit name. Source: systemd.unit(5), "String escaping for inclusion in unit names".
 * False: too long. */
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

/* Quote for a unit file, where % begins a specifier. False: it has a control code or a backslash,
 * or is too long. */
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

static bool read_path(int fd, char path[PATH_MAX])
{
    char self[32];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(self, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Resolve the links of @target below @root as far as it exists, as systemd's generator does. False:
 * too long, or an error. */
static bool resolve_target(int root, const char *target, char resolved[PATH_MAX])
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    char path[PATH_MAX];
    char base[PATH_MAX];
    size_t length = strlen(target);
    if (length >= sizeof(path) || !read_path(root, base))
        return false;
    int fd = -1;
    do {
        memcpy(path, target, length);
        path[length] = '\0';
        fd = (int)syscall(SYS_openat2, root, length > 0 ? path : "/", &how, sizeof(how));
        const char *slash = fd < 0 ? strrchr(path, '/') : NULL;
        length = slash != NULL ? (size_t)(slash - path) : length;
    } while (fd < 0 && errno == ENOENT && length < strlen(path));

    bool found = fd >= 0 && read_path(fd, path);
    if (fd >= 0)
        close(fd);
    size_t prefix = strcmp(base, "/") == 0 ? 0 : strlen(base);
    const char *below = found ? path + prefix : "";
    int size =
        snprintf(resolved, PATH_MAX, "%s%s", strcmp(below, "/") == 0 ? "" : below, target + length);
    return found && size > 0 && size < PATH_MAX;
}

/* The mount points that systemd mounts itself; its generator ignores them. */
static bool is_systemds(const char *target)
{
    static const char *const mounted[] = {"/", "/run", "/dev", "/proc", "/sys"};
    for (size_t i = 0; i < sizeof(mounted) / sizeof(mounted[0]); i++)
        if (strcmp(target, mounted[i]) == 0)
            return true;
    return false;
}

static int write_unit(int root, const FstabLine *line, const char *target)
{
    char name[NAME_MAX_ESCAPED];
    char where[PATH_MAX];
    char path[sizeof(UNITS) + NAME_MAX_ESCAPED + 8];
    char *text = NULL;
    if (is_systemds(target) || !escape(target, true, name) || !quote(target, where))
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

/* Replace the mount unit under two names: the generator's, which is the resolved mount point, and
 * that of the path in the line, which other units may refer to. */
static int replace_mount(int root, const FstabLine *line)
{
    char resolved[PATH_MAX];
    if (line->target[0] != '/')
        return 0;
    int result = write_unit(root, line, line->target);
    if (result == 0 && resolve_target(root, line->target, resolved))
        result = write_unit(root, line, resolved);
    return result;
}

/* Mask the links by which @target pulls in @unit. */
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
    work->lacks = work->lacks || line->is_absent;
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

/* systemd-remount-fs fails for an entry of /usr whose device is absent, even if /usr is mounted. */
static int replace_table(int root)
{
    static const char directory[] = UNITS "/systemd-remount-fs.service.d";
    int result = file_make_directories_at(root, directory, 0755);
    return result < 0 ? result
                      : file_replace_at(root, UNITS "/systemd-remount-fs.service.d/10-berth.conf",
                                        "[Service]\nEnvironment=SYSTEMD_FSTAB=" SYSTEMD_FSTAB_COPY
                                        " LIBMOUNT_FSTAB=" SYSTEMD_FSTAB_COPY "\n",
                                        0644);
}

int systemd_fstab_prepare(int root)
{
    Work work = {.root = root};
    fstab_each(root, handle_mount, &work);
    fstab_each_crypt(root, handle_crypt, &work);
    int result = work.lacks ? replace_table(root) : 0;
    if (work.result == 0)
        work.result = result;
    return work.result;
}
