/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"
#include "base/error.h"
#include "base/fd.h"
#include "vmm/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A limit that no probe here reaches, however busy the machine is. */
#define NEVER_MSEC (3600 * 1000)

/* A fake host in a directory, with a shell script as QEMU. */
typedef struct {
    char *dir;
    char *cache;
    char *device;
    char *processor;
    char *boot_id;
    BerthAccelHost host;
    BerthMachine *machine;
} Fixture;

/* A QEMU that runs @emulated with -accel tcg and @script otherwise. Each start of the latter
 * appends a byte to "starts". */
static void set_qemus(Fixture *fixture, const char *script, const char *emulated)
{
    g_autofree char *text = g_strdup_printf("#!/bin/sh\ncase \"$*\" in *'-accel tcg'*)\n%s\nexit;; "
                                            "esac\nprintf x >>%s/starts\n%s\n",
                                            emulated, fixture->dir, script);
    g_free(fixture->machine->emulator);
    fixture->machine->emulator = files_make_script(fixture->dir, "qemu", text);
}

static void set_qemu(Fixture *fixture, const char *script)
{
    set_qemus(fixture, script, "echo BERTH-PROBE-OK >&6");
}

static gsize starts(Fixture *fixture)
{
    g_autofree char *path = g_build_filename(fixture->dir, "starts", NULL);
    GStatBuf info;
    return g_stat(path, &info) == 0 ? (gsize)info.st_size : 0;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->dir = g_dir_make_tmp("berth-accel-XXXXXX", NULL);
    g_assert_nonnull(fixture->dir);
    fixture->cache = g_build_filename(fixture->dir, "cache", NULL);
    fixture->device = files_make(fixture->dir, "kvm");
    fixture->processor = files_make(fixture->dir, "cpuinfo");
    files_write(fixture->processor, "processor : 0\nmodel name : Test CPU\ncpu MHz : 1\n");
    fixture->boot_id = files_make(fixture->dir, "boot_id");
    fixture->host = (BerthAccelHost){.kvm = fixture->device,
                                     .processor = fixture->processor,
                                     .boot_id = fixture->boot_id,
                                     .limit_msec = NEVER_MSEC,
                                     .emulation_limit_msec = NEVER_MSEC};

    g_autoptr(GError) error = NULL;
    fixture->machine = berth_machine_from_text("[machine]\nname=debian\ntype=microvm\n", &error);
    g_assert_no_error(error);
    fixture->machine->kernel = files_make(fixture->dir, "vmlinux");
    fixture->machine->initramfs = files_make(fixture->dir, "initramfs");
    fixture->machine->disk = files_make(fixture->dir, "disk");
    set_qemu(fixture, "echo BERTH-PROBE-OK >&6");
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    files_remove(fixture->dir);
    g_free(fixture->dir);
    g_free(fixture->cache);
    g_free(fixture->device);
    g_free(fixture->processor);
    g_free(fixture->boot_id);
    berth_machine_free(fixture->machine);
}

/* Resolve AUTO; returns the notice, or NULL. */
static char *resolve(Fixture *fixture, BerthAccel expected)
{
    char *notice = NULL;
    g_autoptr(GError) error = NULL;
    fixture->machine->accel = BERTH_ACCEL_AUTO;
    berth_accel_resolve_on(&fixture->host, fixture->machine, fixture->cache, &notice, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fixture->machine->accel, ==, expected);
    return notice;
}

static void expect_notice(Fixture *fixture, const char *reason)
{
    g_autofree char *notice = resolve(fixture, BERTH_ACCEL_TCG);
    g_autofree char *expected =
        g_strdup_printf("KVM does not work here (%s); using slower software emulation", reason);
    g_assert_cmpstr(notice, ==, expected);
}

static void expect_quiet(Fixture *fixture, BerthAccel expected)
{
    g_autofree char *notice = resolve(fixture, expected);
    g_assert_cmpstr(notice, ==, NULL);
}

static void test_marker_proves_kvm_once(Fixture *fixture, gconstpointer data)
{
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    g_assert_cmpuint(starts(fixture), ==, 1);
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    g_assert_cmpuint(starts(fixture), ==, 1);
}

