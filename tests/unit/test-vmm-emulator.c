/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"
#include "base/error.h"
#include "vmm/emulator.h"

#include <glib/gstdio.h>
#include <string.h>

/* A machine with alternatives, and a shell script as QEMU. */
typedef struct {
    char *dir;
    char *cache;
    BerthMachine *machine;
    guint limit_msec;
} Fixture;

/* Each start appends a byte to "starts". */
static void set_qemu(Fixture *fixture, const char *script)
{
    g_autofree char *text =
        g_strdup_printf("#!/bin/sh\nprintf x >>%s/starts\n%s\n", fixture->dir, script);
    g_free(fixture->machine->emulator);
    fixture->machine->emulator = files_make_script(fixture->dir, "qemu", text);
}

#define REFUSE(word) "case \"$*\" in *" word "*) echo \"qemu: bad " word "\" >&2; exit 1;; esac\n"
#define IGNORE(word) "case \"$*\" in *" word "*) exec sleep 60;; esac\n"
#define CRASH(word)  "case \"$*\" in *" word "*) kill -SEGV $$;; esac\n"
#define WORK         "echo BERTH-PROBE-OK >&6"

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    fixture->dir = g_dir_make_tmp("berth-emulator-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->cache = g_build_filename(fixture->dir, "cache", NULL);
    fixture->machine = berth_machine_from_text(
        "[machine]\nname=debian\ntype=microvm\n"
        "options=acpi=on;firmware=good\noptions-fallback=acpi=on;firmware=plain\n"
        "monitor=monitor-qmp\nmonitor-fallback=mon\n",
        &error);
    g_assert_no_error(error);
    fixture->machine->kernel = files_make(fixture->dir, "vmlinux");
    fixture->machine->initramfs = files_make(fixture->dir, "initramfs");
    fixture->limit_msec = 30000;
    set_qemu(fixture, WORK);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    files_remove(fixture->dir);
    g_free(fixture->dir);
    g_free(fixture->cache);
    berth_machine_free(fixture->machine);
}

static void expect_starts(Fixture *fixture, gsize starts)
{
    g_autofree char *path = g_build_filename(fixture->dir, "starts", NULL);
    GStatBuf info;
    g_assert_cmpuint(g_stat(path, &info) == 0 ? (gsize)info.st_size : 0, ==, starts);
}

/* Expect @variant after @starts starts of QEMU. */
static void expect_variant(Fixture *fixture, guint variant, gsize starts)
{
    g_autofree char *path = g_build_filename(fixture->dir, "starts", NULL);
    g_remove(path);
    BerthEmulatorAnswer found = {.variant = G_MAXUINT};
    g_autoptr(GError) error = NULL;
    berth_emulator_find(fixture->machine, fixture->limit_msec, fixture->cache, &found, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(found.variant, ==, variant);
    g_assert_cmpint(found.fresh, ==, starts > 0);
    expect_starts(fixture, starts);
}

static void test_preferred(Fixture *fixture, gconstpointer data)
{
    expect_variant(fixture, 0, 1);
    expect_variant(fixture, 0, 0);
}

/* Options QEMU refuses, the accepted variant, and the starts needed. */
static const struct {
    const char *name, *script;
    guint variant;
    gsize starts;
} refusals[] = {
    {"monitor", REFUSE("monitor-qmp") WORK, 1, 2},
    {"options", REFUSE("firmware=good") WORK, 2, 3},
    {"both", REFUSE("monitor-qmp") REFUSE("firmware=good") WORK, 3, 4},
};

static void test_refused(Fixture *fixture, gconstpointer data)
{
    gsize row = GPOINTER_TO_SIZE(data);
    set_qemu(fixture, refusals[row].script);
    expect_variant(fixture, refusals[row].variant, refusals[row].starts);
    expect_variant(fixture, refusals[row].variant, 0);
}

/* A guest that crashes shows that QEMU accepts the monitor: only the machine's options remain. */
static void test_crash(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, REFUSE("monitor-qmp") CRASH("firmware=good") WORK);
    expect_variant(fixture, 3, 3);
    expect_variant(fixture, 3, 0);
}

