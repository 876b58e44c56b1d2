/* SPDX-License-Identifier: MIT
 *
 * The commands need a desktop: tests/cli/test_host_desktop.py.
 */
#include "instance/keeper/host_service.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#define SOCKET "S.gpg-agent.extra"

/* gpgconf --list-dirs of GnuPG 2.2 says so. */
#define KEYS_BELOW "d.wsyxmmjxw1ryre8cgzcyo7u6"
#define KEYS       "/home/ann/keys"

static void test_gpgs_socket(void)
{
    static const struct {
        const char *directory, *gpg_home; /* the socket's, below the runtime directory */
    } rows[] = {
        {"gnupg", NULL},
        {"gnupg", "/home/ann/.gnupg"},
        {"gnupg", "/home/ann//.gnupg/"},
        {"gnupg/" KEYS_BELOW, KEYS},
        {"gnupg/" KEYS_BELOW, KEYS "/"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *runtime = g_dir_make_tmp("gpg-XXXXXX", NULL);
        g_autofree char *command = g_strdup_printf("rm -rf '%s'", runtime);
        g_autofree char *directory = g_build_filename(runtime, rows[i].directory, NULL);
        g_autofree char *path = g_build_filename(directory, SOCKET, NULL);
        g_assert_cmpint(g_mkdir_with_parents(directory, 0700), ==, 0);
        g_assert_null(berth_host_service_gpg_socket(runtime, "/home/ann", rows[i].gpg_home));
        g_assert_cmpint(mknod(path, S_IFSOCK | 0600, 0), ==, 0);
        g_autofree char *found =
            berth_host_service_gpg_socket(runtime, "/home/ann", rows[i].gpg_home);
        g_assert_cmpstr(found, ==, path);
        g_assert_null(berth_host_service_gpg_socket(runtime, "/home/ann", "/home/ann/others"));
        g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/host_service/gpg-socket", test_gpgs_socket);
    return g_test_run();
}
