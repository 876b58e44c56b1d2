/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include "base/error.h"
#include "base/size.h"
#include "share.h"

#include <string.h>

#define GROUP "machine"
#define MIB   (G_GUINT64_CONSTANT(1) << 20)

#define MEMORY_AUTO_MAX (8192 * MIB)

static const char *const accel_words[] = {"auto", "kvm", "tcg", NULL};

static const char *const monitor_words[] = {"mon", "monitor-qmp", NULL};

#define MEMBER(member) offsetof(BerthMachine, member)
static const BerthField machine_fields[] = {
    {"id", BERTH_FIELD_STRING, MEMBER(id)},
    {"number", BERTH_FIELD_UINT, MEMBER(slot), "0", 0, BERTH_DISTRO_SLOT_MAX},
    {"name", BERTH_FIELD_STRING, MEMBER(name)},
    {"hostname", BERTH_FIELD_STRING, MEMBER(hostname)},
    {"template", BERTH_FIELD_STRING, MEMBER(template)},
    {"owner", BERTH_FIELD_STRING, MEMBER(owner)},
    {"user", BERTH_FIELD_STRING, MEMBER(user)},
    {"time-zone", BERTH_FIELD_STRING, MEMBER(time_zone)},
    {"identity", BERTH_FIELD_STRING, MEMBER(identity)},
    {"account", BERTH_FIELD_STRING, MEMBER(account)},
    {"account-uid", BERTH_FIELD_UINT, MEMBER(account_uid)},
    {"oobe", BERTH_FIELD_BOOL, MEMBER(oobe)},
    {"rescue", BERTH_FIELD_BOOL, MEMBER(rescue)},
    {"cloud", BERTH_FIELD_STRING, MEMBER(cloud)},
    {"emulator", BERTH_FIELD_STRING, MEMBER(emulator)},
    {"type", BERTH_FIELD_STRING, MEMBER(type)},
    {"options", BERTH_FIELD_LIST, MEMBER(options)},
    {"options-fallback", BERTH_FIELD_STRING, MEMBER(options_fallback)},
    {"monitor", BERTH_FIELD_WORD, MEMBER(monitor), .words = monitor_words},
    {"monitor-fallback", BERTH_FIELD_STRING, MEMBER(monitor_fallback)},
    {"globals", BERTH_FIELD_LIST, MEMBER(globals)},
    {"accel", BERTH_FIELD_WORD, MEMBER(accel), .words = accel_words},
    {"cpu-kvm", BERTH_FIELD_STRING, MEMBER(cpu_kvm), "host"},
    {"cpu-tcg", BERTH_FIELD_STRING, MEMBER(cpu_tcg), "max"},
    {"tcg-options", BERTH_FIELD_STRING, MEMBER(tcg_options)},
    {"kernel", BERTH_FIELD_STRING, MEMBER(kernel)},
    {"initramfs", BERTH_FIELD_STRING, MEMBER(initramfs)},
    {"digests", BERTH_FIELD_LIST, MEMBER(digests)},
    {"kernel-arguments", BERTH_FIELD_LIST, MEMBER(kernel_arguments)},
    {"tcg-kernel-arguments", BERTH_FIELD_LIST, MEMBER(tcg_kernel_arguments)},
    {"kernel-command-line", BERTH_FIELD_STRING, MEMBER(kernel_command_line)},
    {"cpus", BERTH_FIELD_UINT, MEMBER(cpus), "1", 1, 255},
    {"cpus-wanted", BERTH_FIELD_UINT, MEMBER(cpus_wanted), "0"},
    {"memory", BERTH_FIELD_SIZE, MEMBER(memory), "512M", 64 * MIB},
    {"memory-wanted", BERTH_FIELD_SIZE, MEMBER(memory_wanted), "0"},
    {"disk", BERTH_FIELD_STRING, MEMBER(disk)},
    {"mac", BERTH_FIELD_STRING, MEMBER(mac)},
    {"mtu", BERTH_FIELD_UINT, MEMBER(mtu), "1500", 1280, 65520},
    {"ports", BERTH_FIELD_BOOL, MEMBER(ports)},
    {"resolv-conf", BERTH_FIELD_STRING, MEMBER(resolv_conf), "/etc/resolv.conf"},
    {"ports-ignore", BERTH_FIELD_STRING, MEMBER(ports_ignore)},
    {"ports-udp", BERTH_FIELD_STRING, MEMBER(ports_udp)},
    {"ports-notify", BERTH_FIELD_BOOL, MEMBER(ports_notify)},
    {"publish", BERTH_FIELD_STRING, MEMBER(publish)},
    {"forwards", BERTH_FIELD_STRING, MEMBER(forwards)},
    {"host-ports", BERTH_FIELD_STRING, MEMBER(host_ports)},
    {"host-allowed", BERTH_FIELD_STRING, MEMBER(host_allowed)},
    {"isolated", BERTH_FIELD_BOOL, MEMBER(isolated)},
    {"outbound", BERTH_FIELD_STRING, MEMBER(outbound)},
    {"owner-only", BERTH_FIELD_BOOL, MEMBER(owner_only)},
    {"shares", BERTH_FIELD_LIST, MEMBER(shares)},
    {"settings", BERTH_FIELD_STRING, MEMBER(settings)},
    {"log", BERTH_FIELD_STRING, MEMBER(log)},
    {"log-size", BERTH_FIELD_SIZE, MEMBER(log_size), "1M"},
    {"boot-timeout", BERTH_FIELD_UINT, MEMBER(boot_timeout_sec), "60"},
    {"init-timeout", BERTH_FIELD_UINT, MEMBER(init_timeout_sec), "60"},
    {"stop-timeout", BERTH_FIELD_UINT, MEMBER(stop_timeout_sec), "30"},
    {"idle", BERTH_FIELD_WORD, MEMBER(idle), "never", .words = berth_idle_words},
    {"idle-timeout", BERTH_FIELD_UINT, MEMBER(idle_timeout_sec), "60", 1},
    {"swap", BERTH_FIELD_SIZE, MEMBER(swap), "0"},
    {"park-after", BERTH_FIELD_UINT, MEMBER(park_after_sec), "0"},
    {"checkpoint", BERTH_FIELD_STRING, MEMBER(checkpoint)},
    {"data", BERTH_FIELD_STRING, MEMBER(data)},
    {NULL},
};

