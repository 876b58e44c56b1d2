/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"
#include "base/error.h"
#include "base/fd.h"
#include "vmm/device_state.h"
#include "vmm/emulator.h"
#include "vmm/guest_ends.h"
#include "vmm/qemu_process.h"
#include "vmm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A machine of files in a directory, and the exit of its QEMU. */
typedef struct {
    char *dir;
    BerthMachine *machine;
    int net[2];
    int share;
    BerthGuestEnds ends;
    BerthQemu *qemu;
    BerthQemuChannels channels;
    bool exited;
    int status;
    char *last_words;
    GString *events;
    bool wakes; /* QEMU is to wait for a state */
    BerthDeviceState *operation;
    bool moved; /* which has ended */
    bool with_memory;
    GBytes *state;
} Fixture;

/* A shell script as QEMU. */
static void set_qemu(Fixture *fixture, const char *script)
{
    g_autofree char *text = g_strdup_printf("#!/bin/sh\ncd %s\n%s\n", fixture->dir, script);
    g_free(fixture->machine->emulator);
    fixture->machine->emulator = files_make_script(fixture->dir, "qemu", text);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    fixture->dir = g_dir_make_tmp("berth-qemu-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->machine =
        berth_machine_from_text("[machine]\nname=debian\ntype=microvm\nmac=52:54:00:00:00:01\n"
                                "accel=tcg\nmtu=16384\nmemory=128M\n"
                                "options=acpi=on;rtc=on;firmware=qboot.rom\n"
                                "options-fallback=acpi=on;rtc=on\n"
                                "monitor=monitor-qmp\nmonitor-fallback=mon\n"
                                "globals=virtio-mmio.force-legacy=false\n",
                                &error);
    g_assert_no_error(error);
    fixture->machine->kernel = files_make(fixture->dir, "vmlinux");
    fixture->machine->initramfs = files_make(fixture->dir, "initramfs");
    fixture->machine->disk = files_make(fixture->dir, "disk, with a comma");
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, fixture->net), ==, 0);
    fixture->share = berth_fd_listen(NULL);
    g_assert_cmpint(fixture->share, >=, 0);
    fixture->ends = (BerthGuestEnds)BERTH_GUEST_ENDS_INIT;
    g_assert_true(berth_guest_ends_open(&fixture->ends, NULL));
    fixture->channels = (BerthQemuChannels){-1, -1};
    fixture->events = g_string_new(NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_qemu_free(fixture->qemu);
    berth_machine_free(fixture->machine);
    berth_fd_close(&fixture->net[0]);
    berth_fd_close(&fixture->net[1]);
    berth_fd_close(&fixture->share);
    berth_fd_close(&fixture->channels.qmp);
    berth_guest_ends_clear(&fixture->ends);
    berth_fd_close(&fixture->channels.console);
    files_remove(fixture->dir);
    g_free(fixture->dir);
    g_free(fixture->last_words);
    g_string_free(fixture->events, TRUE);
}

/* Frees the QEMU, as the callback may. */
static void on_qemu_exit(BerthQemu *qemu, int status, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_assert_false(fixture->exited);
    g_assert_cmpint(berth_qemu_pid(qemu), ==, 0);
    fixture->exited = true;
    fixture->status = status;
    fixture->last_words = g_strdup(berth_qemu_last_message(qemu));
    g_clear_pointer(&fixture->qemu, berth_qemu_free);
}

static BerthQemuGuest guest_of(const Fixture *fixture)
{
    return (BerthQemuGuest){fixture->net[1], fixture->share, fixture->ends.qemu_agent,
                            fixture->ends.memory, fixture->wakes};
}

static void spawn(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    const BerthQemuGuest guest = guest_of(fixture);
    fixture->qemu = berth_qemu_spawn(fixture->machine, &guest, on_qemu_exit, fixture,
                                     &fixture->channels, &error);
    g_assert_no_error(error);
    g_assert_cmpint(berth_qemu_pid(fixture->qemu), >, 0);
}

