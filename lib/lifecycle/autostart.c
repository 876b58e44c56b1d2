/* SPDX-License-Identifier: MIT */
#include "autostart.h"

#include "base/error.h"
#include "manage/autostart.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* This directory is there if systemd is the init: sd_booted(3). */
#define BOOTED "/run/systemd/system"

/* A file for each user whose systemd runs without a login: loginctl enable-linger. */
#define LINGER "/var/lib/systemd/linger"

static bool has_systemd(void)
{
    struct stat st;
    return lstat(BOOTED, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The user's systemd reads its units anew. False: it does not answer. */
static bool reload(const Berth *berth)
{
    char *words[] = {(char *)"systemctl", (char *)"--user", (char *)"daemon-reload", NULL};
    int status = 0;
    return g_spawn_sync(NULL, words, berth->environment,
                        G_SPAWN_SEARCH_PATH_FROM_ENVP | G_SPAWN_STDOUT_TO_DEV_NULL |
                            G_SPAWN_STDERR_TO_DEV_NULL,
                        NULL, NULL, NULL, NULL, &status, NULL) &&
           g_spawn_check_wait_status(status, NULL);
}

static bool lingers(void)
{
    struct stat st;
    g_autofree char *path = g_build_filename(LINGER, g_get_user_name(), NULL);
    return lstat(path, &st) == 0;
}

/* Text for people, in one line: a path that has none is no path of berth's. */
static char *find_program(GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    if (program != NULL && g_path_is_absolute(program))
        return g_steal_pointer(&program);
    berth_error_set_errno(error, errno, "autostart.program", "/proc/self/exe");
    return NULL;
}

static bool set_no_systemd(const char *program, const char *name, GError **error)
{
    g_autofree char *word = g_shell_quote(program);
    g_autofree char *hint =
        g_strdup_printf("for example by cron: crontab -e, and the line: @reboot %s start %s",
                        strpbrk(program, " '\"\\$&;()<>*?[#~`|") != NULL ? word : program, name);
    berth_error_set(error, BERTH_ERROR_FAILED, "autostart.no-systemd", hint,
                    "systemd does not run on this host: something else has to start %s", name);
    return false;
}

static bool turn_on(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    g_autofree char *program = find_program(error);
    if (program == NULL || (!has_systemd() && !set_no_systemd(program, name, error)))
        return false;
    g_autofree char *text = berth_autostart_text(program, name, berth_handle_environment(berth));
    if (!berth_autostart_write(berth->layout, name, text, error))
        return false;
    reload(berth); /* one that does not run reads the unit when it starts */
    if (!lingers())
        *ret_notice = g_strdup_printf("%s starts when you log in, and stops after you log out; "
                                      "with this host instead: loginctl enable-linger",
                                      name);
    return true;
}

bool berth_autostart_set(Berth *berth, const char *name, bool on, char **ret_notice, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    *ret_notice = NULL;
    if (distro == NULL)
        return false;
    if (on)
        return turn_on(berth, distro->name, ret_notice, error);
    bool was_on = berth_autostart_is_on(berth->layout, distro->name);
    if (!berth_autostart_remove(berth->layout, distro->name, error))
        return false;
    if (was_on)
        reload(berth);
    return true;
}

bool berth_autostart_prepare_rename(Berth *berth, const char *old, const char *name, GError **error)
{
    if (!berth_autostart_is_on(berth->layout, old))
        return true;
    g_autofree char *program = find_program(error);
    g_autofree char *text =
        program != NULL ? berth_autostart_text(program, name, berth_handle_environment(berth))
                        : NULL;
    return text != NULL && berth_autostart_write(berth->layout, name, text, error);
}

void berth_autostart_forget(Berth *berth, const char *name)
{
    g_autoptr(GError) problem = NULL;
    if (!berth_autostart_is_on(berth->layout, name))
        return;
    if (berth_autostart_remove(berth->layout, name, &problem)) {
        reload(berth);
    } else if (berth->waiting.line != NULL) {
        g_autofree char *line =
            g_strdup_printf("%s is still started with systemd: %s", name, problem->message);
        berth->waiting.line(line, berth->waiting.user_data);
    }
}