/* Keys that have an alternative. Bit N of a variant's index selects the fallback of the Nth of
 * them; the last key decides what boots (machine.h). */
static const struct {
    const char *key;
    size_t fallback; /* member, a string */
} alternatives[] = {
    {"monitor", MEMBER(monitor_fallback)},
    {"options", MEMBER(options_fallback)},
};

void berth_machine_free(BerthMachine *machine)
{
    if (machine == NULL)
        return;
    berth_fields_clear(machine_fields, machine);
    g_free(machine);
}

static BerthMachine *load(const char *text, const char *origin, const char *id, GError **error)
{
    g_autoptr(BerthMachine) machine = g_new0(BerthMachine, 1);
    berth_fields_init(machine_fields, machine);

    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) problem = NULL;
    if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, &problem)) {
        berth_error_set(error, BERTH_ERROR_INVALID, id, NULL, "%s: %s", origin, problem->message);
        return NULL;
    }
    if (!berth_fields_load(machine_fields, machine, file, GROUP, origin, error))
        return NULL;
    return g_steal_pointer(&machine);
}

static void replace(char **member, const char *value)
{
    g_free(*member);
    *member = g_strdup(value);
}

/* Locally administered (second-lowest bit of the first octet), the rest from the distro's id, so
 * that a distro keeps its address. Source: IEEE 802, 8.2. */
static char *mac_of(const char *id)
{
    guint64 bits = g_ascii_strtoull(id, NULL, 16);
    return g_strdup_printf("52:54:%02x:%02x:%02x:%02x", (guint)(bits >> 24) & 0xff,
                           (guint)(bits >> 16) & 0xff, (guint)(bits >> 8) & 0xff,
                           (guint)bits & 0xff);
}

/* The guest returns unused memory, so the default is generous; but its kernel uses 1.6 % of the
 * size for page descriptors from the start. */
static guint64 memory_of(guint64 wanted, const BerthHost *host)
{
    if (host->parked != NULL && host->parked->memory_wanted == wanted)
        return host->parked->memory;
    guint64 memory = wanted != 0 ? wanted : MIN(host->memory / 2, MEMORY_AUTO_MAX);
    if (host->memory != 0)
        memory = MIN(memory, host->memory);
    return MAX(memory / MIB * MIB, BERTH_SETTINGS_MEMORY_MIN);
}

static guint cpus_of(guint wanted, const BerthHost *host)
{
    if (host->parked != NULL && host->parked->cpus_wanted == wanted)
        return host->parked->cpus;
    return CLAMP(wanted != 0 ? MIN(wanted, host->cpus) : host->cpus, 1, 255);
}

static char *over_memory(const BerthSettings *settings, const BerthHost *host)
{
    guint64 given = memory_of(settings->memory, host);
    bool little = settings->memory != 0 && settings->memory < BERTH_SETTINGS_MEMORY_MIN;
    if (!little && (host->memory == 0 || settings->memory <= host->memory))
        return NULL;
    g_autofree char *wanted = berth_size_format(settings->memory);
    g_autofree char *all = berth_size_format(given);
    return g_strdup_printf("memory: %s is %s; the distro gets %s", wanted,
                           little ? "too little" : "more than this host has", all);
}

