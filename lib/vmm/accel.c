/* SPDX-License-Identifier: MIT */
#include "accel.h"

#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "qemu_args.h"
#include "qemu_process.h"
#include "tsc.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

const BerthAccelHost berth_accel_host = {
    .kvm = "/dev/kvm",
    .processor = "/proc/cpuinfo",
    .boot_id = "/proc/sys/kernel/random/boot_id",
    .limit_msec = 3000,
};

typedef enum {
    VERDICT_WORKS,
    VERDICT_CLOSED, /* the device cannot be opened; looked at every time, since that may change */
    VERDICT_FAILS,  /* tried, and it did not work */
    VERDICTS,
} VerdictKind;

static const char *const verdict_words[VERDICTS] = {"works", "closed", "fails"};

typedef struct {
    VerdictKind kind;
    char *reason; /* one line; NULL when it works */
    const char *hint;
} Verdict;

static void verdict_clear(Verdict *verdict)
{
    g_clear_pointer(&verdict->reason, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Verdict, verdict_clear)

static const char hint_fails[] = "use accel=auto or accel=tcg; the host's hypervisor may have to "
                                 "allow nested virtualisation";

/* What a failed open of the device means to a user. */
static const struct {
    int errnum;
    const char *hint;
} open_hints[] = {
    {ENOENT, "load the module kvm_intel or kvm_amd, or switch virtualisation on in the firmware"},
    {ENODEV, "load the module kvm_intel or kvm_amd, or switch virtualisation on in the firmware"},
    {ENXIO, "load the module kvm_intel or kvm_amd, or switch virtualisation on in the firmware"},
    {EACCES, "join the group kvm (sudo usermod -aG kvm $USER) and log in again"},
    {EPERM, "join the group kvm (sudo usermod -aG kvm $USER) and log in again"},
};

/* Whether the device opens. False with @ret_verdict set when not. */
static bool open_device(const char *path, Verdict *ret_verdict)
{
    berth_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        return true;

    int errnum = errno;
    *ret_verdict = (Verdict){.kind = VERDICT_CLOSED, .hint = hint_fails};
    g_autofree char *words = g_ascii_strdown(g_strerror(errnum), -1);
    ret_verdict->reason = errnum == ENOENT
                              ? g_strdup_printf("%s does not exist", path)
                              : g_strdup_printf("%s cannot be opened: %s", path, words);
    for (gsize i = 0; i < G_N_ELEMENTS(open_hints); i++) {
        if (open_hints[i].errnum == errnum)
            ret_verdict->hint = open_hints[i].hint;
    }
    return false;
}

/* Path, size and time of change: another build of the same program is another program. */
static void hash_file(GChecksum *hash, const char *path)
{
    GStatBuf info = {0};
    if (g_stat(path, &info) < 0)
        info.st_size = -1;
    g_autofree char *text = g_strdup_printf("%s\n%" G_GINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld\n",
                                            path, (gint64)info.st_size, (gint64)info.st_mtim.tv_sec,
                                            (long)info.st_mtim.tv_nsec);
    g_checksum_update(hash, (const guchar *)text, -1);
}

static char *processor_model(const char *path)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    const char *start = strstr(text, "model name");
    if (start == NULL)
        return g_strdup("");
    return g_strndup(start, strcspn(start, "\n"));
}

static char *cache_path(const BerthAccelHost *host, const BerthMachine *machine,
                        const char *cache_dir)
{
    g_autoptr(GChecksum) hash = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *emulator = g_find_program_in_path(machine->emulator);
    hash_file(hash, emulator != NULL ? emulator : machine->emulator);
    hash_file(hash, machine->kernel);

    g_autofree char *model = processor_model(host->processor);
    g_checksum_update(hash, (const guchar *)model, -1);
    g_autofree char *boot_id = NULL;
    if (g_file_get_contents(host->boot_id, &boot_id, NULL, NULL))
        g_checksum_update(hash, (const guchar *)boot_id, -1);
    return g_build_filename(cache_dir, "accel", g_checksum_get_string(hash), NULL);
}

