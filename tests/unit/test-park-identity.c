/* SPDX-License-Identifier: MIT */
#include "../lib/files.h"
#include "base/error.h"
#include "base/fd.h"
#include "park/identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *directory;
    BerthMachine *machine;
    BerthParkIdentity before;
} Fixture;

static BerthParkIdentity identity_of(const BerthMachine *machine)
{
    BerthParkIdentity identity;
    g_autoptr(GError) error = NULL;
    berth_park_identity_read(machine, &identity, &error);
    g_assert_no_error(error);
    return identity;
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    static const BerthHost host = {
        .memory = G_GUINT64_CONSTANT(1) << 30, .cpus = 2, .kernel = "-", .initramfs = "-"};
    g_autoptr(BerthDistro) distro = berth_distro_new("box");
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    fixture->directory = g_dir_make_tmp("park-XXXXXX", NULL);
    distro->disk = files_make(fixture->directory, "disk");
    BerthMachine *machine =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", &error);
    g_assert_no_error(error);
    g_free(machine->kernel);
    g_free(machine->initramfs);
    g_free(machine->emulator);
    machine->kernel = files_make(fixture->directory, "kernel");
    machine->initramfs = files_make(fixture->directory, "initramfs");
    machine->emulator = files_make_script(fixture->directory, "qemu", "#!/bin/sh\n");
    machine->accel = BERTH_ACCEL_TCG;
    g_free(machine->cpu_tcg);
    machine->cpu_tcg = g_strdup("max");
    fixture->machine = machine;
    g_assert_true(berth_park_identity_settle(machine->disk, &error));
    g_assert_no_error(error);
    fixture->before = identity_of(machine);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    berth_machine_free(fixture->machine);
    files_remove(fixture->directory);
    g_free(fixture->directory);
}

static void assert_difference(Fixture *fixture, const char *expected)
{
    BerthParkIdentity now = identity_of(fixture->machine);
    g_assert_cmpstr(berth_park_identity_difference(&fixture->before, &now), ==, expected);
}

static void test_the_same(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(fixture->machine->disk, &text, NULL, NULL));
    assert_difference(fixture, NULL);
}

/* Of what does not matter to the memory. */
static void test_another_name_and_limits(Fixture *fixture, gconstpointer data)
{
    g_free(fixture->machine->name);
    fixture->machine->name = g_strdup("other");
    fixture->machine->stop_timeout_sec++;
    fixture->machine->ports = !fixture->machine->ports;
    assert_difference(fixture, NULL);
}

/* The same byte in the same place, and the time of the last write set back: still a write. */
static void test_disk_written(Fixture *fixture, gconstpointer data)
{
    struct stat st;
    g_assert_cmpint(stat(fixture->machine->disk, &st), ==, 0);
    berth_autofd int fd = open(fixture->machine->disk, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(pwrite(fd, "d", 1, 0), ==, 1);
    g_assert_cmpint(futimens(fd, (struct timespec[]){st.st_atim, st.st_mtim}), ==, 0);
    assert_difference(fixture, "its disk has changed");
}

static void test_disk_copied(Fixture *fixture, gconstpointer data)
{
    g_autofree char *copy = files_make(fixture->directory, "copy");
    files_write(copy, "disk");
    g_assert_cmpint(rename(copy, fixture->machine->disk), ==, 0);
    assert_difference(fixture, "its disk has changed");
}

static void test_settings(Fixture *fixture, gconstpointer data)
{
    fixture->machine->memory *= 2;
    assert_difference(fixture, "its settings have changed");
}

static void test_isolated(Fixture *fixture, gconstpointer data)
{
    fixture->machine->isolated = true;
    assert_difference(fixture, "its settings have changed");
}

static void test_qemu(Fixture *fixture, gconstpointer data)
{
    files_write(fixture->machine->emulator, "#!/bin/sh\nexit 1\n");
    g_assert_cmpint(chmod(fixture->machine->emulator, 0755), ==, 0);
    assert_difference(fixture, "QEMU has changed");
}

static void test_kernel_and_initramfs(Fixture *fixture, gconstpointer data)
{
    files_write(fixture->machine->kernel, "kernel"); /* the same one, written again */
    assert_difference(fixture, NULL);
    files_write(fixture->machine->kernel, "newer!");
    assert_difference(fixture, "berth's kernel has changed");
    files_write(fixture->machine->kernel, "kernel");
    files_write(fixture->machine->initramfs, "another");
    assert_difference(fixture, "berth's kernel has changed");
}

static void test_missing(Fixture *fixture, gconstpointer data)
{
    char **const files[] = {&fixture->machine->disk, &fixture->machine->kernel,
                            &fixture->machine->initramfs, &fixture->machine->emulator};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        BerthParkIdentity identity;
        g_autoptr(GError) error = NULL;
        g_autofree char *there = g_steal_pointer(files[i]);
        *files[i] = g_strconcat(there, "-missing", NULL);
        g_assert_false(berth_park_identity_read(fixture->machine, &identity, &error));
        g_assert_cmpstr(berth_error_id(error), ==, "park.identity.missing");
        g_free(*files[i]);
        *files[i] = g_steal_pointer(&there);
    }
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_park_identity_settle("/nonexistent", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "park.disk.missing");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"the-same", test_the_same},
        {"another-name-and-limits", test_another_name_and_limits},
        {"disk-written", test_disk_written},
        {"disk-copied", test_disk_copied},
        {"settings", test_settings},
        {"isolated", test_isolated},
        {"qemu", test_qemu},
        {"kernel-and-initramfs", test_kernel_and_initramfs},
        {"missing", test_missing},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/park/identity/", tests[i].name, NULL);
        g_test_add(path, Fixture, NULL, set_up, tests[i].test, tear_down);
    }
    return g_test_run();
}