/* At the end of much else, where it falls into two reads of 1024 bytes. */
static void test_marker_need_not_be_alone(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "(head -c 5113 /dev/zero; echo BERTH-PROBE-OKb) >&6; exec sleep 60");
    expect_quiet(fixture, BERTH_ACCEL_KVM);
}

static void test_abort_is_reported_once(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "echo 'qemu: error: failed to set MSR 0x10a to 0x0' >&2\n"
                      "echo \"qemu: kvm.c:1: kvm_buf_set_msrs: Assertion \\`ret' failed.\" >&2\n"
                      "kill -ABRT $$");
    expect_notice(fixture, "QEMU stopped: failed to set MSR 0x10a to 0x0");
    expect_quiet(fixture, BERTH_ACCEL_TCG);
    g_assert_cmpuint(starts(fixture), ==, 1);
}

static void test_killed_without_output(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "kill -SEGV $$");
    expect_notice(fixture, "QEMU was killed by signal 11");
}

static void test_end_without_marker(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "echo BERTH-PROBE-NO >&6");
    expect_notice(fixture, "the guest stopped before it reached user space");
}

/* The limit holds for a silent guest and for one that never stops writing, and kills QEMU. */
static void test_hang_times_out(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, data);
    fixture->host.limit_msec = 300;
    expect_notice(fixture, "the guest did not start within 0.3 seconds");
    g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
    g_assert_cmpint(errno, ==, ECHILD);
}

/* A process that outlives QEMU and holds its console open must not block us: it ends only when we
 * close the fifo, which has a writer until then. */
static void test_surviving_child_is_killed(Fixture *fixture, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(fixture->dir, "fifo", NULL);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    berth_autofd int writer = open(fifo, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(writer, >=, 0);
    g_autofree char *script =
        g_strdup_printf("exec 9<%s; read line <&9 & echo broken >&2; exit 1", fifo);
    set_qemu(fixture, script);
    expect_notice(fixture, "QEMU stopped: broken");
}

static void test_no_device(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(g_remove(fixture->device), ==, 0);
    g_autofree char *reason = g_strdup_printf("%s does not exist", fixture->device);
    expect_notice(fixture, reason);
    expect_quiet(fixture, BERTH_ACCEL_TCG);
    g_assert_cmpuint(starts(fixture), ==, 0);

    files_write(fixture->device, ""); /* the module was loaded */
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    g_assert_cmpuint(starts(fixture), ==, 1);
}

static void test_device_that_does_not_open(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(g_remove(fixture->device), ==, 0);
    g_assert_cmpint(g_mkdir(fixture->device, 0700), ==, 0);
    g_autofree char *reason =
        g_strdup_printf("%s cannot be opened: is a directory", fixture->device);
    expect_notice(fixture, reason);
    g_assert_cmpuint(starts(fixture), ==, 0);
}

static void demand_kvm(Fixture *fixture, const char *message)
{
    g_autofree char *notice = NULL;
    g_autoptr(GError) error = NULL;
    fixture->machine->accel = BERTH_ACCEL_KVM;
    g_assert_false(
        berth_accel_resolve_on(&fixture->host, fixture->machine, fixture->cache, &notice, &error));
    g_assert_true(berth_error_is(error, BERTH_ERROR_NO_KVM));
    g_assert_cmpstr(berth_error_id(error), ==, "accel.kvm-unusable");
    g_assert_cmpstr(error->message, ==, message);
    g_assert_nonnull(berth_error_hint(error));
    g_assert_null(notice);
}

static void test_demanded_kvm_fails(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "echo no >&2; exit 1");
    demand_kvm(fixture, "KVM does not work here: QEMU stopped: no");
    demand_kvm(fixture, "KVM does not work here: QEMU stopped: no");
    g_assert_cmpuint(starts(fixture), ==, 1);

    g_assert_cmpint(g_remove(fixture->device), ==, 0);
    g_autofree char *message =
        g_strdup_printf("KVM does not work here: %s does not exist", fixture->device);
    demand_kvm(fixture, message);
}

