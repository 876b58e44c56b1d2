/* SPDX-License-Identifier: MIT */
#include "qemu_args.h"

#include "base/error.h"

#include <string.h>

#define MIB (G_GUINT64_CONSTANT(1) << 20)

/* Linux, x86: COMMAND_LINE_SIZE, including NUL. The kernel truncates silently. */
#define KERNEL_COMMAND_LINE_MAX 2048
#define CLOUD_SEED              "/run/berth/cloud" /* as in cmd/berth-guest/boot/cloud_init.h */

/* Appends arguments; the first error is sticky. */
typedef struct {
    GPtrArray *argv;
    GString *option;  /* the value under construction: "head,key=value,..." */
    const char *name; /* of the option, for messages */
    GError *error;
} Writer;

static void refuse(Writer *writer, const char *key, const char *value, const char *why)
{
    if (writer->error != NULL)
        return;
    g_autofree char *shown = g_strescape(value != NULL ? value : "", NULL);
    berth_error_set(&writer->error, BERTH_ERROR_INVALID, "machine.value",
                    "choose a name or path without such characters", "%s%s%s: \"%s\" %s",
                    writer->name, key != NULL ? " " : "", key != NULL ? key : "", shown, why);
}

/* Whether @value is fit for a command line and for messages. */
static bool check(Writer *writer, const char *key, const char *value)
{
    if (value == NULL || value[0] == '\0') {
        refuse(writer, key, value, "is empty");
        return false;
    }
    for (const char *at = value; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at)) {
            refuse(writer, key, value, "has a control character");
            return false;
        }
    }
    return true;
}

/* Finish the option under construction. */
static void flush(Writer *writer)
{
    if (writer->option == NULL)
        return;
    g_ptr_array_add(writer->argv, g_string_free(writer->option, FALSE));
    writer->option = NULL;
}

static void flag(Writer *writer, const char *name)
{
    flush(writer);
    writer->name = name;
    g_ptr_array_add(writer->argv, g_strdup(name));
}

/* Append an option with a verbatim value. */
static void literal(Writer *writer, const char *name, const char *value)
{
    flag(writer, name);
    if (check(writer, NULL, value))
        g_ptr_array_add(writer->argv, g_strdup(value));
}

/* QEMU splits values at commas; a doubled one is literal. */
static void append_escaped(GString *option, const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == ',')
            g_string_append_c(option, ',');
        g_string_append_c(option, *at);
    }
}

/* Append "key=value" to the current option. */
static void property(Writer *writer, const char *key, const char *value)
{
    if (!check(writer, key, value))
        return;
    if (writer->option->len > 0)
        g_string_append_c(writer->option, ',');
    g_string_append_printf(writer->option, "%s=", key);
    append_escaped(writer->option, value);
}

static void property_uint(Writer *writer, const char *key, guint value)
{
    g_autofree char *text = g_strdup_printf("%u", value);
    property(writer, key, text);
}

static bool is_key(const char *text, gsize length)
{
    return length > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") >= length;
}

/* Append @pair, a "key=value" of the machine template. */
static void property_pair(Writer *writer, const char *pair)
{
    const char *equals = strchr(pair, '=');
    if (equals == NULL || !is_key(pair, (gsize)(equals - pair))) {
        refuse(writer, NULL, pair, "is not KEY=VALUE");
        return;
    }
    g_autofree char *key = g_strndup(pair, (gsize)(equals - pair));
    property(writer, key, equals + 1);
}

/* Start an option with properties; @head (may be NULL) is the value of its implied first key,
 * always a constant. */
static void option(Writer *writer, const char *name, const char *head)
{
    flag(writer, name);
    writer->option = g_string_new(head);
}

static void socket_chardev(Writer *writer, const char *id, BerthQemuFd fd)
{
    option(writer, "-chardev", "socket");
    property(writer, "id", id);
    property_uint(writer, "fd", fd);
}

static void write_name(Writer *writer, const char *name)
{
    option(writer, "-name", NULL);
    property(writer, "guest", name);
    property(writer, "debug-threads", "on");
}

/* No QEMU configuration of the host, no default devices, no window. -no-reboot: a reset exits with
 * a SHUTDOWN event, and the keeper starts a new QEMU, so that a reboot picks up changes of the
 * host. */
static void write_base(Writer *writer)
{
    flag(writer, "-nodefaults");
    flag(writer, "-no-user-config");
    flag(writer, "-no-reboot");
    literal(writer, "-display", "none");
}