static void wait_exit(Fixture *fixture)
{
    while (!fixture->exited)
        g_main_context_iteration(NULL, TRUE);
}

static void expect_exit(Fixture *fixture, int status, const char *last_words)
{
    wait_exit(fixture);
    g_assert_true(WIFEXITED(fixture->status));
    g_assert_cmpint(WEXITSTATUS(fixture->status), ==, status);
    g_assert_cmpstr(fixture->last_words, ==, last_words);
}

/* Read @fd, which is non-blocking, until EOF. */
static char *read_all(int fd)
{
    g_assert_cmpint(berth_fd_set_nonblocking(fd, false), ==, 0);
    GString *text = g_string_new(NULL);
    char bytes[1024];
    ssize_t size;
    while ((size = read(fd, bytes, sizeof(bytes))) > 0)
        g_string_append_len(text, bytes, size);
    return g_string_free(text, FALSE);
}

static void expect_text(int fd, const char *expected)
{
    g_autofree char *text = read_all(fd);
    g_assert_cmpstr(text, ==, expected);
}

static void test_channels_are_in_place(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture,
             "echo qmp >&3; echo agent >&4; echo net >&5; echo console >&6\n"
             "read line; echo \"stdin $?\" >&6; out=$(readlink /proc/$$/fd/1); echo $out >&6\n"
             "ls /proc/$$/fd >&6\n" /* no pipeline, which would add descriptors */
             "true");
    spawn(fixture);
    expect_exit(fixture, 0, "");
    expect_text(fixture->channels.qmp, "qmp\n");
    berth_fd_close(&fixture->ends.qemu_agent);
    expect_text(fixture->ends.agent, "agent\n");
    g_autofree char *console = read_all(fixture->channels.console);
    g_autoptr(GRegex) own =
        g_regex_new("^\\d\\d+\n", G_REGEX_MULTILINE, 0, NULL); /* the shell keeps its own there */
    g_autofree char *text = g_regex_replace_literal(own, console, -1, 0, "", 0, NULL);
    g_assert_cmpstr(text, ==, "console\nstdin 1\n/dev/null\n0\n1\n2\n3\n4\n5\n6\n7\n8\n");

    char frame[16] = "";
    g_assert_cmpint(recv(fixture->net[0], frame, sizeof(frame), MSG_DONTWAIT), ==, 4);
    g_assert_cmpstr(frame, ==, "net\n");
}

/* The next QEMU reads the bytes that the last one left in the agent's channel. */
static void test_next_process_reads_on(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "read line <&4; echo $line >&4");
    g_assert_cmpint(write(fixture->ends.agent, "one\ntwo\n", 8), ==, 8);
    const char *const lines[] = {"one\n", "two\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        char answer[8] = "";
        spawn(fixture);
        expect_exit(fixture, 0, "");
        g_assert_cmpint(read(fixture->ends.agent, answer, sizeof(answer)), ==, 4);
        g_assert_cmpstr(answer, ==, lines[i]);
        g_clear_pointer(&fixture->last_words, g_free);
        fixture->exited = false;
        berth_fd_close(&fixture->channels.qmp);
        berth_fd_close(&fixture->channels.console);
    }
    g_assert_cmpint(read(fixture->ends.agent, &(char){0}, 1), ==, -1); /* and no end */
    g_assert_cmpint(errno, ==, EAGAIN);
}

static void test_channels_do_not_block(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "exec sleep 60");
    spawn(fixture);
    const int fds[] = {fixture->channels.qmp, fixture->ends.agent, fixture->channels.console};
    for (gsize i = 0; i < G_N_ELEMENTS(fds); i++) {
        char byte;
        g_assert_cmpint(read(fds[i], &byte, 1), ==, -1);
        g_assert_cmpint(errno, ==, EAGAIN);
        g_assert_cmpint(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    }
}