static void test_demanded_kvm_works(Fixture *fixture, gconstpointer data)
{
    g_autofree char *notice = NULL;
    g_autoptr(GError) error = NULL;
    fixture->machine->accel = BERTH_ACCEL_KVM;
    berth_accel_resolve_on(&fixture->host, fixture->machine, NULL, &notice, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fixture->machine->accel, ==, BERTH_ACCEL_KVM);
    g_assert_cmpuint(starts(fixture), ==, 1);
    g_assert_false(g_file_test(fixture->cache, G_FILE_TEST_EXISTS));
}

static void test_tcg_is_not_probed(Fixture *fixture, gconstpointer data)
{
    g_autofree char *notice = NULL;
    g_autoptr(GError) error = NULL;
    fixture->machine->accel = BERTH_ACCEL_TCG;
    g_assert_cmpint(g_remove(fixture->machine->kernel), ==, 0);
    g_assert_true(
        berth_accel_resolve_on(&fixture->host, fixture->machine, fixture->cache, &notice, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(starts(fixture), ==, 0);
}

/* TCG guests need the TSC frequency; KVM provides it itself. */
static void test_tcg_gets_the_tsc_rate(Fixture *fixture, gconstpointer data)
{
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    g_assert_cmpuint(g_strv_length(fixture->machine->tcg_kernel_arguments), ==, 0);

    g_assert_cmpint(g_remove(fixture->device), ==, 0);
    g_strfreev(fixture->machine->tcg_kernel_arguments);
    fixture->machine->tcg_kernel_arguments = g_strsplit("tsc=reliable", ";", -1);
    g_autofree char *notice = resolve(fixture, BERTH_ACCEL_TCG);
    g_assert_nonnull(notice);
    char **arguments = fixture->machine->tcg_kernel_arguments;
    g_assert_cmpuint(g_strv_length(arguments), ==, 2);
    g_assert_cmpstr(arguments[0], ==, "tsc=reliable");
    g_assert_true(g_str_has_prefix(arguments[1], "tsc_early_khz="));
    guint64 khz = g_ascii_strtoull(arguments[1] + strlen("tsc_early_khz="), NULL, 10);
    g_assert_cmpuint(khz, >, 500000);
    g_assert_cmpuint(khz, <, 10000000);
}

/* An input of the verdict changed: probe again. */
static void test_verdict_is_keyed_by_its_inputs(Fixture *fixture, gconstpointer data)
{
    const char *parts[] = {fixture->machine->kernel, fixture->processor, fixture->boot_id};
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        files_write(parts[i], "model name : another\n");
        expect_quiet(fixture, BERTH_ACCEL_KVM);
        g_assert_cmpuint(starts(fixture), ==, i + 2);
    }
    files_write(fixture->processor, "cpu MHz : 2\nmodel name : another\n");
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    g_assert_cmpuint(starts(fixture), ==, 4);

    set_qemu(fixture, "echo upgraded and broken >&2; exit 1");
    expect_notice(fixture, "QEMU stopped: upgraded and broken");
}

static void test_corrupt_cache_is_ignored(Fixture *fixture, gconstpointer data)
{
    static const char *const texts[] = {
        "",
        "works",
        "works\n",
        "works\n0\n",
        "works\n1\n\n",
        "works\n\n\n",
        "works\n-1\n\n",
        "works\n0\nbut not\n",
        "fails\n0\n\n",
        "perhaps\n0\n\n",
        "fails\n0\nno\nmore\n",
        "fails\n0\n\xff\n",
        "closed\n0\nx",
    };
    g_autofree char *directory = g_build_filename(fixture->cache, "accel", NULL);
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_autofree char *path = g_build_filename(directory, g_dir_read_name(dir), NULL);
    g_assert_null(g_dir_read_name(dir)); /* no temporary file left */

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        files_write(path, texts[i]);
        expect_quiet(fixture, BERTH_ACCEL_KVM);
        g_assert_cmpuint(starts(fixture), ==, i + 2);
    }
}

static void test_cache_that_cannot_be_written(Fixture *fixture, gconstpointer data)
{
    files_write(fixture->cache, "a file, not a directory");
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    g_assert_cmpuint(starts(fixture), ==, 2);
}