/* QEMU takes everything after the equals sign literally. */
static void write_global(Writer *writer, const char *global)
{
    const char *equals = strchr(global, '=');
    const char *dot = strchr(global, '.');
    if (equals == NULL || dot == NULL || dot > equals ||
        !is_key(global, (gsize)(equals - global))) {
        writer->name = "-global";
        refuse(writer, NULL, global, "is not DRIVER.PROPERTY=VALUE");
        return;
    }
    literal(writer, "-global", global);
}

static void write_machine(Writer *writer, const BerthMachine *machine)
{
    option(writer, "-machine", NULL);
    property(writer, "type", machine->type);
    property(writer, "memory-backend", "memory");
    for (char **pair = machine->options; pair != NULL && *pair != NULL; pair++)
        property_pair(writer, *pair);
    for (char **global = machine->globals; global != NULL && *global != NULL; global++)
        write_global(writer, *global);
}

static void write_accel(Writer *writer, BerthAccel accel, const char *options)
{
    option(writer, "-accel", berth_accel_word(accel));
    if (options == NULL)
        return;
    g_auto(GStrv) pairs = g_strsplit(options, ",", -1);
    for (char **pair = pairs; *pair != NULL; pair++)
        property_pair(writer, *pair);
}

static void write_processor(Writer *writer, const BerthMachine *machine, BerthAccel accel,
                            guint cpus)
{
    bool kvm = accel == BERTH_ACCEL_KVM;
    write_accel(writer, accel, kvm ? NULL : machine->tcg_options);
    /* Commas separate its flags. */
    literal(writer, "-cpu", kvm ? machine->cpu_kvm : machine->cpu_tcg);

    g_autofree char *count = g_strdup_printf("%u", cpus);
    literal(writer, "-smp", count);
}

/* A file that is not QEMU's own, so that it outlives QEMU, and shared, so that it has all that the
 * guest has written; unless the file is another guest's. */
static void write_memory(Writer *writer, guint64 memory, bool is_private)
{
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT "M", memory / MIB);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%u", BERTH_QEMU_FD_MEMORY);
    literal(writer, "-m", size);
    option(writer, "-object", "memory-backend-file");
    property(writer, "id", "memory");
    property(writer, "size", size);
    property(writer, "mem-path", path);
    property(writer, "share", is_private ? "off" : "on");
}

/* Limits a guest that has compromised QEMU: no new processes, no privilege changes. */
static void write_sandbox(Writer *writer)
{
    option(writer, "-sandbox", "on");
    property(writer, "obsolete", "deny");
    property(writer, "elevateprivileges", "deny");
    property(writer, "spawn", "deny");
    property(writer, "resourcecontrol", "deny");
}

/* Append @argument to the kernel's command line, quoted if it has a space
 * (Documentation/admin-guide/kernel-parameters.rst); a quote cannot be represented. */
static void append_kernel_argument(Writer *writer, GString *line, const char *argument)
{
    if (!check(writer, NULL, argument))
        return;
    if (strchr(argument, '"') != NULL)
        refuse(writer, NULL, argument, "has a quotation mark");
    const char *quote = strchr(argument, ' ') != NULL ? "\"" : "";
    g_string_append_printf(line, "%s%s%s%s", line->len > 0 ? " " : "", quote, argument, quote);
}

static void append_kernel_arguments(Writer *writer, GString *line, char **arguments)
{
    for (char **argument = arguments; argument != NULL && *argument != NULL; argument++)
        append_kernel_argument(writer, line, *argument);
}

/* The user's words, last, so that they win over ours. */
static void append_command_line(Writer *writer, GString *line, const char *words)
{
    if (words != NULL && words[0] != '\0' && check(writer, NULL, words))
        g_string_append_printf(line, " %s", words);
}

/* Without user-data cloud-init is disabled, or it would wait for a data source. With it, NoCloud
 * reads the seed directory that the guest has written and this line names, besides those on the
 * disk. berth configures the network itself. */
static void append_cloud(Writer *writer, GString *line, const char *id)
{
    if (id == NULL) {
        append_kernel_argument(writer, line, "cloud-init=disabled");
        return;
    }
    g_autofree char *source = g_strdup_printf("ds=nocloud;s=" CLOUD_SEED "/;i=%s", id);
    append_kernel_argument(writer, line, source);
    append_kernel_argument(writer, line, "network-config=disabled");
}