/* False when there is none, or none that can be read. */
static bool load_verdict(const char *path, Verdict *ret_verdict)
{
    g_autofree char *text = NULL;
    gsize length = 0;
    if (!g_file_get_contents(path, &text, &length, NULL) ||
        !g_utf8_validate_len(text, length, NULL))
        return false;

    g_auto(GStrv) lines = g_strsplit(text, "\n", 3);
    if (g_strv_length(lines) != 3 || lines[2][0] != '\0')
        return false;
    for (guint kind = 0; kind < VERDICTS; kind++) {
        if (!g_str_equal(lines[0], verdict_words[kind]) ||
            (kind == VERDICT_WORKS) != (lines[1][0] == '\0'))
            continue;
        *ret_verdict = (Verdict){.kind = kind, .hint = hint_fails};
        ret_verdict->reason = kind == VERDICT_WORKS ? NULL : g_strdup(lines[1]);
        return true;
    }
    return false;
}

/* A verdict that cannot be kept is found again the next time. */
static void save_verdict(const char *path, const Verdict *verdict)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *text = g_strdup_printf("%s\n%s\n", verdict_words[verdict->kind],
                                            verdict->reason != NULL ? verdict->reason : "");
    if (g_mkdir_with_parents(directory, 0700) == 0)
        g_file_set_contents(path, text, -1, NULL); /* by rename */
}

/* Take in some console output. False when there is none just now, or no more. */
static bool read_console(int fd, GString *output)
{
    char bytes[1024];
    ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size <= 0)
        return false;
    g_string_append_len(output, bytes, size);
    return true;
}

/* Whether the marker is in @output, which then loses all that cannot be its beginning. */
static bool find_marker(GString *output)
{
    const gsize length = strlen(BERTH_QEMU_PROBE_MARKER);
    bool found = memmem(output->str, output->len, BERTH_QEMU_PROBE_MARKER, length) != NULL;
    if (output->len >= length)
        g_string_erase(output, 0, (gssize)(output->len - length + 1));
    return found;
}

typedef enum { PROBE_MARKER, PROBE_ENDED, PROBE_LATE } ProbeEnd;

/* Watch the probe until it has said the marker, has ended or is late. */
static ProbeEnd watch_probe(BerthChild *child, int console, guint limit_msec)
{
    g_autoptr(GString) output = g_string_new(NULL);
    const gint64 deadline = g_get_monotonic_time() + (gint64)limit_msec * 1000;
    for (;;) {
        gint64 left = deadline - g_get_monotonic_time();
        if (left <= 0)
            return PROBE_LATE;

        struct pollfd fds[] = {
            {console, POLLIN, 0}, {child->errors, POLLIN, 0}, {child->pidfd, POLLIN, 0}};
        if (poll(fds, G_N_ELEMENTS(fds), (int)(left / 1000) + 1) < 0)
            continue;
        bool ended = fds[2].revents != 0; /* then the rest of its output is there already */
        bool more = fds[0].revents != 0 && read_console(console, output);
        if (more && find_marker(output))
            return PROBE_MARKER;
        if (!more && ended)
            return PROBE_ENDED;
        if (!more && fds[0].revents != 0)
            console = -1;
        if (fds[1].revents != 0)
            berth_child_hear(child);
    }
}

static char *describe_end(BerthChild *child, int status)
{
    g_autofree char *words = berth_child_last_words(child);
    if (words[0] != '\0')
        return g_strdup_printf("QEMU stopped: %s", words);
    if (WIFSIGNALED(status))
        return g_strdup_printf("QEMU was killed by signal %d", WTERMSIG(status));
    return g_strdup("the guest stopped before it reached user space");
}

