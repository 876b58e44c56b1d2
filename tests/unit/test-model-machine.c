/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/machine.h"

#include <string.h>

#define GIB (G_GUINT64_CONSTANT(1) << 30)

static const BerthHost host = {.memory = 8 * GIB,
                               .cpus = 4,
                               .kernel = "/k",
                               .initramfs = "/i",
                               .log = "/log",
                               .time_zone = "Europe/Berlin"};

static BerthDistro *debian(void)
{
    BerthDistro *distro = berth_distro_new("Debian");
    distro->disk = g_strdup("/data/debian.ext4");
    return distro;
}

static void test_limits_by_precedence(void)
{
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);

    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
    g_assert_cmpuint(machine->memory, ==, 4 * GIB);
    g_assert_cmpuint(machine->cpus, ==, 4);
    g_assert_cmpstr(machine->hostname, ==, "debian");

    settings->memory = 2 * GIB;
    settings->cpus = 1;
    g_autoptr(BerthMachine) limited =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
    g_assert_cmpuint(limited->memory, ==, 2 * GIB);
    g_assert_cmpuint(limited->cpus, ==, 1);
    g_assert_cmpstr(limited->mac, ==, machine->mac);
}

static void test_memory_of_a_large_host_is_limited(void)
{
    BerthHost big = host;
    big.memory = 256 * GIB;
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &big, "[machine]\ntype=microvm\n", NULL);
    g_assert_cmpuint(machine->memory, ==, 8 * GIB);
}

/* Less than a distro boots with. */
static void test_too_little_memory(void)
{
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    settings->memory = 12;
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
    g_assert_cmpuint(machine->memory, ==, BERTH_SETTINGS_MEMORY_MIN);
    g_autofree char *line = berth_machine_over_ask(settings, &host, NULL);
    g_assert_cmpstr(line, ==, "memory: 12 B is too little; the distro gets 128 MiB");

    settings->memory = BERTH_SETTINGS_MEMORY_MIN - 1;
    g_autofree char *almost = berth_machine_over_ask(settings, &host, "memory");
    g_assert_nonnull(almost);
    g_assert_null(berth_machine_over_ask(settings, &host, "cpus"));

    settings->memory = BERTH_SETTINGS_MEMORY_MIN;
    g_assert_null(berth_machine_over_ask(settings, &host, NULL));
    settings->memory = 0; /* half of the host's */
    g_assert_null(berth_machine_over_ask(settings, &host, NULL));
}

static void test_no_more_than_the_host_has(void)
{
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    settings->memory = host.memory;
    settings->cpus = host.cpus;
    g_assert_null(berth_machine_over_ask(settings, &host, NULL));

    settings->memory = 64 * GIB + 1;
    settings->cpus = 5;
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
    g_assert_cmpuint(machine->memory, ==, host.memory);
    g_assert_cmpuint(machine->cpus, ==, host.cpus);
    g_autofree char *all = berth_machine_over_ask(settings, &host, NULL);
    g_assert_cmpstr(all, ==,
                    "memory: 64 GiB is more than this host has; the distro gets 8.0 GiB\n"
                    "cpus: 5 is more than this host has; the distro gets 4");
    g_autofree char *one = berth_machine_over_ask(settings, &host, "cpus");
    g_assert_cmpstr(one, ==, "cpus: 5 is more than this host has; the distro gets 4");
    g_assert_null(berth_machine_over_ask(settings, &host, "mtu"));
}

static void test_a_parked_guest_keeps_its_size(void)
{
    const BerthMachineSize size = {0, 3 * GIB, 9, 7};
    BerthHost parked = host;
    parked.parked = &size;
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    settings->cpus = 9;
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &parked, "[machine]\ntype=microvm\n", NULL);
    const BerthMachineSize kept = berth_machine_size(machine);
    g_assert_cmpuint(kept.memory, ==, 3 * GIB);
    g_assert_cmpuint(kept.memory_wanted, ==, 0);
    g_assert_cmpuint(kept.cpus, ==, 7);
    g_assert_cmpuint(kept.cpus_wanted, ==, 9);

    settings->cpus = 0;
    settings->memory = GIB;
    g_autoptr(BerthMachine) other =
        berth_machine_new(distro, settings, &parked, "[machine]\ntype=microvm\n", NULL);
    g_assert_cmpuint(other->memory, ==, GIB);
    g_assert_cmpuint(other->cpus, ==, host.cpus);
}