static void write_kernel(Writer *writer, const BerthMachine *machine, BerthAccel accel,
                         const char *extra)
{
    literal(writer, "-kernel", machine->kernel);
    literal(writer, "-initrd", machine->initramfs);

    flag(writer, "-append");
    g_autoptr(GString) line = g_string_new(NULL);
    append_kernel_arguments(writer, line, machine->kernel_arguments);
    append_cloud(writer, line, machine->cloud);
    if (accel == BERTH_ACCEL_TCG)
        append_kernel_arguments(writer, line, machine->tcg_kernel_arguments);
    if (extra != NULL)
        append_kernel_argument(writer, line, extra);
    else
        append_command_line(writer, line, machine->kernel_command_line);
    if (line->len >= KERNEL_COMMAND_LINE_MAX)
        refuse(writer, NULL, line->str, "is too long for the kernel");
    g_ptr_array_add(writer->argv, g_strdup(line->str));
}

static void write_qmp(Writer *writer, BerthMonitor monitor)
{
    socket_chardev(writer, "qmp", BERTH_QEMU_FD_QMP);
    if (monitor == BERTH_MONITOR_OBJECT) {
        option(writer, "-object", "monitor-qmp");
        property(writer, "id", "monitor");
        property(writer, "chardev", "qmp");
        return;
    }
    option(writer, "-mon", NULL);
    property(writer, "chardev", "qmp");
    property(writer, "mode", "control");
}

static void write_console(Writer *writer)
{
    socket_chardev(writer, "console", BERTH_QEMU_FD_CONSOLE);
    literal(writer, "-serial", "chardev:console");
}

/* The host's page cache is the write cache: write-cache=on makes the guest flush on fsync, which
 * QEMU turns into fdatasync of the image (cache.no-flush=off). Discards and zero writes punch
 * holes. werror=stop pauses the guest on any write error of the host (quota included, not only
 * ENOSPC) until the host accepts the write; a reported error would make the guest give up its file
 * system. A QEMU that takes a guest over has the host drop the disk's page cache (drop-cache), for
 * disks that another host wrote: that writes out a fresh copy, and what the guest reads next comes
 * from the medium. */
static void begin_root_disk(Writer *writer, const char *file_driver)
{
    option(writer, "-blockdev", NULL);
    property(writer, "driver", "raw");
    property(writer, "node-name", BERTH_QEMU_ROOT_NODE);
    property(writer, "discard", "unmap");
    property(writer, "detect-zeroes", "unmap");
    property(writer, "cache.direct", "off");
    property(writer, "cache.no-flush", "off");
    property(writer, "file.driver", file_driver);
}

/* With a queue for each processor. */
static void write_root_device(Writer *writer, guint cpus)
{
    option(writer, "-device", "virtio-blk-device");
    property(writer, "drive", BERTH_QEMU_ROOT_NODE);
    property_uint(writer, "num-queues", cpus);
    property(writer, "write-cache", "on");
    property(writer, "werror", "stop");
}

static void write_root_disk(Writer *writer, const char *path, guint cpus)
{
    begin_root_disk(writer, "file");
    property(writer, "file.discard", "unmap");
    property(writer, "file.drop-cache", "off");
    property(writer, "file.filename", path);
    write_root_device(writer, cpus);
}

/* The probe's root disk: empty, without a file. */
static void write_null_disk(Writer *writer, guint cpus)
{
    begin_root_disk(writer, "null-co");
    write_root_device(writer, cpus);
}

static void write_port(Writer *writer, const char *chardev, const char *name)
{
    option(writer, "-device", "virtserialport");
    property(writer, "chardev", chardev);
    property(writer, "name", name);
}

/* The driver reserves port 0 for a console, so our two ports need three. QEMU accepts the next
 * connection of the share's socket when the last one has ended. */
static void write_ports(Writer *writer)
{
    socket_chardev(writer, "agent", BERTH_QEMU_FD_AGENT);
    socket_chardev(writer, "share", BERTH_QEMU_FD_SHARE);
    property(writer, "server", "on");
    property(writer, "wait", "off");
    option(writer, "-device", "virtio-serial-device");
    property(writer, "max_ports", "3");
    write_port(writer, "agent", "org.berth.agent");
    property(writer, "id", "agent"); /* QEMU sends VSERPORT_CHANGE events for ports with an id */
    write_port(writer, "share", "org.berth.share");
}

