/* SPDX-License-Identifier: MIT
 *
 * berth-share UID GID (ro|rw|cow=DIR|was SOURCE PATH)... — serves directories of the host to one
 * guest.
 *
 * Started by its keeper. Descriptor 3 is the guest's port, 4 a pipe for reports
 * (wire/share_report.h), 5 a memfd for what the next server needs of this one. SOURCE, a directory
 * of the host, appears at PATH. The user's files are UID's and GID's in the guest. A former server
 * of the guest had what "was" at PATH. Ends when the port closes. With "cow" the guest's changes
 * are kept in DIR.
 */
#include "share/serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define COW "cow="

enum { PORT_FD = 3, REPORT_FD = 4, LEDGER_FD = 5, FIXED = 3, WORDS = 3 };

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
    if (g_str_has_prefix(words[0], COW))
        ret_root->overlay = words[0] + strlen(COW);
    return ret_root->read_only || ret_root->overlay != NULL || strcmp(words[0], "rw") == 0;
}

/* Read the roots and paths of @argv, which has whole triples. */
static bool read_roots(char **argv, BerthShareSetup *setup, BerthShareRoot *roots,
                       const char **paths)
{
    for (guint i = 0; argv[i] != NULL; i += WORDS) {
        paths[i / WORDS] = argv[i + 2];
        if (strcmp(argv[i], "was") != 0 && !read_root(argv + i, &roots[setup->n_roots++]))
            return false;
    }
    setup->roots = roots;
    setup->paths = paths;
    return true;
}

int main(int argc, char **argv)
{
    BerthShareSetup setup = {.port_fd = PORT_FD, .report_fd = REPORT_FD, .ledger_fd = LEDGER_FD};
    g_autofree BerthShareRoot *roots = g_new0(BerthShareRoot, argc);
    g_autofree const char **paths = g_new0(const char *, argc);
    if (argc < FIXED || (argc - FIXED) % WORDS != 0 || !read_number(argv[1], &setup.guest_uid) ||
        !read_number(argv[2], &setup.guest_gid) || !read_roots(argv + FIXED, &setup, roots, paths))
        return fail("usage: berth-share UID GID (ro|rw|cow=DIR|was SOURCE PATH)... (started by "
                    "berth-keeper)");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);          /* a limit is the answer EFBIG */
    prctl(PR_SET_NAME, "berth-share"); /* by a descriptor's path it would be called a number */

    g_autoptr(GError) error = NULL;
    return berth_share_serve(&setup, &error) ? 0 : fail(error->message);
}
