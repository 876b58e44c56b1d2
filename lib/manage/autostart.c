/* SPDX-License-Identifier: MIT */
#include "autostart.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/temp.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- text --- */

/* @text as one word of a unit file: quoted, with C's escapes and without specifiers. */
static char *quote(const char *text)
{
    g_autofree char *escaped = g_strescape(text, NULL);
    g_auto(GStrv) parts = g_strsplit(escaped, "%", -1);
    g_autofree char *plain = g_strjoinv("%%", parts);
    return g_strdup_printf("\"%s\"", plain);
}

static void add_environment(GString *unit, const char *const *environment)
{
    static const char *const kept[] = {"XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
                                       "BERTH_SUPPORT_DIR"};
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++) {
        const char *value = g_environ_getenv((char **)environment, kept[i]);
        if (value == NULL || value[0] == '\0')
            continue;
        g_autofree char *pair = g_strdup_printf("%s=%s", kept[i], value);
        g_autofree char *word = quote(pair);
        g_string_append_printf(unit, "Environment=%s\n", word);
    }
}

char *berth_autostart_text(const char *program, const char *name, const char *const *environment)
{
    g_autoptr(GString) unit = g_string_new(BERTH_AUTOSTART_MARK);
    g_autofree char *word = quote(program);
    g_string_append_printf(unit,
                           "[Unit]\n"
                           "Description=berth distro %s\n"
                           "\n"
                           "[Service]\n"
                           "Type=oneshot\n"
                           "RemainAfterExit=yes\n",
                           name);
    add_environment(unit, environment);
    g_string_append_printf(unit,
                           "ExecStart=%s start %s\n" /* and SIGTERM to its keeper parks it */
                           "\n"
                           "[Install]\n"
                           "WantedBy=default.target\n",
                           word, name);
    return g_string_free(g_steal_pointer(&unit), FALSE);
}

/* --- files --- */

char *berth_autostart_path(const BerthLayout *layout, const char *name)
{
    g_autofree char *units = berth_layout_units(layout);
    g_autofree char *file = g_strdup_printf("berth-%s.service", name);
    return g_build_filename(units, file, NULL);
}

static char *wants_path(const BerthLayout *layout, const char *name)
{
    g_autofree char *units = berth_layout_units(layout);
    g_autofree char *file = g_strdup_printf("berth-%s.service", name);
    return g_build_filename(units, "default.target.wants", file, NULL);
}

typedef enum { UNIT_MISSING, UNIT_OURS, UNIT_FOREIGN } Unit;

static Unit look_at(const char *path)
{
    struct stat st;
    g_autofree char *text = NULL;
    if (lstat(path, &st) < 0)
        return UNIT_MISSING;
    bool ours = S_ISREG(st.st_mode) && g_file_get_contents(path, &text, NULL, NULL) &&
                g_str_has_prefix(text, BERTH_AUTOSTART_MARK);
    return ours ? UNIT_OURS : UNIT_FOREIGN;
}

bool berth_autostart_is_on(const BerthLayout *layout, const char *name)
{
    struct stat st;
    g_autofree char *path = berth_autostart_path(layout, name);
    g_autofree char *wants = wants_path(layout, name);
    return lstat(wants, &st) == 0 && look_at(path) == UNIT_OURS;
}

static bool make_directories(const BerthLayout *layout, GError **error)
{
    g_autofree char *units = berth_layout_units(layout);
    g_autofree char *wants = g_build_filename(units, "default.target.wants", NULL);
    return berth_layout_make(wants, error);
}

static bool write_unit(const char *path, const char *text, GError **error)
{
    g_autoptr(BerthTemp) temp =
        berth_temp_new_for("autostart.write", path, BERTH_TEMP_REPLACE, error);
    if (temp == NULL)
        return false;
    if (berth_fd_write_all(berth_temp_fd(temp), text, strlen(text)) == 0)
        return berth_temp_commit(temp, error);
    berth_error_set_errno(error, errno, "autostart.write", "%s", path);
    return false;
}

static bool enable(const char *path, const char *wants, GError **error)
{
    g_autofree char *target = g_file_read_link(wants, NULL);
    if (g_strcmp0(target, path) == 0)
        return true;
    if ((unlink(wants) == 0 || errno == ENOENT) && symlink(path, wants) == 0)
        return true;
    berth_error_set_errno(error, errno, "autostart.write", "%s", wants);
    return false;
}

bool berth_autostart_write(const BerthLayout *layout, const char *name, const char *text,
                           GError **error)
{
    g_autofree char *path = berth_autostart_path(layout, name);
    g_autofree char *wants = wants_path(layout, name);
    if (look_at(path) != UNIT_FOREIGN)
        return make_directories(layout, error) && write_unit(path, text, error) &&
               enable(path, wants, error);
    g_autofree char *hint = g_strdup_printf("move it away: %s", path);
    berth_error_set(error, BERTH_ERROR_EXISTS, "autostart.foreign", hint,
                    "there is a unit berth-%s.service that berth has not made", name);
    return false;
}

static bool remove_file(const char *path, GError **error)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return true;
    berth_error_set_errno(error, errno, "autostart.remove", "%s", path);
    return false;
}

bool berth_autostart_remove(const BerthLayout *layout, const char *name, GError **error)
{
    g_autofree char *path = berth_autostart_path(layout, name);
    g_autofree char *wants = wants_path(layout, name);
    return look_at(path) != UNIT_OURS || (remove_file(wants, error) && remove_file(path, error));
}