static void write_network(Writer *writer, const char *mac, guint mtu)
{
    option(writer, "-netdev", "dgram");
    property(writer, "id", "net0");
    property(writer, "local.type", "fd");
    property_uint(writer, "local.str", BERTH_QEMU_FD_NET);

    option(writer, "-device", "virtio-net-device");
    property(writer, "netdev", "net0");
    property(writer, "mac", mac);
    property_uint(writer, "host_mtu", mtu);
}

/* Balloon with free page reporting: freed memory returns to the host. RNG: entropy from the
 * host. */
static void write_helpers(Writer *writer)
{
    option(writer, "-device", "virtio-balloon-device");
    property(writer, "free-page-reporting", "on");
    property(writer, "deflate-on-oom", "on");
    literal(writer, "-device", "virtio-rng-device");
}

static void begin(Writer *writer, const BerthMachine *machine)
{
    *writer = (Writer){.argv = g_ptr_array_new_with_free_func(g_free), .name = "emulator"};
    if (check(writer, NULL, machine->emulator))
        g_ptr_array_add(writer->argv, g_strdup(machine->emulator));
}

static char **finish(Writer *writer, GError **error)
{
    flush(writer);
    g_ptr_array_add(writer->argv, NULL);
    char **argv = (char **)g_ptr_array_free(writer->argv, FALSE);
    if (writer->error == NULL)
        return argv;

    g_strfreev(argv);
    g_propagate_error(error, writer->error);
    return NULL;
}

static void write_all(Writer *writer, const BerthMachine *machine, bool is_private)
{
    g_assert(machine->accel == BERTH_ACCEL_KVM || machine->accel == BERTH_ACCEL_TCG);
    begin(writer, machine);
    write_name(writer, machine->name);
    write_base(writer);
    write_machine(writer, machine);
    write_processor(writer, machine, machine->accel, machine->cpus);
    write_memory(writer, machine->memory, is_private);
    write_sandbox(writer);
    write_kernel(writer, machine, machine->accel, NULL);
    write_qmp(writer, machine->monitor);
    write_console(writer);
    write_root_disk(writer, machine->disk, machine->cpus);
    write_ports(writer);
    write_network(writer, machine->mac, machine->mtu);
    write_helpers(writer);
}

char **berth_qemu_args(const BerthMachine *machine, GError **error)
{
    Writer writer;
    write_all(&writer, machine, false);
    return finish(&writer, error);
}

static char **write_waking(const BerthMachine *machine, bool is_private, GError **error)
{
    Writer writer;
    write_all(&writer, machine, is_private);
    literal(&writer, "-incoming", "defer");
    return finish(&writer, error);
}

char **berth_qemu_args_waking(const BerthMachine *machine, GError **error)
{
    return write_waking(machine, false, error);
}

char **berth_qemu_args_cloned(const BerthMachine *machine, GError **error)
{
    return write_waking(machine, true, error);
}

char **berth_qemu_args_probe(const BerthMachine *machine, GError **error)
{
    g_assert(machine->accel == BERTH_ACCEL_KVM || machine->accel == BERTH_ACCEL_TCG);
    const guint cpus = 2; /* two, since bringing up a second processor can fail too */
    const guint64 memory = 256 * MIB;

    Writer writer;
    begin(&writer, machine);
    write_name(&writer, "probe");
    write_base(&writer);
    write_machine(&writer, machine);
    write_processor(&writer, machine, machine->accel, cpus);
    write_memory(&writer, memory, false);
    write_sandbox(&writer);
    write_kernel(&writer, machine, machine->accel, BERTH_QEMU_PROBE_ARGUMENT);
    write_qmp(&writer, machine->monitor);
    write_console(&writer);
    write_null_disk(&writer, cpus);
    write_ports(&writer);
    write_network(&writer, "52:54:00:00:00:00", machine->mtu);
    write_helpers(&writer);
    return finish(&writer, error);
}

static bool is_plain(const char *word)
{
    const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

char *berth_qemu_args_to_text(char **argv)
{
    GString *text = g_string_new(NULL);
    for (char **word = argv; *word != NULL; word++) {
        if (text->len > 0)
            g_string_append(text, (*word)[0] == '-' ? " \\\n    " : " ");
        g_autofree char *quoted = is_plain(*word) ? g_strdup(*word) : g_shell_quote(*word);
        g_string_append(text, quoted);
    }
    return g_string_free(text, FALSE);
}
