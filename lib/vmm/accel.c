/* SPDX-License-Identifier: MIT */
#include "accel.h"

#include "base/error.h"
#include "base/fd.h"
#include "emulator.h"
#include "probe.h"
#include "qemu_process.h"
#include "tsc.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

static const BerthAccelHost this_host = {
    .kvm = "/dev/kvm",
    .processor = "/proc/cpuinfo",
    .boot_id = "/proc/sys/kernel/random/boot_id",
    .limit_msec = 3000,
    .emulation_limit_msec = BERTH_EMULATOR_LIMIT_MSEC,
};

typedef enum {
    VERDICT_WORKS,
    VERDICT_CLOSED, /* the device cannot be opened; checked at every start, never cached */
    VERDICT_FAILS,  /* tried, and it did not work */
    VERDICTS,
} VerdictKind;

static const char *const verdict_words[VERDICTS] = {"works", "closed", "fails"};

typedef struct {
    VerdictKind kind;
    bool inconclusive; /* TCG failed too, so KVM may be fine: do not cache */
    guint variant;     /* of the machine, that the probe used */
    char *reason;      /* one line; NULL when it works */
    const char *hint;
} Verdict;

static void verdict_clear(Verdict *verdict)
{
    g_clear_pointer(&verdict->reason, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Verdict, verdict_clear)

static const char hint_fails[] = "use accel=auto or accel=tcg; the host's hypervisor may have to "
                                 "allow nested virtualisation";

static const char hint_nested[] =
    "allow nested virtualisation in the hypervisor of this host, if it is a virtual machine";

/* The user's way out of each error of opening the device. */
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

/* Whether the device opens. Sets @ret_verdict when it does not. */
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
                        const char *cache_dir, GError **error)
{
    g_autoptr(GChecksum) digest = berth_probe_digest(machine, BERTH_ACCEL_KVM, error);
    if (digest == NULL)
        return NULL;
    g_autofree char *model = processor_model(host->processor);
    g_checksum_update(digest, (const guchar *)model, -1);
    g_autofree char *boot_id = NULL;
    if (g_file_get_contents(host->boot_id, &boot_id, NULL, NULL))
        g_checksum_update(digest, (const guchar *)boot_id, -1);
    return g_build_filename(cache_dir, "accel", g_checksum_get_string(digest), NULL);
}

/* False when no valid verdict is cached. */
static bool load_verdict(const char *path, guint variants, Verdict *ret_verdict)
{
    g_autofree char *text = NULL;
    gsize length = 0;
    if (!g_file_get_contents(path, &text, &length, NULL) ||
        !g_utf8_validate_len(text, length, NULL))
        return false;

    g_auto(GStrv) lines = g_strsplit(text, "\n", 4);
    guint64 variant = 0;
    if (g_strv_length(lines) != 4 || lines[3][0] != '\0' ||
        !g_ascii_string_to_unsigned(lines[1], 10, 0, variants - 1, &variant, NULL))
        return false;
    for (guint kind = 0; kind < VERDICTS; kind++) {
        if (!g_str_equal(lines[0], verdict_words[kind]) ||
            (kind == VERDICT_WORKS) != (lines[2][0] == '\0'))
            continue;
        *ret_verdict = (Verdict){.kind = kind, .variant = (guint)variant, .hint = hint_fails};
        ret_verdict->reason = kind == VERDICT_WORKS ? NULL : g_strdup(lines[2]);
        return true;
    }
    return false;
}

/* Best effort: a verdict that is not cached is probed again. */
static void save_verdict(const char *path, const Verdict *verdict)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *text =
        g_strdup_printf("%s\n%u\n%s\n", verdict_words[verdict->kind], verdict->variant,
                        verdict->reason != NULL ? verdict->reason : "");
    if (g_mkdir_with_parents(directory, 0700) == 0)
        g_file_set_contents(path, text, -1, NULL); /* atomic: by rename */
}

/* Probe KVM with each variant until QEMU accepts one. @ret_index is that variant, or the number of
 * variants when QEMU refuses all. */
static bool probe_kvm(const BerthAccelHost *host, const BerthMachine *machine, guint *ret_index,
                      BerthProbe *probe, GError **error)
{
    const guint variants = berth_machine_variants(machine);
    for (guint index = 0; index < variants; index++) {
        berth_probe_clear(probe);
        if (!berth_probe_run(machine, index, BERTH_ACCEL_KVM, host->limit_msec, probe, error))
            return false;
        *ret_index = index;
        if (probe->kind != BERTH_PROBE_REFUSED)
            return true;
    }
    *ret_index = variants;
    return true;
}

/* Boot the kernel briefly under KVM. If that fails, boot it under TCG as the control: KVM is to
 * blame only if the guest runs there. False with @error when the probe could not run or QEMU
 * refuses both. */
static bool probe_accel(const BerthAccelHost *host, const BerthMachine *machine,
                        const char *cache_dir, Verdict *ret_verdict, GError **error)
{
    guint index = 0;
    BerthEmulatorAnswer control = {.proven = true};
    g_auto(BerthProbe) probe = {0};
    if (!probe_kvm(host, machine, &index, &probe, error))
        return false;
    if (probe.kind != BERTH_PROBE_WORKS) {
        if (!berth_emulator_find(machine, host->emulation_limit_msec, cache_dir, &control, error)) {
            g_prefix_error(error, "KVM does not work here (%s), and ", probe.reason);
            return false;
        }
        if (index < control.variant) { /* otherwise KVM has been tried with this variant */
            index = control.variant;
            berth_probe_clear(&probe);
            if (!berth_probe_run(machine, index, BERTH_ACCEL_KVM, host->limit_msec, &probe, error))
                return false;
        }
    }
    bool works = probe.kind == BERTH_PROBE_WORKS;
    *ret_verdict = (Verdict){.kind = works ? VERDICT_WORKS : VERDICT_FAILS,
                             .inconclusive = !works && !control.proven,
                             .variant = works ? index : control.variant,
                             .reason = g_steal_pointer(&probe.reason),
                             .hint = hint_fails};
    return true;
}