static void test_nothing_to_probe_with(Fixture *fixture, gconstpointer data)
{
    g_autofree char *notice = NULL;
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(g_remove(fixture->machine->emulator), ==, 0);
    g_assert_false(
        berth_accel_resolve_on(&fixture->host, fixture->machine, fixture->cache, &notice, &error));
    g_assert_true(berth_error_is(error, BERTH_ERROR_NOT_FOUND));
    g_assert_cmpstr(berth_error_id(error), ==, "machine.no-qemu");
}

/* The real QEMU accepts the probe's command line, and the marker arrives. Under TCG, since KVM may
 * be missing. */
static void test_real_guest_prints_the_marker(Fixture *fixture, gconstpointer data)
{
    g_free(fixture->machine->kernel);
    fixture->machine->kernel = g_strdup(g_getenv("BERTH_TEST_TINY_KERNEL"));
    set_qemu(fixture, "for word do shift; case $word in kvm) word=tcg;; host) word=max;; esac\n"
                      "set -- \"$@\" \"$word\"; done; exec qemu-system-x86_64 \"$@\"");
    g_strfreev(fixture->machine->options);
    fixture->machine->options = g_strsplit("acpi=on;firmware=qboot.rom", ";", -1);
    fixture->host.limit_msec = 30000;
    expect_quiet(fixture, BERTH_ACCEL_KVM);
}