static char *over_cpus(const BerthSettings *settings, const BerthHost *host)
{
    guint given = cpus_of(settings->cpus, host);
    if (settings->cpus <= given)
        return NULL;
    return g_strdup_printf("cpus: %u is more than this host has; the distro gets %u",
                           settings->cpus, given);
}

char *berth_machine_over_ask(const BerthSettings *settings, const BerthHost *host, const char *key)
{
    static const struct {
        const char *key;
        char *(*describe)(const BerthSettings *settings, const BerthHost *host);
    } limited[] = {{"memory", over_memory}, {"cpus", over_cpus}};
    g_autoptr(GStrvBuilder) lines = g_strv_builder_new();
    for (gsize i = 0; i < G_N_ELEMENTS(limited); i++) {
        bool is_asked = key == NULL || g_str_equal(key, limited[i].key);
        g_autofree char *line = is_asked ? limited[i].describe(settings, host) : NULL;
        if (line != NULL)
            g_strv_builder_add(lines, line);
    }
    g_auto(GStrv) all = g_strv_builder_end(lines);
    return all[0] != NULL ? g_strjoinv("\n", all) : NULL;
}

bool berth_machine_access(const BerthMachine *machine, const char *allowed, BerthAccess *ret_access,
                          GError **error)
{
    *ret_access = (BerthAccess){.known = 1, .isolated = machine->isolated};
    const char *const ports[] = {machine->host_ports, allowed};
    for (gsize i = 0; i < G_N_ELEMENTS(ports); i++) {
        if (ports[i] == NULL || berth_access_add_ports(ret_access, ports[i], error))
            continue;
        g_prefix_error(error, "host-ports: ");
        return false;
    }
    if (machine->outbound == NULL ||
        berth_access_add_outbound(ret_access, machine->outbound, error))
        return true;
    g_prefix_error(error, "outbound: ");
    return false;
}

/* An isolated distro sees nothing of the host; one that is being rescued runs nothing that would.
 */
static char **shares_of(const BerthDistro *distro, const BerthSettings *settings,
                        const BerthHost *host)
{
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
    if (settings->share_home && !settings->isolated && host->home != NULL) {
        g_autoptr(BerthShare) home = berth_share_new(host->home, host->home, false);
        g_autofree char *text = berth_share_to_text(home);
        g_strv_builder_add(texts, text);
    }
    if (distro->shares != NULL && !settings->isolated)
        g_strv_builder_addv(texts, (const char **)distro->shares);
    return g_strv_builder_end(texts);
}

BerthMachine *berth_machine_new(const BerthDistro *distro, const BerthSettings *settings,
                                const BerthHost *host, const char *template_text, GError **error)
{
    g_autoptr(BerthMachine) machine =
        load(template_text, "machine template", "machine.template", error);
    if (machine == NULL)
        return NULL;

    replace(&machine->id, distro->id);
    machine->slot = distro->slot;
    replace(&machine->name, distro->name);
    replace(&machine->template, distro->template);
    g_free(machine->hostname);
    machine->hostname = berth_distro_hostname(distro->name);
    replace(&machine->time_zone, host->time_zone);
    replace(&machine->identity, distro->own_identity ? distro->id : NULL);
    replace(&machine->account, distro->account);
    machine->account_uid = distro->account_uid;
    machine->oobe = distro->oobe;

    if (settings->emulator != NULL)
        replace(&machine->emulator, settings->emulator);
    machine->accel = settings->accel;
    replace(&machine->kernel, settings->kernel != NULL ? settings->kernel : host->kernel);
    replace(&machine->initramfs, host->initramfs);
    replace(&machine->kernel_command_line, settings->kernel_command_line);

    machine->cpus = cpus_of(settings->cpus, host);
    machine->cpus_wanted = settings->cpus;
    machine->memory = memory_of(settings->memory, host);
    machine->memory_wanted = settings->memory;
    replace(&machine->disk, distro->disk);
    g_free(machine->mac);
    machine->mac = mac_of(distro->id);
    machine->mtu = settings->mtu;
    machine->ports = settings->ports;
    replace(&machine->resolv_conf, settings->resolv_conf);
    machine->ports_notify = settings->ports_notify;
    replace(&machine->ports_ignore, settings->ports_ignore);
    replace(&machine->ports_udp, settings->ports_udp);
    replace(&machine->publish, settings->publish);
    replace(&machine->forwards, distro->forwards);
    replace(&machine->host_ports, settings->host_ports);
    replace(&machine->host_allowed, distro->host_ports);
    machine->isolated = settings->isolated;
    replace(&machine->outbound, settings->outbound);
    machine->owner_only = settings->owner_only;
    g_strfreev(machine->shares);
    machine->shares = shares_of(distro, settings, host);

    replace(&machine->settings, host->settings);
    replace(&machine->log, host->log);
    machine->log_size = settings->log_size;
    machine->boot_timeout_sec = settings->boot_timeout_sec;
    machine->init_timeout_sec = settings->init_timeout_sec;
    machine->stop_timeout_sec = settings->stop_timeout_sec;
    machine->idle = settings->idle;
    machine->idle_timeout_sec = settings->idle_timeout_sec;
    machine->swap = settings->swap;
    machine->park_after_sec = settings->park_after_sec;
    replace(&machine->checkpoint, settings->checkpoint);
    replace(&machine->data, host->data);

    BerthAccess access = {0};
    if (!berth_machine_access(machine, machine->host_allowed, &access, error))
        return NULL;
    return g_steal_pointer(&machine);
}