/* Boot the kernel under KVM for a moment. False with @error when it could not even be tried. */
static bool probe(const BerthAccelHost *host, const BerthMachine *machine, Verdict *ret_verdict,
                  GError **error)
{
    g_auto(GStrv) argv = berth_qemu_probe_args(machine, error);
    if (argv == NULL)
        return false;
    int pair[2];
    if (berth_fd_socketpair(SOCK_STREAM, pair) < 0) {
        berth_error_set_errno(error, errno, "accel", "socket pair");
        return false;
    }
    berth_autofd int console = pair[0];
    berth_autofd int theirs = pair[1];
    const int target = BERTH_QEMU_FD_CONSOLE;
    g_auto(BerthChild) child = BERTH_CHILD_INIT;
    if (!berth_child_spawn(&child, argv, &theirs, &target, 1, error))
        return false;
    berth_fd_close(&theirs);

    ProbeEnd end = watch_probe(&child, console, host->limit_msec);
    if (end != PROBE_ENDED)
        berth_child_kill(&child);
    int status = berth_child_reap(&child);
    *ret_verdict =
        (Verdict){.kind = end == PROBE_MARKER ? VERDICT_WORKS : VERDICT_FAILS, .hint = hint_fails};
    if (end == PROBE_LATE)
        ret_verdict->reason =
            g_strdup_printf("the guest did not start within %g seconds", host->limit_msec / 1000.0);
    else if (end == PROBE_ENDED)
        ret_verdict->reason = describe_end(&child, status);
    return true;
}

/* The verdict on @machine, from the cache at @path (may be NULL) where it still holds. */
static bool judge(const BerthAccelHost *host, const BerthMachine *machine, const char *path,
                  Verdict *ret_verdict, bool *ret_fresh, GError **error)
{
    g_auto(Verdict) known = {.kind = VERDICTS};
    if (path != NULL)
        load_verdict(path, &known);

    *ret_fresh = true;
    if (!open_device(host->kvm, ret_verdict)) {
        *ret_fresh =
            known.kind != VERDICT_CLOSED || !g_str_equal(known.reason, ret_verdict->reason);
    } else if (known.kind == VERDICT_WORKS || known.kind == VERDICT_FAILS) {
        *ret_verdict = known;
        known.reason = NULL;
        *ret_fresh = false;
    } else if (!probe(host, machine, ret_verdict, error)) {
        return false;
    }

    if (*ret_fresh && path != NULL)
        save_verdict(path, ret_verdict);
    return true;
}

/* TCG, with the frequency of the counter its guests tell the time by. */
static void use_tcg(BerthMachine *machine)
{
    machine->accel = BERTH_ACCEL_TCG;
    guint khz = berth_tsc_khz();
    if (khz == 0)
        return;
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    if (machine->tcg_kernel_arguments != NULL)
        g_strv_builder_addv(arguments, (const char **)machine->tcg_kernel_arguments);
    g_autofree char *argument = g_strdup_printf("tsc_early_khz=%u", khz);
    g_strv_builder_add(arguments, argument);
    g_strfreev(machine->tcg_kernel_arguments);
    machine->tcg_kernel_arguments = g_strv_builder_end(arguments);
}

bool berth_accel_resolve_on(const BerthAccelHost *host, BerthMachine *machine,
                            const char *cache_dir, char **ret_notice, GError **error)
{
    *ret_notice = NULL;
    if (machine->accel == BERTH_ACCEL_TCG) {
        use_tcg(machine);
        return true;
    }
    if (!berth_qemu_check(machine, error))
        return false;

    g_autofree char *path = cache_dir != NULL ? cache_path(host, machine, cache_dir) : NULL;
    g_auto(Verdict) verdict = {.kind = VERDICTS};
    bool fresh = false;
    if (!judge(host, machine, path, &verdict, &fresh, error))
        return false;

    if (verdict.kind == VERDICT_WORKS) {
        machine->accel = BERTH_ACCEL_KVM;
        return true;
    }
    if (machine->accel == BERTH_ACCEL_KVM) {
        berth_error_set(error, BERTH_ERROR_NO_KVM, "accel.kvm-unusable", verdict.hint,
                        "KVM does not work here: %s", verdict.reason);
        return false;
    }
    use_tcg(machine);
    if (fresh)
        *ret_notice = g_strdup_printf(
            "KVM does not work here (%s); using slower software emulation", verdict.reason);
    return true;
}

bool berth_accel_resolve(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                         GError **error)
{
    return berth_accel_resolve_on(&berth_accel_host, machine, cache_dir, ret_notice, error);
}