/* A host that does not say what it has limits nothing. */
static void test_an_unknown_host_limits_no_memory(void)
{
    BerthHost unknown = host;
    unknown.memory = 0;
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    settings->memory = 64 * GIB;
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &unknown, "[machine]\ntype=microvm\n", NULL);
    g_assert_cmpuint(machine->memory, ==, 64 * GIB);
    g_assert_null(berth_machine_over_ask(settings, &unknown, NULL));
}

static void test_network_of_its_own(void)
{
    static const guint8 expected[16] = {0xfd, 0x01, 0x23, 0xab, 0xcd, 0xef};
    guint8 prefix[16];
    berth_machine_prefix6("0123abcdef456789", prefix);
    g_assert_cmpmem(prefix, 16, expected, 16);
    berth_machine_prefix6("", prefix);
    g_assert_cmphex(prefix[0], ==, 0xfd);
    g_assert_cmphex(prefix[1], ==, 0);
}

static void test_policy_of_forwards(void)
{
    g_autoptr(BerthDistro) distro = debian();
    distro->slot = 3;
    distro->forwards = g_strdup("3000:80;5353:5353/udp");
    g_autoptr(BerthSettings) settings = berth_settings_new(
        NULL, "[berth]\nports-udp = 53, 54\npublish = \"0.0.0.0:80\", [::]:80\n", "c", NULL, NULL);
    g_autoptr(BerthMachine) made =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
    g_autofree char *text = berth_machine_to_text(made);
    g_autoptr(BerthMachine) machine = berth_machine_from_text(text, NULL);
    g_autoptr(BerthForwardPolicy) policy = berth_machine_forward_policy(machine);
    g_assert_true(policy->automatic);
    g_assert_cmpuint(policy->slot, ==, 3);
    g_assert_cmphex(policy->prefix[0], ==, 0xfd);
    g_assert_cmpuint(policy->ignore->len, ==, 6);
    g_assert_cmpuint(policy->udp->len, ==, 2);
    g_assert_cmpuint(policy->rules->len, ==, 2);
    g_assert_cmpuint(policy->publish->len, ==, 2);
    g_assert_true(machine->ports_notify);

    const char *const environment[] = {"BERTH_PORTS_IGNORE=", NULL}; /* all are forwarded */
    g_autoptr(BerthSettings) none = berth_settings_new(NULL, NULL, NULL, environment, NULL);
    g_assert_null(none->ports_ignore);
}

static void test_bad_template(void)
{
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(berth_machine_new(distro, settings, &host, "no group\n", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "machine.template");
}

static void test_text_and_back(void)
{
    g_autoptr(BerthDistro) distro = debian();
    g_autofree char *odd = g_strdup("/data/with space;semi\\colon,=\n/d.ext4");
    g_free(distro->disk);
    distro->disk = g_steal_pointer(&odd);
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &host, "[machine]\noptions=a=b;c=d\n", NULL);

    g_autofree char *text = berth_machine_to_text(machine);
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthMachine) back = berth_machine_from_text(text, &error);
    g_assert_no_error(error);
    g_autofree char *again = berth_machine_to_text(back);
    g_assert_cmpstr(text, ==, again);
    g_assert_cmpstr(back->disk, ==, machine->disk);
    g_assert_cmpuint(g_strv_length(back->options), ==, 2);
}

static void test_identity_of_a_clone(void)
{
    g_autoptr(BerthDistro) distro = debian();
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    for (guint own = 0; own < 2; own++) {
        distro->own_identity = own == 1;
        g_autoptr(BerthMachine) machine =
            berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
        g_assert_nonnull(machine);
        g_autofree char *text = berth_machine_to_text(machine);
        g_autoptr(BerthMachine) back = berth_machine_from_text(text, NULL);
        g_assert_cmpstr(back->identity, ==, own == 1 ? distro->id : NULL);
    }
}

static void test_account_of_the_user(void)
{
    g_autoptr(BerthDistro) distro = debian();
    distro->account = g_strdup("alice");
    distro->account_uid = 1001;
    distro->oobe = true;
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
    machine->rescue = true;
    g_autofree char *text = berth_machine_to_text(machine);
    g_autoptr(BerthMachine) back = berth_machine_from_text(text, NULL);
    g_assert_cmpstr(back->account, ==, "alice");
    g_assert_cmpuint(back->account_uid, ==, 1001);
    g_assert_true(back->oobe);
    g_assert_true(back->rescue);
}

