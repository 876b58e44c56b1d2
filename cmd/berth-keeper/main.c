/* SPDX-License-Identifier: MIT
 *
 * berth-keeper DIR SUPPORT_DIR — keeps one running distro.
 *
 * Started by lib/instance/client/runtime.c in a session of its own. Descriptor 3 is the lock that
 * it holds for its lifetime, 4 the listening control socket and 5 the distro's disk, which it only
 * keeps locked (lib/manage/hold.h); 6 is the memory of another guest, which that of this distro
 * begins as, or anything else. DIR is its runtime directory and holds machine.conf. SIGINT
 * powers the guest off cleanly; SIGTERM, as of a host that shuts down, parks it.
 */
#include "base/fd.h"
#include "base/process.h"
#include "instance/keeper/instance.h"
#include "model/machine.h"
#include "vmm/guest_ends.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_FD = 3, LISTEN_FD = 4, DISK_FD = 5, MEMORY_FD = 6 };

static void on_gone(BerthInstance *instance, gpointer user_data)
{
    g_main_loop_quit(user_data);
}

static gboolean on_interrupt(gpointer user_data)
{
    berth_instance_stop(user_data);
    return G_SOURCE_CONTINUE;
}

static gboolean on_terminate(gpointer user_data)
{
    berth_instance_leave(user_data);
    return G_SOURCE_CONTINUE;
}

static BerthMachine *read_machine(const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename(dir, "machine.conf", NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    return berth_machine_from_text(text, error);
}

static void write_pid(void)
{
    g_autofree char *words = berth_process_format();
    if (ftruncate(LOCK_FD, 0) == 0)
        dprintf(LOCK_FD, "%s", words);
    for (int fd = LOCK_FD; fd <= MEMORY_FD; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int lent(void)
{
    int fd = MEMORY_FD;
    if (!berth_guest_ends_is_sealed(fd))
        berth_fd_close(&fd);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: berth-keeper DIR SUPPORT_DIR (started by berth)\n", stderr);
        return 2;
    }
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* what is too large for a limit is an error like a full disk */
    write_pid();

    g_autoptr(GError) error = NULL;
    g_autoptr(BerthMachine) machine = read_machine(argv[1], &error);
    if (machine == NULL) {
        fprintf(stderr, "berth-keeper: %s\n", error->message);
        return 1;
    }

    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    BerthInstance *instance = berth_instance_new(g_steal_pointer(&machine), argv[1], argv[2],
                                                 LISTEN_FD, lent(), on_gone, loop);
    g_unix_signal_add(SIGTERM, on_terminate, instance);
    g_unix_signal_add(SIGINT, on_interrupt, instance);
    g_main_loop_run(loop);
    berth_instance_free(instance);
    return EXIT_SUCCESS;
}