/* The verdict for @machine, from the cache if valid. */
static bool find_verdict(const BerthAccelHost *host, const BerthMachine *machine,
                         const char *cache_dir, Verdict *ret_verdict, bool *ret_fresh,
                         GError **error)
{
    g_autofree char *path = cache_dir != NULL ? cache_path(host, machine, cache_dir, error) : NULL;
    if (cache_dir != NULL && path == NULL)
        return false;
    g_auto(Verdict) known = {.kind = VERDICTS};
    if (path != NULL)
        load_verdict(path, berth_machine_variants(machine), &known);

    *ret_fresh = true;
    if (!open_device(host->kvm, ret_verdict)) {
        *ret_fresh =
            known.kind != VERDICT_CLOSED || !g_str_equal(known.reason, ret_verdict->reason);
    } else if (known.kind == VERDICT_WORKS || known.kind == VERDICT_FAILS) {
        *ret_verdict = known;
        known.reason = NULL;
        *ret_fresh = false;
    } else if (!probe_accel(host, machine, cache_dir, ret_verdict, error)) {
        return false;
    }

    if (*ret_fresh && path != NULL && !ret_verdict->inconclusive)
        save_verdict(path, ret_verdict);
    return true;
}

/* Select TCG and a variant that its emulator accepts. A machine without alternatives needs no
 * probe. */
static bool use_tcg(const BerthAccelHost *host, BerthMachine *machine, const char *cache_dir,
                    char **ret_notice, GError **error)
{
    BerthEmulatorAnswer answer = {.proven = true};
    if (berth_machine_variants(machine) > 1 &&
        !berth_emulator_find(machine, host->emulation_limit_msec, cache_dir, &answer, error))
        return false;
    if (answer.fresh && !answer.proven)
        *ret_notice = g_strdup("a trial of the kernel under software emulation did not reach user "
                               "space; starting the distro anyway");
    machine->accel = BERTH_ACCEL_TCG;
    berth_tsc_add_argument(machine);
    return berth_machine_settle(machine, answer.variant, error);
}

bool berth_accel_resolve_on(const BerthAccelHost *host, BerthMachine *machine,
                            const char *cache_dir, char **ret_notice, GError **error)
{
    *ret_notice = NULL;
    if (machine->accel == BERTH_ACCEL_TCG)
        return use_tcg(host, machine, cache_dir, ret_notice, error);
    if (!berth_qemu_check(machine, error))
        return false;

    g_auto(Verdict) verdict = {.kind = VERDICTS};
    bool fresh = false;
    if (!find_verdict(host, machine, cache_dir, &verdict, &fresh, error))
        return false;

    if (verdict.kind == VERDICT_WORKS) {
        machine->accel = BERTH_ACCEL_KVM;
        return berth_machine_settle(machine, verdict.variant, error);
    }
    if (machine->accel == BERTH_ACCEL_KVM) {
        berth_error_set(error, BERTH_ERROR_NO_KVM, "accel.kvm-unusable", verdict.hint,
                        "KVM does not work here: %s", verdict.reason);
        return false;
    }
    g_autofree char *trial = NULL;
    if (!use_tcg(host, machine, cache_dir, &trial, error))
        return false;
    if (fresh)
        *ret_notice =
            g_strdup_printf("KVM does not work here (%s); using slower software emulation%s%s",
                            verdict.reason, trial != NULL ? "\n" : "", trial != NULL ? trial : "");
    else
        *ret_notice = g_steal_pointer(&trial);
    return true;
}

bool berth_accel_resolve(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                         GError **error)
{
    return berth_accel_resolve_on(&this_host, machine, cache_dir, ret_notice, error);
}

void berth_accel_report_clear(BerthAccelReport *report)
{
    g_clear_pointer(&report->reason, g_free);
}

/* Whether TCG can be used without a probe; a machine without alternatives needs none. */
static bool knows_tcg(const BerthMachine *machine, const char *cache_dir)
{
    return berth_machine_variants(machine) <= 1 || berth_emulator_is_known(machine, cache_dir);
}

bool berth_accel_look(const BerthMachine *machine, const char *cache_dir,
                      BerthAccelReport *ret_report, GError **error)
{
    *ret_report = (BerthAccelReport){.known = knows_tcg(machine, cache_dir)};
    if (machine->accel == BERTH_ACCEL_TCG)
        return true;
    g_autofree char *path = cache_path(&this_host, machine, cache_dir, error);
    if (path == NULL)
        return false;
    g_auto(Verdict) verdict = {.kind = VERDICTS};
    if (open_device(this_host.kvm, &verdict))
        load_verdict(path, berth_machine_variants(machine), &verdict);
    if (verdict.kind == VERDICT_WORKS || verdict.kind == VERDICTS)
        ret_report->known = verdict.kind == VERDICT_WORKS;
    ret_report->reason = g_steal_pointer(&verdict.reason);
    ret_report->hint = verdict.kind == VERDICT_CLOSED ? verdict.hint : hint_nested;
    return true;
}

void berth_accel_forget(const char *cache_dir)
{
    berth_probe_forget(cache_dir, "accel");
    berth_emulator_forget(cache_dir);
}
