/* SPDX-License-Identifier: MIT */
#include "model/forward.h"

#include "../lib/listening.h"

#include <errno.h>
#include <string.h>

/* "80:80 127.0.0.1>80 ::1>~40000 127.0.7.1>80; 53:53/udp ignored" */
static char *show(const GPtrArray *plan)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < plan->len; i++) {
        const BerthForward *forward = g_ptr_array_index(plan, i);
        g_autofree char *rule = berth_rule_format(&forward->rule);
        g_string_append_printf(text, "%s%s", i > 0 ? "; " : "", rule);
        if (forward->state == BERTH_FORWARD_IGNORED)
            g_string_append(text, " ignored");
        for (guint j = 0; j < BERTH_LEGS; j++) {
            const BerthLeg *leg = &forward->legs[j];
            if (leg->family == 0)
                continue;
            g_autofree char *host = berth_rule_address_text(leg->family, leg->host);
            g_autofree char *guest = berth_rule_address_text(leg->family, leg->guest);
            bool proxy = g_str_has_suffix(guest, "14"); /* shown as ">~" and its port */
            g_assert_cmpstr(guest, ==,
                            leg->family == 4 ? proxy ? "10.0.2.14" : "10.0.2.15"
                            : proxy          ? "fd01:203:405::14"
                                             : "fd01:203:405::15");
            g_assert_cmpuint(leg->host_port, ==, forward->rule.host_port);
            g_assert_cmpint(leg->state, ==, BERTH_FORWARD_WANTED);
            g_string_append_printf(text, " %s>%s%u", host, proxy ? "~" : "", leg->guest_port);
        }
        g_assert_true(forward->state != BERTH_FORWARD_IGNORED || forward->reason != NULL);
    }
    return g_string_free(text, FALSE);
}

static void check(const char *listeners, const BerthForwardPolicy *policy, const char *expected)
{
    g_autoptr(GPtrArray) list = listening(listeners);
    g_autoptr(GPtrArray) plan = berth_forward_plan(list, policy);
    g_autofree char *got = show(plan);
    g_assert_cmpstr(got, ==, expected);
}

static void test_legs_of_a_listener(void)
{
    static const struct {
        const char *listeners;
        const char *plan;
    } cases[] = {
        {"", ""},
        /* without proxy: only direct addresses */
        {"0.0.0.0:80", "80:80 127.0.0.1>80 127.0.7.1>80"},
        {"10.0.2.15:80", "80:80 127.0.0.1>80 127.0.7.1>80"},
        {"*:80", "80:80 127.0.0.1>80 ::1>80 127.0.7.1>80"},
        {"[::]:80", "80:80 ::1>80"},
        {"[fd01:203:405::15]:80", "80:80 ::1>80"},
        {"127.0.0.1:80", "80:80 ignored"},
        {"[::ffff:127.0.0.1]:80", "80:80 ignored"},
        {"[::1]:80", "80:80 ignored"},
        /* with proxy */
        {"0.0.0.0:80~40000", "80:80 127.0.0.1>80 ::1>~40000 127.0.7.1>80"},
        {"[::]:80~40000", "80:80 127.0.0.1>~40000 ::1>80 127.0.7.1>~40000"},
        {"127.0.0.1:80~40000", "80:80 127.0.0.1>~40000 ::1>~40000 127.0.7.1>~40000"},
        {"[::1]:80~40000", "80:80 127.0.0.1>~40000 ::1>~40000 127.0.7.1>~40000"},
        {"[::ffff:127.0.0.1]:80~40000", "80:80 127.0.0.1>~40000 ::1>~40000 127.0.7.1>~40000"},
        /* on other addresses */
        {"127.0.0.53:80", "80:80 ignored"},
        {"172.17.0.1:80", "80:80 ignored"},
        {"172.17.0.1:80~40000", "80:80 ignored"},
        {"[fe80::1]:80", "80:80 ignored"},
        {"[fd01:203:405::16]:80", "80:80 ignored"},
        /* several */
        {"172.17.0.1:80 0.0.0.0:80", "80:80 127.0.0.1>80 127.0.7.1>80"},
        {"127.0.0.1:80~40000 0.0.0.0:80", "80:80 127.0.0.1>80 ::1>~40000 127.0.7.1>80"},
        {"0.0.0.0:80 [::]:80~40000", "80:80 127.0.0.1>80 ::1>80 127.0.7.1>80"},
        {"0.0.0.0:81 127.0.0.1:80~4", "80:80 127.0.0.1>~4 ::1>~4 127.0.7.1>~4; "
                                      "81:81 127.0.0.1>81 127.0.7.1>81"},
    };
    g_autoptr(BerthForwardPolicy) policy = listening_policy(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        check(cases[i].listeners, policy, cases[i].plan);
    policy->slot = 0;
    check("*:80", policy, "80:80 127.0.0.1>80 ::1>80");
}

static void test_missing_family_is_reported(void)
{
    static const struct {
        const char *listeners;
        const char *reason;
    } cases[] = {
        {"0.0.0.0:80", "not on ::1: the service listens on IPv4 only"},
        {"[fd01:203:405::15]:80", "not on 127.0.0.1: the service listens on IPv6 only"},
        {"*:80", NULL},
        {"0.0.0.0:80~4", NULL},
        {"127.0.0.1:80", "listens on the guest's 127.0.0.1 only, where it cannot be reached"},
        {"10.1.1.1:80", "listens only on another address of the guest"},
    };
    g_autoptr(BerthForwardPolicy) policy = listening_policy(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) list = listening(cases[i].listeners);
        g_autoptr(GPtrArray) plan = berth_forward_plan(list, policy);
        g_assert_cmpstr(((BerthForward *)plan->pdata[0])->reason, ==, cases[i].reason);
    }
}

