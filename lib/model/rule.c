/* SPDX-License-Identifier: MIT */
#include "rule.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

#define RULE_HINT                                                                                  \
    "write [HOSTADDRESS:][HOSTPORT:]GUESTPORT[/udp], as in 8080, 3000:80, 0.0.0.0:8080:80 or "     \
    "udp:5353"
#define MULTICAST_V4 0xe0u /* 224.0.0.0 and above belong to no host. Source: RFC 5771 */

static const struct {
    const char *word;
    BerthProtocol protocol;
} protocols[] = {{"tcp", BERTH_TCP}, {"udp", BERTH_UDP}};

const char *berth_protocol_word(BerthProtocol protocol)
{
    return protocol == BERTH_UDP ? "udp" : "tcp";
}

static bool refuse(GError **error, const char *text, const char *why)
{
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "forward.rule", RULE_HINT,
                    "\"%.80s\" is not a forward: %s", shown, why);
    return false;
}

/* Cut "udp:" before or "/udp" after @text; @ret_protocol is unchanged without. False for two
 * protocols or an unknown one. */
static bool cut_protocol(char **text, BerthProtocol *ret_protocol)
{
    guint count = 0;
    char *slash = strrchr(*text, '/');
    for (gsize i = 0; i < G_N_ELEMENTS(protocols); i++) {
        gsize length = strlen(protocols[i].word);
        if (g_ascii_strncasecmp(*text, protocols[i].word, length) == 0 && (*text)[length] == ':') {
            *ret_protocol = protocols[i].protocol;
            *text += length + 1;
            count++;
        }
        if (slash != NULL && g_ascii_strcasecmp(slash + 1, protocols[i].word) == 0) {
            *ret_protocol = protocols[i].protocol;
            *slash = '\0';
            slash = NULL;
            count++;
        }
    }
    return count < 2 && slash == NULL;
}

static bool parse_port(const char *text, guint16 *ret_port)
{
    guint64 port;
    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &port, NULL))
        return false;
    *ret_port = (guint16)port;
    return true;
}

static bool parse_address(const char *text, BerthRule *rule)
{
    static const guint8 mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */
    bool v6 = strchr(text, ':') != NULL;
    rule->family = v6 ? 6 : 4;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, text, rule->address) != 1)
        return false;
    if (v6)
        return rule->address[0] != 0xff && memcmp(rule->address, mapped, sizeof(mapped)) != 0;
    return rule->address[0] < MULTICAST_V4;
}

/* Cut the address of the host from @text if it begins with one: the first of two fields before the
 * last, or a single one that is not a number. */
static bool cut_address(char **text, BerthRule *rule)
{
    char *end;
    if (**text == '[') {
        end = strchr(*text, ']');
        if (end == NULL || end[1] != ':')
            return false;
        *end++ = '\0';
        (*text)++;
    } else {
        end = strchr(*text, ':');
        if (end == NULL || (strchr(end + 1, ':') == NULL && strspn(*text, "0123456789") > 0 &&
                            (*text)[strspn(*text, "0123456789")] == ':'))
            return true;
    }
    *end = '\0';
    const char *address = *text;
    *text = end + 1;
    return g_ascii_strcasecmp(address, "localhost") == 0 || parse_address(address, rule);
}

bool berth_rule_parse(const char *text, BerthRule *ret_rule, GError **error)
{
    g_autofree char *copy = g_strdup(text);
    char *rest = g_strstrip(copy);
    BerthRule rule = {.protocol = BERTH_TCP};
    if (*rest == '\0')
        return refuse(error, text, "it is empty");
    if (!cut_protocol(&rest, &rule.protocol))
        return refuse(error, text, "give one protocol, tcp or udp");
    if (!cut_address(&rest, &rule))
        return refuse(error, text, "not an IPv4 address, nor an IPv6 address in brackets");

    char *colon = strchr(rest, ':');
    const char *guest = colon != NULL ? colon + 1 : rest;
    if (colon != NULL)
        *colon = '\0';
    if (!parse_port(guest, &rule.guest_port) || !parse_port(rest, &rule.host_port))
        return refuse(error, text, "a port is a number from 1 to 65535");
    *ret_rule = rule;
    return true;
}

char *berth_rule_address_text(guint8 family, const guint8 address[16])
{
    char text[INET6_ADDRSTRLEN];
    return g_strdup(inet_ntop(family == 6 ? AF_INET6 : AF_INET, address, text, sizeof(text)) != NULL
                        ? text
                        : "");
}

char *berth_rule_host(const BerthRule *rule)
{
    if (rule->family == 0)
        return g_strdup_printf("%u", rule->host_port);
    g_autofree char *address = berth_rule_address_text(rule->family, rule->address);
    return g_strdup_printf(rule->family == 6 ? "[%s]:%u" : "%s:%u", address, rule->host_port);
}

char *berth_rule_format(const BerthRule *rule)
{
    g_autofree char *host = berth_rule_host(rule);
    return g_strdup_printf("%s:%u%s", host, rule->guest_port,
                           rule->protocol == BERTH_UDP ? "/udp" : "");
}

bool berth_rule_equal(const BerthRule *a, const BerthRule *b)
{
    return a->protocol == b->protocol && a->family == b->family && a->host_port == b->host_port &&
           a->guest_port == b->guest_port && memcmp(a->address, b->address, 16) == 0;
}

/* --- lists --- */

/* Ignore quotation marks: some users put them around a value. */
static char **split(const char *text)
{
    g_autofree char *plain = g_strdelimit(g_strdup(text != NULL ? text : ""), "\"'", ' ');
    return g_strsplit_set(plain, ",;", -1);
}

GArray *berth_rule_parse_list(const char *text, GError **error)
{
    g_autoptr(GArray) rules = g_array_new(FALSE, FALSE, sizeof(BerthRule));
    g_auto(GStrv) words = split(text);
    for (gsize i = 0; words[i] != NULL; i++) {
        BerthRule rule;
        if (*g_strstrip(words[i]) == '\0')
            continue;
        if (!berth_rule_parse(words[i], &rule, error))
            return NULL;
        g_array_append_val(rules, rule);
    }
    return g_steal_pointer(&rules);
}

GArray *berth_rule_parse_ports(const char *text, GError **error)
{
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(guint16));
    g_auto(GStrv) words = split(text);
    for (gsize i = 0; words[i] != NULL; i++) {
        guint16 port;
        if (*g_strstrip(words[i]) == '\0')
            continue;
        if (!parse_port(words[i], &port)) {
            g_autofree char *shown = g_strescape(words[i], NULL);
            berth_error_set(error, BERTH_ERROR_INVALID, "forward.port",
                            "write numbers from 1 to 65535, separated by commas",
                            "\"%.80s\" is not a port", shown);
            return NULL;
        }
        g_array_append_val(ports, port);
    }
    return g_steal_pointer(&ports);
}
