/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "vmm/qemu_args.h"

#include <string.h>

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define MIB (G_GUINT64_CONSTANT(1) << 20)

static void set(char **member, const char *value)
{
    g_free(*member);
    *member = g_strdup(value);
}

static void set_list(char ***member, const char *list)
{
    g_strfreev(*member);
    *member = g_strsplit(list, ";", -1);
}

/* A machine from the template of the tree, on a fixed host. */
static BerthMachine *debian(void)
{
    g_autofree char *path =
        g_build_filename(g_getenv("BERTH_TEST_SOURCE"), "templates/machines/x86_64.conf", NULL);
    g_autofree char *template = NULL;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(path, &template, NULL, &error);
    g_assert_no_error(error);

    g_autoptr(BerthDistro) distro = berth_distro_new("debian");
    set(&distro->id, "0123456789abcdef");
    set(&distro->disk, "/home/me/.local/share/berth/debian.ext4");
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    const BerthHost host = {.memory = 8 * GIB,
                            .cpus = 4,
                            .kernel = "/usr/lib/berth/vmlinux",
                            .initramfs = "/usr/lib/berth/initramfs",
                            .log = "/log",
                            .time_zone = "Europe/Berlin"};
    BerthMachine *machine = berth_machine_new(distro, settings, &host, template, &error);
    g_assert_no_error(error);
    machine->accel = BERTH_ACCEL_TCG;
    g_assert_cmpuint(berth_machine_variants(machine), ==, 4);
    return machine;
}

static void with_kvm(BerthMachine *machine)
{
    machine->accel = BERTH_ACCEL_KVM;
}

static void with_odd_paths(BerthMachine *machine)
{
    set(&machine->emulator, "/opt/my qemu/bin/qemu-system-x86_64");
    set(&machine->kernel, "/home/o'brien/kernel, the new one");
    set(&machine->initramfs, "/home/o'brien/init,ram=fs");
    set(&machine->disk, "/srv/a, b,readonly=on,/\"debian\" $HOME.ext4");
}

static void with_little(BerthMachine *machine)
{
    machine->cpus = 1;
    machine->memory = 128 * MIB + 4096;
    machine->mtu = 1500;
    set(&machine->tcg_options, NULL);
    set(&machine->emulator, "qemu-system-x86_64");
}

static void with_fallbacks(BerthMachine *machine)
{
    g_assert_true(berth_machine_settle(machine, 3, NULL));
}

static void with_spaced_kernel_argument(BerthMachine *machine)
{
    set_list(&machine->kernel_arguments, "quiet;dyndbg=file ext4.c +p");
}

/* The user's words come last, so that they win, and as they are. */
static void with_command_line(BerthMachine *machine)
{
    set(&machine->kernel_command_line, "loglevel=7 dyndbg=\"file ext4.c +p\" a,b=c");
}

static void with_user_data(BerthMachine *machine)
{
    set(&machine->cloud, "berth-0123456789abcdef");
}

/* Selects the probe's command line instead of the machine's. */
static void nothing(BerthMachine *machine)
{
}

typedef struct {
    const char *name;
    void (*change)(BerthMachine *machine);
    char **(*write)(const BerthMachine *machine, GError **error);
} Golden;

static const Golden goldens[] = {
    {"tcg", nothing, berth_qemu_args},
    {"kvm", with_kvm, berth_qemu_args},
    {"odd-paths", with_odd_paths, berth_qemu_args},
    {"small", with_little, berth_qemu_args},
    {"kernel-arguments", with_spaced_kernel_argument, berth_qemu_args},
    {"command-line", with_command_line, berth_qemu_args},
    {"user-data", with_user_data, berth_qemu_args},
    {"fallbacks", with_fallbacks, berth_qemu_args},
    {"waking", nothing, berth_qemu_args_waking},
    {"cloned", nothing, berth_qemu_args_cloned},
    {"probe", with_kvm, berth_qemu_args_probe},
};