/* The limit must end the silent one, and leave the other enough time on a busy host. */
static void test_silence(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, IGNORE("firmware=good") WORK);
    BerthEmulatorAnswer found = {0};
    for (fixture->limit_msec = 500; !found.proven; fixture->limit_msec *= 2) {
        g_autoptr(GError) error = NULL;
        g_assert_cmpuint(fixture->limit_msec, <, 60000);
        berth_emulator_forget(fixture->cache);
        g_autofree char *path = g_build_filename(fixture->dir, "starts", NULL);
        g_remove(path);
        berth_emulator_find(fixture->machine, fixture->limit_msec, fixture->cache, &found, &error);
        g_assert_no_error(error);
    }
    expect_starts(fixture, 2);
    expect_variant(fixture, 2, 0);
}

static void test_forgotten(Fixture *fixture, gconstpointer data)
{
    berth_emulator_forget(fixture->cache); /* no cache yet */
    expect_variant(fixture, 0, 1);
    set_qemu(fixture, REFUSE("monitor-qmp") WORK);
    expect_variant(fixture, 1, 2);
    berth_emulator_forget(fixture->cache);
    expect_variant(fixture, 1, 2);
    expect_variant(fixture, 1, 0);
}

static char *answer_path(Fixture *fixture)
{
    g_autofree char *directory = g_build_filename(fixture->cache, "emulator", NULL);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_assert_nonnull(dir);
    char *path = g_build_filename(directory, g_dir_read_name(dir), NULL);
    g_assert_null(g_dir_read_name(dir)); /* no temporary file left */
    return path;
}

/* No variant runs, so the start will show the error. Cached until the next boot of the host. */
static void test_none_runs(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, REFUSE("monitor-qmp") "kill -SEGV $$");
    expect_variant(fixture, 1, 3);
    expect_variant(fixture, 1, 0);
    g_autofree char *path = answer_path(fixture);
    files_write(path, "1\nanother boot\n");
    expect_variant(fixture, 1, 3);

    BerthEmulatorAnswer answer = {.proven = true};
    g_assert_true(berth_emulator_find(fixture->machine, 1000, fixture->cache, &answer, NULL));
    g_assert_false(answer.proven);
}

/* A guest that wrote output before QEMU failed was not refused. */
static void test_guest_that_breaks(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, "echo 'Linux version' >&6; exit 1");
    expect_variant(fixture, 0, 2);
}

static void expect_refusal(Fixture *fixture, const char *words)
{
    BerthEmulatorAnswer answer = {0};
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_emulator_find(fixture->machine, fixture->limit_msec, fixture->cache,
                                       &answer, &error));
    g_assert_true(berth_error_is(error, BERTH_ERROR_FAILED));
    g_assert_cmpstr(berth_error_id(error), ==, "vmm.qemu-refused");
    g_assert_nonnull(berth_error_hint(error));
    g_autofree char *message = g_strdup_printf("%s refuses the machine's options: QEMU stopped%s",
                                               fixture->machine->emulator, words);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_all_refused(Fixture *fixture, gconstpointer data)
{
    set_qemu(fixture, REFUSE("monitor-qmp") REFUSE("virtio-rng"));
    expect_refusal(fixture, ": bad virtio-rng");
    set_qemu(fixture, "exit 3");
    expect_refusal(fixture, " with status 3");
    set_qemu(fixture, WORK); /* repaired */
    expect_variant(fixture, 0, 1);
}