/* QEMU's output, and the line that is kept. */
static const struct {
    const char *script, *words;
} sayings[] = {
    {"true", ""},
    {"echo; echo", ""},
    {"echo one; echo two", "two"},
    {"printf 'no line end'", "no line end"},
    {"echo 'qemu: error: failed to set MSR 0x10a'; "
     "echo \"qemu: kvm.c:3: f: Assertion \\`a == b' failed.\"",
     "failed to set MSR 0x10a"},
    {"echo \"qemu: kvm.c:3: f: Assertion \\`a == b' failed.\"",
     "kvm.c:3: f: Assertion `a == b' failed."},
    {"echo 'qemu: -blockdev x: Failed to get lock'; echo 'Is another process using it?'",
     "-blockdev x: Failed to get lock"},
    {"echo 'KVM: entry failed'; echo 'qemu: warning: slow'", "KVM: entry failed"},
    {"printf 'a\\033[1mb\\tc\\r\\n'", "a [1mb c"},
    {"printf 'bad \\377 byte\\n'", "bad \357\277\275 byte"},
    {"head -c 100000 /dev/zero | tr '\\0' '\\n'; echo end", "end"},
};

static void test_last_output(Fixture *fixture, gconstpointer data)
{
    gsize row = GPOINTER_TO_SIZE(data);
    g_autofree char *script = g_strdup_printf("{ %s; } >&2; exit 3", sayings[row].script);
    set_qemu(fixture, script);
    spawn(fixture);
    expect_exit(fixture, 3, sayings[row].words);
}

/* Bounded: the tail is kept. */
static void test_last_output_is_bounded(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; exit 1");
    spawn(fixture);
    wait_exit(fixture);
    g_assert_cmpuint(strlen(fixture->last_words), ==, 8192);
}

static void test_killed(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "exec sleep 60");
    spawn(fixture);
    berth_qemu_kill(fixture->qemu);
    g_assert_false(fixture->exited); /* not from within the call */
    wait_exit(fixture);
    g_assert_true(WIFSIGNALED(fixture->status));
    g_assert_cmpint(WTERMSIG(fixture->status), ==, SIGKILL);
}

static void test_free_kills_and_reaps(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "exec sleep 60");
    spawn(fixture);
    pid_t pid = berth_qemu_pid(fixture->qemu);
    g_clear_pointer(&fixture->qemu, berth_qemu_free);
    g_assert_cmpint(kill(pid, 0), ==, -1);
    g_assert_cmpint(errno, ==, ESRCH);
    g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
    g_assert_cmpint(errno, ==, ECHILD);
    g_assert_false(fixture->exited);
}

/* Killing a keeper kills its QEMU: the console reaches EOF. */
static void test_dies_with_its_keeper(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "exec sleep 60");
    int pair[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_STREAM, pair), ==, 0);
    pid_t keeper = fork();
    if (keeper == 0) {
        int console = -1;
        BerthQemuGuest guest = guest_of(fixture);
        guest.net = pair[1];
        BerthQemu *qemu = berth_qemu_spawn(fixture->machine, &guest, on_qemu_exit, fixture,
                                           &fixture->channels, NULL);
        console = qemu != NULL ? 0 : 1;
        _exit(console); /* without freeing it; QEMU holds pair[1] */
    }
    berth_fd_close(&pair[1]);
    int status = -1;
    g_assert_cmpint(waitpid(keeper, &status, 0), ==, keeper);
    g_assert_cmpint(status, ==, 0);
    expect_text(pair[0], "");
    berth_fd_close(&pair[0]);
}

/* QEMU does not inherit our blocked signals, nor those that nohup(1) or a shell's background
 * ignore. SIGTERM is for its keeper. */