/* The real host and QEMU with an invalid kernel: KVM is not blamed. */
static void test_this_host_refuses(Fixture *fixture, gconstpointer data)
{
    g_autofree char *notice = NULL;
    g_autoptr(GError) error = NULL;
    g_free(fixture->machine->emulator);
    fixture->machine->emulator = g_strdup("qemu-system-x86_64");
    fixture->host.limit_msec = fixture->host.emulation_limit_msec = 30000;
    g_assert_false(
        berth_accel_resolve_on(&fixture->host, fixture->machine, fixture->cache, &notice, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "vmm.qemu-refused");
    g_assert_nonnull(strstr(error->message, "kernel"));
    g_assert_null(notice);
}

/* The real host, whatever its device: the decision starts the guest. */
static void test_this_host_decides(Fixture *fixture, gconstpointer data)
{
    g_autofree char *notice = NULL;
    g_autoptr(GError) error = NULL;
    g_free(fixture->machine->kernel);
    fixture->machine->kernel = g_strdup(g_getenv("BERTH_TEST_TINY_KERNEL"));
    g_free(fixture->machine->emulator);
    fixture->machine->emulator = g_strdup("qemu-system-x86_64");
    berth_accel_resolve(fixture->machine, fixture->cache, &notice, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fixture->machine->accel, !=, BERTH_ACCEL_AUTO);
    g_assert_cmpint(fixture->machine->accel == BERTH_ACCEL_TCG, ==, notice != NULL);
    g_test_message("%s", notice != NULL ? notice : "KVM works here");
}

/* --- alternatives --- */

/* Fresh alternatives for another start: the last one settled them and added the TSC frequency. */
static void add_alternatives(Fixture *fixture)
{
    BerthMachine *machine = fixture->machine;
    g_strfreev(machine->options);
    machine->options = g_strsplit("firmware=good", ";", -1);
    g_free(machine->options_fallback);
    machine->options_fallback = g_strdup("firmware=plain");
    machine->monitor = BERTH_MONITOR_OBJECT;
    g_free(machine->monitor_fallback);
    machine->monitor_fallback = g_strdup("mon");
    g_strfreev(machine->tcg_kernel_arguments);
    machine->tcg_kernel_arguments = g_new0(char *, 1);
}

static void expect_settled(Fixture *fixture, const char *options, BerthMonitor monitor)
{
    g_assert_cmpuint(berth_machine_variants(fixture->machine), ==, 1);
    g_assert_cmpstr(fixture->machine->options[0], ==, options);
    g_assert_cmpuint(fixture->machine->monitor, ==, monitor);
}

#define REFUSE(word) "case \"$*\" in *" word "*) echo \"qemu: bad " word "\" >&2; exit 1;; esac\n"
#define BREAK(word)  "case \"$*\" in *" word "*) echo booting >&6; exit 1;; esac\n"
#define WORK         "echo BERTH-PROBE-OK >&6"

/* Options that QEMU refuses under KVM are skipped, and the probe goes on; cached. */
static void test_kvm_with_fallbacks(Fixture *fixture, gconstpointer data)
{
    set_qemus(fixture, REFUSE("monitor-qmp") REFUSE("firmware=good") WORK, "exit 1");
    for (guint i = 0; i < 2; i++) {
        add_alternatives(fixture);
        expect_quiet(fixture, BERTH_ACCEL_KVM);
        expect_settled(fixture, "firmware=plain", BERTH_MONITOR_MON);
        g_assert_cmpuint(starts(fixture), ==, 4);
    }
}

/* Nothing boots with the preferred options, as on Debian 13: TCG finds those that do. */
static void test_kvm_is_probed_with_the_bootable_variant(Fixture *fixture, gconstpointer data)
{
    set_qemus(fixture, BREAK("firmware=good") WORK, BREAK("firmware=good") WORK);
    add_alternatives(fixture);
    expect_quiet(fixture, BERTH_ACCEL_KVM);
    expect_settled(fixture, "firmware=plain", BERTH_MONITOR_OBJECT);
    g_assert_cmpuint(starts(fixture), ==, 2);
}

/* KVM fails with options that work under TCG: KVM is to blame, and TCG is used. */
static void test_kvm_fails_with_the_bootable_variant(Fixture *fixture, gconstpointer data)
{
    set_qemus(fixture, REFUSE("monitor-qmp") "kill -ABRT $$", REFUSE("monitor-qmp") WORK);
    for (guint i = 0; i < 2; i++) {
        add_alternatives(fixture);
        g_autofree char *notice = resolve(fixture, BERTH_ACCEL_TCG);
        g_assert_cmpint(notice != NULL, ==, i == 0);
        expect_settled(fixture, "firmware=good", BERTH_MONITOR_MON);
        g_assert_cmpuint(starts(fixture), ==, 2);
    }
}

#define BREAK_UNTIL_READY(dir) "[ -e " dir "/ready ] || { echo booting >&6; exit 1; }\n"

/* The guest runs under neither: KVM may be fine, and is probed again next time. */
static void test_failure_of_both_is_not_cached(Fixture *fixture, gconstpointer data)
{
    g_autofree char *script = g_strdup_printf(BREAK_UNTIL_READY("%s") WORK, fixture->dir);
    set_qemus(fixture, script, BREAK("."));
    for (guint i = 1; i <= 2; i++) {
        add_alternatives(fixture);
        expect_notice(fixture, "the guest stopped before it reached user space");
        g_assert_cmpuint(starts(fixture), ==, i);
    }
    g_autofree char *ready = files_make(fixture->dir, "ready");
    add_alternatives(fixture);
    expect_quiet(fixture, BERTH_ACCEL_KVM);
}

/* The notice about failed probes comes once. */
static void test_failed_probe_is_reported_once(Fixture *fixture, gconstpointer data)
{
    set_qemus(fixture, WORK, BREAK("."));
    for (guint i = 0; i < 2; i++) {
        g_autofree char *notice = NULL;
        g_autoptr(GError) error = NULL;
        add_alternatives(fixture);
        fixture->machine->accel = BERTH_ACCEL_TCG;
        berth_accel_resolve_on(&fixture->host, fixture->machine, fixture->cache, &notice, &error);
        g_assert_no_error(error);
        g_assert_cmpint(notice != NULL, ==, i == 0);
        expect_settled(fixture, "firmware=good", BERTH_MONITOR_OBJECT);
    }
}

/* A closed device adds a line of its own. */
static void test_failed_probe_without_kvm(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(g_remove(fixture->device), ==, 0);
    set_qemus(fixture, WORK, BREAK("."));
    add_alternatives(fixture);
    g_autofree char *notice = resolve(fixture, BERTH_ACCEL_TCG);
    g_auto(GStrv) lines = g_strsplit(notice, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
    g_assert_nonnull(strstr(lines[0], "does not exist"));
    g_assert_nonnull(strstr(lines[1], "did not reach user space"));
    add_alternatives(fixture);
    expect_quiet(fixture, BERTH_ACCEL_TCG);
}

/* An option that QEMU refuses with either accelerator is named, and no verdict on KVM is cached. */
static void test_rejected_option_does_not_disable_kvm(Fixture *fixture, gconstpointer data)
{
    set_qemus(fixture, REFUSE("virtio-rng"), REFUSE("virtio-rng"));
    const BerthAccel wanted[] = {BERTH_ACCEL_AUTO, BERTH_ACCEL_KVM, BERTH_ACCEL_TCG};
    for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_autofree char *notice = NULL;
        g_autoptr(GError) error = NULL;
        if (fixture->machine->options_fallback == NULL)
            add_alternatives(fixture);
        fixture->machine->accel = wanted[i];
        g_assert_false(berth_accel_resolve_on(&fixture->host, fixture->machine, fixture->cache,
                                              &notice, &error));
        g_assert_true(berth_error_is(error, BERTH_ERROR_FAILED));
        g_assert_cmpstr(berth_error_id(error), ==, "vmm.qemu-refused");
        g_assert_nonnull(berth_error_hint(error));
        g_assert_nonnull(strstr(error->message, "refuses the machine's options"));
        g_assert_nonnull(strstr(error->message, "bad virtio-rng"));
        g_assert_null(notice);
    }
    set_qemu(fixture, WORK); /* upgraded */
    expect_quiet(fixture, BERTH_ACCEL_KVM);
}

#define ADD(name, data, function)                                                                  \
    g_test_add("/vmm/accel/" name, Fixture, data, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("marker-proves-kvm-once", NULL, test_marker_proves_kvm_once);
    ADD("marker-need-not-be-alone", NULL, test_marker_need_not_be_alone);
    ADD("abort-is-reported-once", NULL, test_abort_is_reported_once);
    ADD("killed-without-output", NULL, test_killed_without_output);
    ADD("end-without-marker", NULL, test_end_without_marker);
    ADD("hang-times-out/silent", "exec sleep 60", test_hang_times_out);
    ADD("hang-times-out/talking", "exec cat /dev/zero >&6", test_hang_times_out);
    ADD("hang-times-out/complaining", "exec cat /dev/zero >&2", test_hang_times_out);
    ADD("hang-times-out/console-closed", "exec sleep 60 6>&-", test_hang_times_out);
    ADD("surviving-child-is-killed", NULL, test_surviving_child_is_killed);
    ADD("no-device", NULL, test_no_device);
    ADD("device-that-does-not-open", NULL, test_device_that_does_not_open);
    ADD("demanded-kvm-fails", NULL, test_demanded_kvm_fails);
    ADD("demanded-kvm-works", NULL, test_demanded_kvm_works);
    ADD("tcg-is-not-probed", NULL, test_tcg_is_not_probed);
    ADD("tcg-gets-the-tsc-rate", NULL, test_tcg_gets_the_tsc_rate);
    ADD("verdict-is-keyed-by-its-inputs", NULL, test_verdict_is_keyed_by_its_inputs);
    ADD("corrupt-cache-is-ignored", NULL, test_corrupt_cache_is_ignored);
    ADD("cache-that-cannot-be-written", NULL, test_cache_that_cannot_be_written);
    ADD("nothing-to-probe-with", NULL, test_nothing_to_probe_with);
    ADD("real-guest-prints-the-marker", NULL, test_real_guest_prints_the_marker);
    ADD("this-host-refuses", NULL, test_this_host_refuses);
    ADD("this-host-decides", NULL, test_this_host_decides);
    ADD("kvm-with-fallbacks", NULL, test_kvm_with_fallbacks);
    ADD("kvm-is-probed-with-the-bootable-variant", NULL,
        test_kvm_is_probed_with_the_bootable_variant);
    ADD("kvm-fails-with-the-bootable-variant", NULL, test_kvm_fails_with_the_bootable_variant);
    ADD("failure-of-both-is-not-cached", NULL, test_failure_of_both_is_not_cached);
    ADD("failed-probe-is-reported-once", NULL, test_failed_probe_is_reported_once);
    ADD("failed-probe-without-kvm", NULL, test_failed_probe_without_kvm);
    ADD("rejected-option-does-not-disable-kvm", NULL, test_rejected_option_does_not_disable_kvm);
    return g_test_run();
}
