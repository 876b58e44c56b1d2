/* SPDX-License-Identifier: MIT
 *
 * berth-share [--watch] ID UID GID (MODE SOURCE PATH)... — serves directories of the host to one
 * guest, or watches them while it is suspended.
 *
 *     MODE: ro, rw, cow=DIR, was; limit=BYTES:count=FILE, limit=BYTES:cow=DIR
 *
 * Started by its keeper. Descriptor 3 is the guest's port, 4 a pipe for reports
 * (wire/share_report.h), 5 a memfd for what the next server needs of this one. ID is the distro's.
 * SOURCE, a directory of the host, appears at PATH. The user's files are UID's and GID's in the
 * guest. A former server of the guest had what "was" at PATH. Ends when the port closes. With "cow"
 * the guest's changes are kept in DIR. With a limit the guest may add BYTES (share/quota.h), whose
 * count is in FILE. With --watch, descriptor 3 is a list (wire/share_report.h).
 */
#include "share/serve.h"
#include "share/watch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WATCH "--watch"
#define COW   "cow="
#define COUNT "count="
#define LIMIT "limit="

enum { PORT_FD = 3, REPORT_FD = 4, LEDGER_FD = 5, FIXED = 4, WORDS = 3 };

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

/* Read "limit=BYTES:" at the begin of @mode, if it is there. NULL: it is no number. */
static char *read_limit(char *mode, guint64 *ret_limit)
{
    char *colon = strchr(mode, ':');
    *ret_limit = 0;
    if (!g_str_has_prefix(mode, LIMIT))
        return mode;
    if (colon == NULL)
        return NULL;
    *colon = '\0';
    return g_ascii_string_to_unsigned(mode + strlen(LIMIT), 10, 1, G_MAXINT64, ret_limit, NULL)
               ? colon + 1
               : NULL;
}

static bool read_root(char **words, BerthShareRoot *ret_root)
{
    *ret_root = (BerthShareRoot){.source = words[1], .path = words[2]};
    char *mode = read_limit(words[0], &ret_root->limit);
    if (mode == NULL)
        return false;
    if (g_str_has_prefix(mode, COW))
        ret_root->overlay = mode + strlen(COW);
    else if (ret_root->limit > 0 && g_str_has_prefix(mode, COUNT))
        ret_root->count = mode + strlen(COUNT);
    else if (ret_root->limit == 0)
        ret_root->read_only = strcmp(mode, "ro") == 0;
    return ret_root->overlay != NULL || ret_root->count != NULL || ret_root->read_only ||
           (ret_root->limit == 0 && strcmp(mode, "rw") == 0);
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
    bool watches = argc > 1 && strcmp(argv[1], WATCH) == 0;
    argv += watches;
    argc -= watches;
    if (argc < FIXED || (argc - FIXED) % WORDS != 0 || !read_number(argv[2], &setup.guest_uid) ||
        !read_number(argv[3], &setup.guest_gid) || !read_roots(argv + FIXED, &setup, roots, paths))
        return fail("usage: berth-share ID UID GID (MODE SOURCE PATH)...; berth-keeper starts it");
    setup.distro = argv[1];
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);          /* as of the end of a session: the keeper handles it */
    signal(SIGXFSZ, SIG_IGN);          /* a limit is the answer EFBIG */
    prctl(PR_SET_NAME, "berth-share"); /* by a descriptor's path it would be called a number */

    g_autoptr(GError) error = NULL;
    bool done = watches ? berth_share_watch(&setup, &error) : berth_share_serve(&setup, &error);
    return done ? 0 : fail(error->message);
}