static void test_signals_are_reset(Fixture *fixture, gconstpointer data)
{
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, &before);
    static const int ignored[] = {SIGPIPE, SIGQUIT, SIGHUP, SIGINT, SIGTSTP, SIGUSR1};
    for (gsize i = 0; i < G_N_ELEMENTS(ignored); i++)
        signal(ignored[i], SIG_IGN);
    set_qemu(fixture, "exec grep -E 'Sig(Blk|Ign)' /proc/self/status >&6");
    spawn(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(ignored); i++)
        signal(ignored[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    wait_exit(fixture);
    expect_text(fixture->channels.console,
                "SigBlk:\t0000000000004000\nSigIgn:\t0000000000000000\n");
}

static void expect_refusal(Fixture *fixture, BerthErrorCode code, const char *id)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_qemu_check(fixture->machine, &error));
    g_assert_true(berth_error_is(error, code));
    g_assert_cmpstr(berth_error_id(error), ==, id);
    g_assert_nonnull(berth_error_hint(error));
    g_assert_null(strchr(error->message, '\n'));

    g_autoptr(GError) again = NULL;
    BerthQemuChannels channels = {-1, -1};
    const BerthQemuGuest guest = guest_of(fixture);
    g_assert_null(
        berth_qemu_spawn(fixture->machine, &guest, on_qemu_exit, fixture, &channels, &again));
    g_assert_cmpstr(again->message, ==, error->message);
    g_assert_cmpint(channels.qmp, ==, -1);
}

/* Each path of the machine in turn is missing, or a directory. */
static void test_missing_files(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "exit 0");
    BerthMachine *machine = fixture->machine;
    g_assert_true(berth_qemu_check(machine, NULL));
    const struct {
        char **member;
        const char *id;
    } rows[] = {
        {&machine->emulator, "machine.no-qemu"},
        {&machine->kernel, "machine.no-kernel"},
        {&machine->initramfs, "machine.no-initramfs"},
        {&machine->disk, "machine.no-disk"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        char *there = *rows[i].member;
        *rows[i].member = (char *)"/nowhere/file";
        expect_refusal(fixture, BERTH_ERROR_NOT_FOUND, rows[i].id);
        *rows[i].member = fixture->dir;
        expect_refusal(fixture, i == 0 ? BERTH_ERROR_NOT_FOUND : BERTH_ERROR_DENIED, rows[i].id);
        *rows[i].member = there;
    }
}

static void test_program_that_cannot_run(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "exit 0");
    files_write(fixture->machine->emulator, "#!/nowhere/interpreter\n");
    g_assert_cmpint(g_chmod(fixture->machine->emulator, 0755), ==, 0);
    g_autoptr(GError) error = NULL;
    const BerthQemuGuest guest = guest_of(fixture);
    g_assert_null(berth_qemu_spawn(fixture->machine, &guest, on_qemu_exit, fixture,
                                   &fixture->channels, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "machine.no-qemu");
}

static void on_event(BerthQmp *qmp, const BerthQmpEvent *event, gpointer user_data)
{
    Fixture *fixture = user_data;
    if (g_str_equal(event->name, "MIGRATION"))
        berth_device_state_event(fixture->operation, event);
    else
        g_string_append_printf(fixture->events, "%s %s\n", event->name, event->reason);
}

/* The real QEMU with the tiny guest, whose command line is @word, and the monitor option that QEMU
 * does not warn about. */