/* The answer depends on emulator, kernel and template only, not on the distro. */
static void test_answer_is_keyed_by_its_inputs(Fixture *fixture, gconstpointer data)
{
    BerthMachine *machine = fixture->machine;
    expect_variant(fixture, 0, 1);
    g_free(machine->name);
    machine->name = g_strdup("another");
    machine->cpus = 3;
    machine->memory *= 2;
    expect_variant(fixture, 0, 0);

    set_qemu(fixture, REFUSE("monitor-qmp") WORK);
    expect_variant(fixture, 1, 2);
    files_write(machine->kernel, "another kernel");
    expect_variant(fixture, 1, 2);
    g_strfreev(machine->globals);
    machine->globals = g_strsplit("a.b=c", ";", -1);
    expect_variant(fixture, 1, 2);
    g_free(machine->options_fallback);
    machine->options_fallback = g_strdup("acpi=off");
    expect_variant(fixture, 1, 2);
    g_clear_pointer(&machine->options_fallback, g_free);
    expect_variant(fixture, 1, 2);
    expect_variant(fixture, 1, 0);
}

static void test_corrupt_cache_is_ignored(Fixture *fixture, gconstpointer data)
{
    static const char *const texts[] = {"", "0", "4\n", "-1\n", "one\n", "0\n0\n", "\xff\n"};
    expect_variant(fixture, 0, 1);
    g_autofree char *path = answer_path(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        files_write(path, texts[i]);
        expect_variant(fixture, 0, 1);
    }
}

static void test_without_a_cache(Fixture *fixture, gconstpointer data)
{
    files_write(fixture->cache, "a file, not a directory");
    expect_variant(fixture, 0, 1);
    expect_variant(fixture, 0, 1);
    g_clear_pointer(&fixture->cache, g_free);
    expect_variant(fixture, 0, 1);
}

/* An invalid fallback is an error of the template. */
static void test_bad_fallback(Fixture *fixture, gconstpointer data)
{
    g_free(fixture->machine->monitor_fallback);
    fixture->machine->monitor_fallback = g_strdup("smoke signals");
    BerthEmulatorAnswer answer = {0};
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_emulator_find(fixture->machine, 1000, fixture->cache, &answer, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "config.value");
}

/* The real QEMU, of any version, and the template of the tree. */
static void test_real(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path =
        g_build_filename(g_getenv("BERTH_TEST_SOURCE"), "templates/machines/x86_64.conf", NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    berth_machine_free(fixture->machine);
    g_autoptr(GError) error = NULL;
    BerthMachine *machine = fixture->machine = berth_machine_from_text(text, &error);
    g_assert_no_error(error);
    machine->kernel = g_strdup(g_getenv("BERTH_TEST_TINY_KERNEL"));
    machine->initramfs = files_make(fixture->dir, "initramfs");

    BerthEmulatorAnswer answer = {0};
    berth_emulator_find(machine, fixture->limit_msec, fixture->cache, &answer, &error);
    g_assert_no_error(error);
    g_test_message("variant %u", answer.variant);
    machine->accel = BERTH_ACCEL_TCG;
    g_assert_true(berth_machine_settle(machine, answer.variant, &error));
    g_assert_cmpuint(berth_machine_variants(machine), ==, 1);
}

#define ADD(name, data, function)                                                                  \
    g_test_add("/vmm/emulator/" name, Fixture, data, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("preferred", NULL, test_preferred);
    for (gsize row = 0; row < G_N_ELEMENTS(refusals); row++) {
        g_autofree char *name = g_strdup_printf("/vmm/emulator/refused/%s", refusals[row].name);
        g_test_add(name, Fixture, GSIZE_TO_POINTER(row), set_up, test_refused, tear_down);
    }
    ADD("crash", NULL, test_crash);
    ADD("silence", NULL, test_silence);
    ADD("forgotten", NULL, test_forgotten);
    ADD("none-runs", NULL, test_none_runs);
    ADD("guest-that-breaks", NULL, test_guest_that_breaks);
    ADD("all-refused", NULL, test_all_refused);
    ADD("answer-is-keyed-by-its-inputs", NULL, test_answer_is_keyed_by_its_inputs);
    ADD("corrupt-cache-is-ignored", NULL, test_corrupt_cache_is_ignored);
    ADD("without-a-cache", NULL, test_without_a_cache);
    ADD("bad-fallback", NULL, test_bad_fallback);
    ADD("real", NULL, test_real);
    return g_test_run();
}