static void test_golden(gconstpointer data)
{
    const Golden *golden = data;
    g_autoptr(BerthMachine) machine = debian();
    golden->change(machine);

    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = golden->write(machine, &error);
    g_assert_no_error(error);
    g_autofree char *text = berth_qemu_args_to_text(argv);
    g_autofree char *is = g_strconcat(text, "\n", NULL);

    g_autofree char *file = g_strconcat(golden->name, ".args", NULL);
    g_autofree char *path =
        g_build_filename(g_getenv("BERTH_TEST_SOURCE"), "tests/golden/qemu-args", file, NULL);
    if (g_getenv("BERTH_TEST_UPDATE") != NULL)
        g_file_set_contents(path, is, -1, &error);
    g_assert_no_error(error);

    g_autofree char *expected = NULL;
    g_file_get_contents(path, &expected, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(is, ==, expected);
}

/* A shell must parse the text back into the same vector. */
static void test_text_reads_back(gconstpointer data)
{
    const Golden *golden = data;
    g_autoptr(BerthMachine) machine = debian();
    golden->change(machine);

    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = golden->write(machine, &error);
    g_assert_no_error(error);
    g_autofree char *text = berth_qemu_args_to_text(argv);
    g_auto(GStrv) back = NULL;
    g_shell_parse_argv(text, NULL, &back, &error);
    g_assert_no_error(error);
    g_assert_true(g_strv_equal((const char *const *)argv, (const char *const *)back));
}

static const char *value_of(char **argv, const char *option, const char *prefix)
{
    for (char **word = argv; word[0] != NULL && word[1] != NULL; word++) {
        if (g_str_equal(word[0], option) && g_str_has_prefix(word[1], prefix))
            return word[1];
    }
    g_assert_not_reached();
}

/* No value can end its property and start another. */
static void test_commas_are_doubled(void)
{
    static const struct {
        const char *value, *written;
    } rows[] = {
        {"/a,b", "file.filename=/a,,b"},
        {"/a,,b", "file.filename=/a,,,,b"},
        {",", "file.filename=,,"},
        {"/a,read-only=on", "file.filename=/a,,read-only=on"},
        {"/a=b", "file.filename=/a=b"},
        {"{\"driver\": \"host_device\"}", "file.filename={\"driver\": \"host_device\"}"},
        {"nbd:localhost:1", "file.filename=nbd:localhost:1"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(BerthMachine) machine = debian();
        set(&machine->disk, rows[i].value);
        g_auto(GStrv) argv = berth_qemu_args(machine, NULL);
        g_assert_nonnull(argv);
        const char *written =
            strstr(value_of(argv, "-blockdev", "driver=raw,node-name=root"), "file.filename=");
        g_assert_cmpstr(written, ==, rows[i].written);
    }
}

static void refuse(BerthMachine *machine, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(berth_qemu_args(machine, &error));
    g_assert_true(berth_error_is(error, BERTH_ERROR_INVALID));
    g_assert_cmpstr(berth_error_id(error), ==, "machine.value");
    g_assert_cmpstr(error->message, ==, message);
    g_assert_nonnull(berth_error_hint(error));
}

#define MEMBER(member) offsetof(BerthMachine, member)
static const struct {
    size_t offset;
    const char *value, *message;
} bad_values[] = {
    {MEMBER(emulator), "", "emulator: \"\" is empty"},
    {MEMBER(emulator), "qemu\n-daemonize",
     "emulator: \"qemu\\n-daemonize\" has a control character"},
    {MEMBER(name), "a\nb", "-name guest: \"a\\nb\" has a control character"},
    {MEMBER(type), "micro\tvm", "-machine type: \"micro\\tvm\" has a control character"},
    {MEMBER(type), NULL, "-machine type: \"\" is empty"},
    {MEMBER(kernel), NULL, "-kernel: \"\" is empty"},
    {MEMBER(kernel), "/k\x7f", "-kernel: \"/k\\177\" has a control character"},
    {MEMBER(initramfs), "/i\r", "-initrd: \"/i\\r\" has a control character"},
    {MEMBER(disk), "/d\n/e", "-blockdev file.filename: \"/d\\n/e\" has a control character"},
    {MEMBER(disk), NULL, "-blockdev file.filename: \"\" is empty"},
    {MEMBER(mac), "52:54\n", "-device mac: \"52:54\\n\" has a control character"},
    {MEMBER(cpu_tcg), "max\n", "-cpu: \"max\\n\" has a control character"},
    {MEMBER(kernel_command_line), "a\nb", "-append: \"a\\nb\" has a control character"},
    {MEMBER(tcg_options), "thread", "-accel: \"thread\" is not KEY=VALUE"},
    {MEMBER(tcg_options), "thread=multi,", "-accel: \"\" is not KEY=VALUE"},
};

static void test_values_that_no_option_accepts(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad_values); i++) {
        g_autoptr(BerthMachine) machine = debian();
        set(G_STRUCT_MEMBER_P(machine, bad_values[i].offset), bad_values[i].value);
        refuse(machine, bad_values[i].message);
    }
}