static BerthQmp *boot(Fixture *fixture, const char *word)
{
    BerthMachine *machine = fixture->machine;
    g_autofree char *text = NULL;
    gsize size = 0;
    g_assert_true(g_file_get_contents(g_getenv("BERTH_TEST_TINY_KERNEL"), &text, &size, NULL));
    g_free(machine->kernel);
    machine->kernel = g_build_filename(fixture->dir, "a kernel, tiny", NULL);
    g_assert_true(g_file_set_contents(machine->kernel, text, (gssize)size, NULL));
    g_free(machine->emulator);
    machine->emulator = g_strdup("qemu-system-x86_64");
    g_strfreev(machine->kernel_arguments);
    machine->kernel_arguments = g_strsplit(word, ";", -1);
    g_free(machine->disk);
    machine->disk = files_make(fixture->dir, "{\"a\": \"b\"},read-only,=on");
    g_assert_cmpint(truncate(machine->disk, 1 << 20), ==, 0);

    BerthEmulatorAnswer answer = {0};
    g_autoptr(GError) error = NULL;
    berth_emulator_find(machine, 60000, NULL, &answer, &error);
    g_assert_no_error(error);
    g_assert_true(berth_machine_settle(machine, answer.variant, NULL));
    spawn(fixture);
    return berth_qmp_new(berth_fd_steal(&fixture->channels.qmp), on_event, NULL, fixture);
}

static void on_status(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_assert_no_error(error);
    g_string_append(fixture->events, "answer\n");
    g_assert_cmpint(write(fixture->channels.console, "\n", 1), ==, 1); /* lets the guest continue */
}

/* QEMU sends no events before the first command, so the guest waits for us. */
static void expect_end(Fixture *fixture, BerthQmp *qmp, const char *events)
{
    berth_qmp_execute(qmp, "query-status", NULL, on_status, fixture);
    expect_exit(fixture, 0, "");
    g_assert_cmpstr(fixture->events->str, ==, events);
}

static void test_real_power_off(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthQmp) qmp = boot(fixture, "off");
    expect_end(fixture, qmp, "answer\nSHUTDOWN guest-shutdown\n");
    expect_text(fixture->channels.console, "BERTH-PROBE-OK\r\n");
}

static void test_real_reset(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthQmp) qmp = boot(fixture, "reset");
    expect_end(fixture, qmp, "answer\nSHUTDOWN guest-reset\n");
}

static void test_real_quit(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthQmp) qmp = boot(fixture, "off");
    berth_qmp_execute(qmp, "quit", NULL, NULL, NULL);
    expect_exit(fixture, 0, "");
    g_assert_cmpstr(fixture->events->str, ==, "SHUTDOWN host-qmp-quit\n");
}

static void on_moved(GBytes *state, bool with_memory, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;
    g_assert_no_error(error);
    g_assert_false(fixture->moved);
    fixture->moved = true;
    if (state == NULL)
        return;
    fixture->state = g_bytes_ref(state);
    fixture->with_memory = with_memory;
}

static void wait_moved(Fixture *fixture)
{
    while (!fixture->moved)
        g_main_context_iteration(NULL, TRUE);
    fixture->moved = false;
}

/* Save the state of the guest of @qmp (freed), which ends its QEMU. */
static void put_to_sleep(Fixture *fixture, BerthQmp *qmp)
{
    BerthDeviceState *loaded = fixture->operation; /* of the same client */
    berth_qmp_execute(qmp, "stop", NULL, NULL, NULL);
    fixture->operation = berth_device_state_save(qmp, on_moved, fixture);
    wait_moved(fixture);
    berth_qmp_execute(qmp, "quit", NULL, NULL, NULL);
    expect_exit(fixture, 0, "");
    berth_qmp_free(qmp);
    berth_device_state_free(loaded);
    g_clear_pointer(&fixture->operation, berth_device_state_free);
    g_clear_pointer(&fixture->last_words, g_free);
    fixture->exited = false;
    berth_fd_close(&fixture->channels.console);
}

/* Let a new QEMU go on with it. */
static BerthQmp *wake(Fixture *fixture)
{
    fixture->wakes = true;
    spawn(fixture);
    BerthQmp *qmp = berth_qmp_new(berth_fd_steal(&fixture->channels.qmp), on_event, NULL, fixture);
    fixture->operation =
        berth_device_state_load(qmp, fixture->state, fixture->with_memory, on_moved, fixture);
    wait_moved(fixture);
    g_clear_pointer(&fixture->state, g_bytes_unref);
    berth_qmp_execute(qmp, "cont", NULL, NULL, NULL);
    return qmp;
}