static void check_resolv_conf(const char *setting, const char *expected)
{
    g_autoptr(BerthDistro) distro = berth_distro_new("debian");
    g_autofree char *variable =
        setting != NULL ? g_strconcat("BERTH_RESOLV_CONF=", setting, NULL) : NULL;
    const char *const environment[] = {variable, NULL};
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, environment, NULL);
    g_autoptr(BerthMachine) machine =
        berth_machine_new(distro, settings, &host, "[machine]\ntype=microvm\n", NULL);
    g_autofree char *text = berth_machine_to_text(machine);
    g_autoptr(BerthMachine) again = berth_machine_from_text(text, NULL);
    g_assert_cmpstr(again->resolv_conf, ==, expected);
}

static void test_resolv_conf(void)
{
    check_resolv_conf(NULL, "/etc/resolv.conf");
    check_resolv_conf("/run/vpn/resolv.conf", "/run/vpn/resolv.conf");
    check_resolv_conf("", NULL); /* no servers */
}

/* Every combination of preferred and fallback, in the order of the probes. */
static void test_variants(void)
{
    static const struct {
        const char *text;
        guint variants;
        const char *options[4];
        guint monitors[4];
    } rows[] = {
        {"options=a=b\nmonitor=monitor-qmp\n", 1, {"a=b"}, {BERTH_MONITOR_OBJECT}},
        {"monitor=monitor-qmp\nmonitor-fallback=mon\noptions=a=b\n",
         2,
         {"a=b", "a=b"},
         {BERTH_MONITOR_OBJECT, BERTH_MONITOR_MON}},
        {"options=a=b;c=d\noptions-fallback=c=d\n", 2, {"a=b;c=d", "c=d"}, {0, 0}},
        {"options=a=b\noptions-fallback=c=d\nmonitor=monitor-qmp\nmonitor-fallback=mon\n",
         4,
         {"a=b", "a=b", "c=d", "c=d"},
         {BERTH_MONITOR_OBJECT, BERTH_MONITOR_MON, BERTH_MONITOR_OBJECT, BERTH_MONITOR_MON}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strconcat("[machine]\n", rows[i].text, NULL);
        g_autoptr(BerthMachine) machine = berth_machine_from_text(text, NULL);
        g_assert_cmpuint(berth_machine_variants(machine), ==, rows[i].variants);
        for (guint index = 0; index < rows[i].variants; index++) {
            g_autoptr(BerthMachine) variant = berth_machine_variant(machine, index, NULL);
            g_autofree char *options = g_strjoinv(";", variant->options);
            g_assert_cmpstr(options, ==, rows[i].options[index]);
            g_assert_cmpuint(variant->monitor, ==, rows[i].monitors[index]);
            g_assert_cmpuint(berth_machine_variants(variant), ==, 1);
        }
        g_assert_cmpuint(berth_machine_variants(machine), ==, rows[i].variants);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/machine/limits-by-precedence", test_limits_by_precedence);
    g_test_add_func("/model/machine/too-little-memory", test_too_little_memory);
    g_test_add_func("/model/machine/no-more-than-the-host-has", test_no_more_than_the_host_has);
    g_test_add_func("/model/machine/a-parked-guest-keeps-its-size",
                    test_a_parked_guest_keeps_its_size);
    g_test_add_func("/model/machine/an-unknown-host-limits-no-memory",
                    test_an_unknown_host_limits_no_memory);
    g_test_add_func("/model/machine/memory-of-a-large-host-is-limited",
                    test_memory_of_a_large_host_is_limited);
    g_test_add_func("/model/machine/identity-of-a-clone", test_identity_of_a_clone);
    g_test_add_func("/model/machine/account-of-the-user", test_account_of_the_user);
    g_test_add_func("/model/machine/bad-template", test_bad_template);
    g_test_add_func("/model/machine/text-and-back", test_text_and_back);
    g_test_add_func("/model/machine/network-of-its-own", test_network_of_its_own);
    g_test_add_func("/model/machine/policy-of-forwards", test_policy_of_forwards);
    g_test_add_func("/model/machine/resolv-conf", test_resolv_conf);
    g_test_add_func("/model/machine/variants", test_variants);
    return g_test_run();
}
