/* SPDX-License-Identifier: MIT
 *
 * berth-share UID GID (ro|rw SOURCE PATH)... — serves directories of the host to one guest.
 *
 * Started by its keeper. Descriptor 3 is the guest's port, 4 a pipe that gets a byte with the guest's
 * first request. SOURCE, a directory of the host, appears at PATH. The user's files are UID's and
 * GID's in the guest. Ends when the port closes.
 */
#include "share/serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PORT_FD = 3, BEGUN_FD = 4 };

static int fail(const char *text)
{
    fprintf(stderr, "berth-share: %s\n", text);
    return 1;
}

static bool read_number(const char *text, guint *ret_number)
{
    guint64 value = 0;
    bool valid = g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32 - 1, &value, NULL);
    *ret_number = (guint)value;
    return valid;
}

static bool read_root(char **words, BerthShareRoot *ret_root)
{
    *ret_root = (BerthShareRoot){
        .source = words[1], .path = words[2], .read_only = strcmp(words[0], "ro") == 0};
    return ret_root->read_only || strcmp(words[0], "rw") == 0;
}

int main(int argc, char **argv)
{
    const int fixed = 3, each = 3;
    BerthShareSetup setup = {.port_fd = PORT_FD, .begun_fd = BEGUN_FD};
    bool valid = argc >= fixed && (argc - fixed) % each == 0 &&
                 read_number(argv[1], &setup.guest_uid) && read_number(argv[2], &setup.guest_gid);
    setup.n_roots = valid ? (guint)(argc - fixed) / (guint)each : 0;
    g_autofree BerthShareRoot *roots = g_new0(BerthShareRoot, setup.n_roots + 1);
    for (guint i = 0; i < setup.n_roots; i++)
        valid = valid && read_root(argv + fixed + i * (guint)each, &roots[i]);
    if (!valid)
        return fail("usage: berth-share UID GID (ro|rw SOURCE PATH)... (started by berth-keeper)");
    setup.roots = roots;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);          /* a limit is the answer EFBIG */
    prctl(PR_SET_NAME, "berth-share"); /* by a descriptor's path it would be called a number */

    g_autoptr(GError) error = NULL;
    return berth_share_serve(&setup, &error) ? 0 : fail(error->message);
}