/* The guest, which waits for a byte on its console, goes on in another QEMU, and in a third: it
 * does not begin again, and its memory is in no state. */
static void test_real_state_moves(Fixture *fixture, gconstpointer data)
{
    BerthQmp *qmp = boot(fixture, "off");
    char line[] = "BERTH-PROBE-OK\r\n";
    g_assert_cmpint(berth_fd_set_nonblocking(fixture->channels.console, false), ==, 0);
    for (gsize i = 0; i < strlen(line); i++) {
        char byte = '\0';
        g_assert_cmpint(read(fixture->channels.console, &byte, 1), ==, 1);
        g_assert_cmpint(byte, ==, line[i]);
    }
    for (guint i = 0; i < 2; i++) {
        put_to_sleep(fixture, qmp);
        g_assert_false(fixture->with_memory);
        g_assert_cmpuint(g_bytes_get_size(fixture->state), <, 1 << 20); /* of 128 MiB */
        qmp = wake(fixture);
    }
    g_assert_cmpint(write(fixture->channels.console, "\n", 1), ==, 1);
    expect_exit(fixture, 0, "");
    expect_text(fixture->channels.console, "");
    berth_qmp_free(qmp);
    g_clear_pointer(&fixture->operation, berth_device_state_free);
}

/* Two machines would destroy a shared image: QEMU's lock refuses, and its message says why. */
static void test_real_disk_in_use(Fixture *fixture, gconstpointer data)
{
    g_autoptr(BerthQmp) qmp = boot(fixture, "off");
    g_assert_nonnull(qmp);
    char byte;
    g_assert_cmpint(berth_fd_set_nonblocking(fixture->channels.console, false), ==, 0);
    g_assert_cmpint(read(fixture->channels.console, &byte, 1), ==, 1); /* the disk is open */

    Fixture second = *fixture;
    second.last_words = NULL;
    second.channels = (BerthQemuChannels){-1, -1};
    spawn(&second);
    expect_exit(&second, 1,
                "-device virtio-blk-device,drive=root,num-queues=1,write-cache=on,werror=stop: "
                "Failed to get \"write\" lock");
    g_free(second.last_words);
    berth_fd_close(&second.channels.qmp);
    berth_fd_close(&second.channels.console);
}

#define ADD(name, data, function)                                                                  \
    g_test_add("/vmm/qemu-process/" name, Fixture, data, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("channels-are-in-place", NULL, test_channels_are_in_place);
    ADD("next-process-reads-on", NULL, test_next_process_reads_on);
    ADD("channels-do-not-block", NULL, test_channels_do_not_block);
    for (gsize row = 0; row < G_N_ELEMENTS(sayings); row++) {
        g_autofree char *name =
            g_strdup_printf("/vmm/qemu-process/last-output/%" G_GSIZE_FORMAT, row);
        g_test_add(name, Fixture, GSIZE_TO_POINTER(row), set_up, test_last_output, tear_down);
    }
    ADD("last-output-is-bounded", NULL, test_last_output_is_bounded);
    ADD("killed", NULL, test_killed);
    ADD("free-kills-and-reaps", NULL, test_free_kills_and_reaps);
    ADD("dies-with-its-keeper", NULL, test_dies_with_its_keeper);
    ADD("signals-are-reset", NULL, test_signals_are_reset);
    ADD("missing-files", NULL, test_missing_files);
    ADD("program-that-cannot-run", NULL, test_program_that_cannot_run);
    ADD("real/state-moves", NULL, test_real_state_moves);
    ADD("real/power-off", NULL, test_real_power_off);
    ADD("real/reset", NULL, test_real_reset);
    ADD("real/quit", NULL, test_real_quit);
    ADD("real/disk-in-use", NULL, test_real_disk_in_use);
    return g_test_run();
}