BerthMachineSize berth_machine_size(const BerthMachine *machine)
{
    return (BerthMachineSize){machine->memory_wanted, machine->memory, machine->cpus_wanted,
                              machine->cpus};
}

void berth_machine_prefix6(const char *id, guint8 ret_prefix[16])
{
    memset(ret_prefix, 0, 16);
    ret_prefix[0] = 0xfd;
    for (gsize i = 0; i < 10 && id[i] != '\0'; i++)
        ret_prefix[1 + i / 2] |=
            (guint8)((g_ascii_xdigit_value(id[i]) & 0xf) << (i % 2 == 0 ? 4 : 0));
}

/* Replace *@array by @read, taking ownership, unless it is NULL: the text was checked when it was
 * written. */
static void replace_array(GArray **array, GArray *read)
{
    if (read == NULL)
        return;
    g_array_unref(*array);
    *array = read;
}

BerthForwardPolicy *berth_machine_forward_policy(const BerthMachine *machine)
{
    BerthForwardPolicy *policy = berth_forward_policy_new();
    policy->automatic = machine->ports;
    policy->slot = machine->slot;
    berth_machine_prefix6(machine->id != NULL ? machine->id : "", policy->prefix);
    replace_array(&policy->ignore, berth_rule_parse_ports(machine->ports_ignore, NULL));
    replace_array(&policy->udp, berth_rule_parse_ports(machine->ports_udp, NULL));
    replace_array(&policy->rules, berth_rule_parse_list(machine->forwards, NULL));
    replace_array(&policy->publish, berth_rule_parse_list(machine->publish, NULL));
    return policy;
}

guint berth_machine_variants(const BerthMachine *machine)
{
    guint variants = 1;
    for (gsize i = 0; i < G_N_ELEMENTS(alternatives); i++) {
        if (G_STRUCT_MEMBER(char *, machine, alternatives[i].fallback) != NULL)
            variants *= 2;
    }
    return variants;
}

bool berth_machine_settle(BerthMachine *machine, guint index, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(alternatives); i++) {
        char **fallback = &G_STRUCT_MEMBER(char *, machine, alternatives[i].fallback);
        if (*fallback == NULL)
            continue;
        if (index % 2 != 0 &&
            !berth_field_parse(berth_field_find(machine_fields, alternatives[i].key), machine,
                               *fallback, error))
            return false;
        g_clear_pointer(fallback, g_free);
        index /= 2;
    }
    return true;
}

BerthMachine *berth_machine_variant(const BerthMachine *machine, guint index, GError **error)
{
    g_autofree char *text = berth_machine_to_text(machine);
    g_autoptr(BerthMachine) variant = berth_machine_from_text(text, error);
    if (variant == NULL || !berth_machine_settle(variant, index, error))
        return NULL;
    return g_steal_pointer(&variant);
}

char *berth_machine_to_text(const BerthMachine *machine)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    berth_fields_save(machine_fields, machine, file, GROUP);
    return g_key_file_to_data(file, NULL, NULL);
}

BerthMachine *berth_machine_from_text(const char *text, GError **error)
{
    return load(text, "machine.conf", "config.syntax", error);
}

char *berth_machine_read_name(const char *path, guint *ret_slot)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return NULL;
    gint slot = g_key_file_get_integer(file, GROUP, "number", NULL);
    if (ret_slot != NULL)
        *ret_slot = (guint)MAX(slot, 0);
    return g_key_file_get_string(file, GROUP, "name", NULL);
}