static void test_ignored_ports_and_udp(void)
{
    g_autoptr(BerthForwardPolicy) policy = listening_policy(NULL);
    const guint16 ssh = 22, mdns = 5353;
    g_array_append_val(policy->ignore, ssh);
    g_array_append_val(policy->udp, mdns);
    check("*:22", policy, "22:22 ignored");
    check("*:22/udp", policy, "22:22/udp ignored");
    check("*:5353/udp *:5353", policy,
          "5353:5353 127.0.0.1>5353 ::1>5353 127.0.7.1>5353; "
          "5353:5353/udp 127.0.0.1>5353 ::1>5353 127.0.7.1>5353");
    check("127.0.0.1:5353/udp", policy, "5353:5353/udp ignored");

    g_autoptr(GPtrArray) list = listening("*:22 *:53/udp");
    g_autoptr(GPtrArray) plan = berth_forward_plan(list, policy);
    const BerthForward *first = plan->pdata[0], *second = plan->pdata[1];
    g_assert_nonnull(strstr(first->reason, "ports-ignore"));
    g_assert_nonnull(strstr(second->reason, "berth forward add NAME udp:53"));
    g_assert_cmpstr(first->owner, ==, "server");

    policy->automatic = false;
    check("*:80", policy, "");
}

static void test_rules_need_no_listener(void)
{
    g_autoptr(BerthForwardPolicy) policy =
        listening_policy("3000:80, udp:5353, 0.0.0.0:9000:90, [::1]:91");
    policy->automatic = false;
    check("", policy,
          "3000:80 127.0.0.1>80 ::1>80 127.0.7.1>80; 0.0.0.0:9000:90 0.0.0.0>90; "
          "[::1]:91:91 ::1>91; 5353:5353/udp 127.0.0.1>5353 ::1>5353 127.0.7.1>5353");
    check("127.0.0.1:80~40000 0.0.0.0:91~40001", policy,
          "3000:80 127.0.0.1>~40000 ::1>~40000 127.0.7.1>~40000; 0.0.0.0:9000:90 0.0.0.0>90; "
          "[::1]:91:91 ::1>~40001; 5353:5353/udp 127.0.0.1>5353 ::1>5353 127.0.7.1>5353");
    check("0.0.0.0:80~40000", policy,
          "3000:80 127.0.0.1>80 ::1>~40000 127.0.7.1>80; 0.0.0.0:9000:90 0.0.0.0>90; "
          "[::1]:91:91 ::1>91; 5353:5353/udp 127.0.0.1>5353 ::1>5353 127.0.7.1>5353");
}