static const struct {
    size_t offset;
    const char *list, *message;
} bad_lists[] = {
    {MEMBER(options), "acpi", "-machine: \"acpi\" is not KEY=VALUE"},
    {MEMBER(options), "a,b=c", "-machine: \"a,b=c\" is not KEY=VALUE"},
    {MEMBER(options), "=on", "-machine: \"=on\" is not KEY=VALUE"},
    {MEMBER(options), "acpi=", "-machine acpi: \"\" is empty"},
    {MEMBER(globals), "force-legacy=off",
     "-global: \"force-legacy=off\" is not DRIVER.PROPERTY=VALUE"},
    {MEMBER(globals), "a=b.c", "-global: \"a=b.c\" is not DRIVER.PROPERTY=VALUE"},
    {MEMBER(globals), "driver=x,a.b=c", "-global: \"driver=x,a.b=c\" is not DRIVER.PROPERTY=VALUE"},
    {MEMBER(globals), "a.b=c\n", "-global: \"a.b=c\\n\" has a control character"},
    {MEMBER(kernel_arguments), "a=\"b", "-append: \"a=\\\"b\" has a quotation mark"},
    {MEMBER(kernel_arguments), "a\nb", "-append: \"a\\nb\" has a control character"},
    {MEMBER(kernel_arguments), "quiet;;ro", "-append: \"\" is empty"},
};

static void test_lists_that_no_option_accepts(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad_lists); i++) {
        g_autoptr(BerthMachine) machine = debian();
        set_list(G_STRUCT_MEMBER_P(machine, bad_lists[i].offset), bad_lists[i].list);
        refuse(machine, bad_lists[i].message);
    }
}

static void test_kernel_command_line_has_a_limit(void)
{
    g_autoptr(BerthMachine) machine = debian();
    const gsize own = strlen(" cloud-init=disabled");
    g_autofree char *longest = g_strnfill(2047 - own, 'a');
    set_list(&machine->kernel_arguments, longest);
    with_kvm(machine);
    g_auto(GStrv) argv = berth_qemu_args(machine, NULL);
    g_assert_nonnull(argv);

    g_autofree char *longer = g_strnfill(2048 - own, 'a');
    set_list(&machine->kernel_arguments, longer);
    g_autofree char *message =
        g_strdup_printf("-append: \"%s cloud-init=disabled\" is too long for the kernel", longer);
    refuse(machine, message);
}

static void test_undecided_accelerator(void)
{
    if (g_test_subprocess()) {
        g_autoptr(BerthMachine) machine = debian();
        machine->accel = BERTH_ACCEL_AUTO;
        berth_qemu_args(machine, NULL);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(goldens); i++) {
        g_autofree char *golden = g_strdup_printf("/vmm/qemu-args/golden/%s", goldens[i].name);
        g_test_add_data_func(golden, &goldens[i], test_golden);
        g_autofree char *back =
            g_strdup_printf("/vmm/qemu-args/text-reads-back/%s", goldens[i].name);
        g_test_add_data_func(back, &goldens[i], test_text_reads_back);
    }
    g_test_add_func("/vmm/qemu-args/commas-are-doubled", test_commas_are_doubled);
    g_test_add_func("/vmm/qemu-args/values-that-no-option-accepts",
                    test_values_that_no_option_accepts);
    g_test_add_func("/vmm/qemu-args/lists-that-no-option-accepts",
                    test_lists_that_no_option_accepts);
    g_test_add_func("/vmm/qemu-args/kernel-command-line-has-a-limit",
                    test_kernel_command_line_has_a_limit);
    g_test_add_func("/vmm/qemu-args/undecided-accelerator", test_undecided_accelerator);
    return g_test_run();
}