static void test_rules_before_listeners(void)
{
    static const struct {
        const char *rules;
        const char *listeners;
        const char *plan;
    } cases[] = {
        /* the same */
        {"80", "*:80", "80:80 127.0.0.1>80 ::1>80 127.0.7.1>80"},
        {"80,80", "*:80", "80:80 127.0.0.1>80 ::1>80 127.0.7.1>80"},
        /* beside it */
        {"81:80", "*:80",
         "80:80 127.0.0.1>80 ::1>80 127.0.7.1>80; 81:80 127.0.0.1>80 ::1>80 127.0.7.1>80"},
        /* another forward of the guest has the host's port */
        {"80:8080", "*:80", "80:80 ignored; 80:8080 127.0.0.1>8080 ::1>8080 127.0.7.1>8080"},
        {"127.0.0.1:80:8080", "*:80",
         "80:80 ::1>80 127.0.7.1>80; 127.0.0.1:80:8080 127.0.0.1>8080"},
        /* the same port, on more than localhost */
        {"0.0.0.0:80", "*:80", "80:80 ::1>80; 0.0.0.0:80:80 0.0.0.0>80"},
        {"0.0.0.0:80,[::]:80", "*:80", "0.0.0.0:80:80 0.0.0.0>80; [::]:80:80 ::>80"},
        {"10.0.0.1:80", "*:80",
         "80:80 127.0.0.1>80 ::1>80 127.0.7.1>80; 10.0.0.1:80:80 10.0.0.1>80"},
        /* another protocol */
        {"80:8080/udp", "*:80",
         "80:80 127.0.0.1>80 ::1>80 127.0.7.1>80; "
         "80:8080/udp 127.0.0.1>8080 ::1>8080 127.0.7.1>8080"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(BerthForwardPolicy) policy = listening_policy(cases[i].rules);
        check(cases[i].listeners, policy, cases[i].plan);
    }
}

static void test_origin_and_owner(void)
{
    g_autoptr(BerthForwardPolicy) policy = listening_policy("80");
    BerthRule published;
    g_assert_true(berth_rule_parse("0.0.0.0:81", &published, NULL));
    g_array_append_val(policy->publish, published);
    g_autoptr(GPtrArray) list = listening("*:80 *:82");
    g_autoptr(GPtrArray) plan = berth_forward_plan(list, policy);
    static const char *const expected[] = {"rule", "publish", "listener"};
    static const char *const owners[] = {"server", "", "server"};
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        const BerthForward *forward = plan->pdata[i];
        g_assert_cmpstr(berth_origin_word(forward->origin), ==, expected[i]);
        g_assert_cmpstr(forward->owner, ==, owners[i]);
    }
}

/* Services that the guest cannot or does not proxy. */
static void test_proxy_problem_is_the_reason(void)
{
    static const struct {
        BerthListener listener;
        const char *reason;
    } cases[] = {
        {{.family = 0, .protocol = BERTH_TCP, .port = 80}, "too many sockets listen in the guest*"},
        {{.family = 4,
          .protocol = BERTH_TCP,
          .port = 80,
          .address = {127, 0, 0, 1},
          .problem = ENFILE},
         "listens on the guest's 127.0.0.1 only, and the guest has no proxy for it: Too many*"},
        {{.family = 6, .protocol = BERTH_TCP, .port = 80, .address = {[15] = 1}, .problem = ENOMEM},
         "listens on the guest's ::1 only, and the guest has no proxy for it: Cannot allocate*"},
        {{.family = 0, .protocol = BERTH_UDP, .port = 80}, "UDP is forwarded only on request*"},
    };
    g_autoptr(BerthForwardPolicy) policy = listening_policy("");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) list = g_ptr_array_new();
        g_ptr_array_add(list, (gpointer)&cases[i].listener);
        g_autoptr(GPtrArray) plan = berth_forward_plan(list, policy);
        g_assert_cmpuint(plan->len, ==, 1);
        const BerthForward *forward = plan->pdata[0];
        g_assert_cmpint(forward->state, ==, BERTH_FORWARD_IGNORED);
        g_assert_true(g_pattern_match_simple(cases[i].reason, forward->reason));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/forward/legs-of-a-listener", test_legs_of_a_listener);
    g_test_add_func("/model/forward/missing-family-is-reported", test_missing_family_is_reported);
    g_test_add_func("/model/forward/ignored-ports-and-udp", test_ignored_ports_and_udp);
    g_test_add_func("/model/forward/rules-need-no-listener", test_rules_need_no_listener);
    g_test_add_func("/model/forward/rules-before-listeners", test_rules_before_listeners);
    g_test_add_func("/model/forward/origin-and-owner", test_origin_and_owner);
    g_test_add_func("/model/forward/proxy-problem", test_proxy_problem_is_the_reason);
    return g_test_run();
}
