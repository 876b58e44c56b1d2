/* SPDX-License-Identifier: MIT */
#include "access.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

#define PORT_SEPARATORS    ", \t"
#define ADDRESS_SEPARATORS ",; \t"

/* Metadata services of clouds, which hand out secrets. */
static const BerthAccessRange metadata[] = {
    {4, 32, 0, {169, 254, 169, 254}},                                /* nearly all clouds */
    {4, 32, 0, {100, 100, 100, 200}},                                /* Alibaba Cloud */
    {6, 128, 0, {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}}, /* Amazon */
    {6, 128, 0, {0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54}}, /* Google */
};

static const BerthAccessRange link_local = {4, 16, 0, {169, 254}};

/* Besides the host's own addresses, these lead to the host or its other distros. */
static const BerthAccessRange near[] = {
    {4, 24, 0, {198, 19, 255, 0}}, /* other distros by name */
    {4, 4, 0, {224}},              /* multicast, which the host may have joined */
};

/* IPv4 addresses embedded in IPv6 (RFC 6052, 2.1). */
static const guint8 nat64[16] = {0x00, 0x64, 0xff, 0x9b};

bool berth_access_same_network(const guint8 *left, const guint8 *right, guint bits)
{
    guint whole = bits / 8;
    guint rest = bits % 8;
    return memcmp(left, right, whole) == 0 &&
           (rest == 0 || (left[whole] ^ right[whole]) >> (8 - rest) == 0);
}

/* --- reading ---------------------------------------------------------------------------------- */

bool berth_access_allow(BerthAccess *access, guint16 port)
{
    if (access->isolated)
        return false;
    if (berth_access_host(access, port) == BERTH_ACCESS_OPEN)
        return true;
    if (access->n_ports == BERTH_ACCESS_PORTS_MAX)
        return false;
    access->ports[access->n_ports++] = port;
    return true;
}

static bool add_port(BerthAccess *access, const char *word, GError **error)
{
    guint64 port;
    if (strcmp(word, "all") == 0) {
        access->host_all = 1;
        return true;
    }
    if (!g_ascii_string_to_unsigned(word, 10, 1, G_MAXUINT16, &port, NULL)) {
        g_autofree char *shown = g_strescape(word, NULL);
        berth_error_set(error, BERTH_ERROR_INVALID, "access.port",
                        "give numbers from 1 to 65535, or \"all\"", "\"%.80s\" is not a port",
                        shown);
        return false;
    }
    for (guint i = 0; i < access->n_ports; i++)
        if (access->ports[i] == port)
            return true;
    if (access->n_ports < BERTH_ACCESS_PORTS_MAX) {
        access->ports[access->n_ports++] = (guint16)port;
        return true;
    }
    berth_error_set(error, BERTH_ERROR_INVALID, "access.ports", "allow all of them: \"all\"",
                    "more than %d ports of the host", BERTH_ACCESS_PORTS_MAX);
    return false;
}

bool berth_access_add_ports(BerthAccess *access, const char *text, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(text, PORT_SEPARATORS, -1);
    for (gsize i = 0; words[i] != NULL; i++)
        if (words[i][0] != '\0' && !add_port(access, words[i], error))
            return false;
    return true;
}

/* Cut @word at its last @mark and parse the number after it into @ret_number. Also true without
 * @mark. */
static bool cut_number(char *word, char mark, guint min, guint max, guint *ret_number)
{
    char *at = strrchr(word, mark);
    guint64 number;
    if (at == NULL)
        return true;
    if (!g_ascii_string_to_unsigned(at + 1, 10, min, max, &number, NULL))
        return false;
    *at = '\0';
    *ret_number = (guint)number;
    return true;
}

/* Reduce "[...]" or "[...]:PORT" to the text between the brackets. */
static bool strip_brackets(char **word, guint *port)
{
    char *end = strchr(*word, ']');
    if (end == NULL || (end[1] != '\0' && !cut_number(end, ':', 1, G_MAXUINT16, port)) ||
        end[1] != '\0')
        return false;
    *end = '\0';
    (*word)++;
    return true;
}

static bool parse_range(const char *text, BerthAccessRange *range)
{
    g_autofree char *copy = g_strdup(text);
    char *word = copy;
    guint port = 0, bits = G_MAXUINT;
    bool bracketed = word[0] == '[';
    bool v6 = bracketed || (strchr(word, ':') != NULL && strchr(word, ':') != strrchr(word, ':'));
    if (bracketed ? !strip_brackets(&word, &port)
                  : (!v6 && !cut_number(word, ':', 1, G_MAXUINT16, &port)))
        return false;
    if (!cut_number(word, '/', 0, v6 ? 128 : 32, &bits))
        return false;

    *range = (BerthAccessRange){
        .family = v6 ? 6 : 4, .bits = (guint8)MIN(bits, v6 ? 128 : 32), .port = (guint16)port};
    return inet_pton(v6 ? AF_INET6 : AF_INET, word, range->address) == 1;
}

bool berth_access_add_outbound(BerthAccess *access, const char *text, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(text, ADDRESS_SEPARATORS, -1);
    for (gsize i = 0; words[i] != NULL; i++) {
        BerthAccessRange range;
        if (words[i][0] == '\0')
            continue;
        if (strcmp(words[i], "none") == 0) {
            range = metadata[0];
        } else if (!parse_range(words[i], &range)) {
            g_autofree char *shown = g_strescape(words[i], NULL);
            berth_error_set(
                error, BERTH_ERROR_INVALID, "access.address",
                "write ADDRESS, ADDRESS/BITS, ADDRESS:PORT, [ADDRESS/BITS]:PORT or none",
                "\"%.80s\" is not an address", shown);
            return false;
        }
        if (access->n_outbound == BERTH_ACCESS_OUTBOUND_MAX) {
            berth_error_set(error, BERTH_ERROR_INVALID, "access.outbound",
                            "combine neighbouring addresses: ADDRESS/BITS",
                            "more than %d addresses", BERTH_ACCESS_OUTBOUND_MAX);
            return false;
        }
        access->outbound[access->n_outbound++] = range;
    }
    return true;
}

static guint8 bits_of(guint8 family)
{
    return family == 4 ? 32 : 128;
}

void berth_access_add_own(BerthAccess *access, guint8 family, const guint8 *address, guint8 bits)
{
    if (access->n_own == BERTH_ACCESS_OWN_MAX) {
        access->own_incomplete = 1;
        return;
    }
    BerthAccessRange *range = &access->own[access->n_own++];
    *range = (BerthAccessRange){.family = family, .bits = MIN(bits, bits_of(family))};
    memcpy(range->address, address, family == 4 ? 4 : 16);
}

static bool ranges_are_sound(const BerthAccessRange *ranges, guint count)
{
    for (guint i = 0; i < count; i++)
        if ((ranges[i].family != 4 && ranges[i].family != 6) ||
            ranges[i].bits > bits_of(ranges[i].family))
            return false;
    return true;
}

bool berth_access_is_sound(const BerthAccess *access)
{
    return access->n_ports <= BERTH_ACCESS_PORTS_MAX &&
           access->n_outbound <= BERTH_ACCESS_OUTBOUND_MAX &&
           access->n_own <= BERTH_ACCESS_OWN_MAX &&
           ranges_are_sound(access->outbound, access->n_outbound) &&
           ranges_are_sound(access->own, access->n_own);
}

/* --- deciding --------------------------------------------------------------------------------- */

BerthAccessAnswer berth_access_host(const BerthAccess *access, guint16 port)
{
    if (!access->known)
        return BERTH_ACCESS_UNKNOWN;
    bool open = access->host_all;
    for (guint i = 0; !open && i < access->n_ports; i++)
        open = access->ports[i] == port;
    return open && !access->isolated ? BERTH_ACCESS_OPEN : BERTH_ACCESS_REFUSED;
}

static bool in_range(const BerthAccessRange *range, guint8 family, const guint8 *address,
                     guint16 port)
{
    return range->family == family && (range->port == 0 || range->port == port) &&
           berth_access_same_network(address, range->address, range->bits);
}

static bool in_any(const BerthAccessRange *ranges, guint count, guint8 family,
                   const guint8 *address, guint16 port)
{
    for (guint i = 0; i < count; i++)
        if (in_range(&ranges[i], family, address, port))
            return true;
    return false;
}

/* Whether the list covers the address; for 169.254/16 only ranges inside it do. */
static bool is_listed(const BerthAccess *access, guint8 family, const guint8 *address, guint16 port)
{
    guint8 bits_min = in_range(&link_local, family, address, 0) ? link_local.bits : 0;
    for (guint i = 0; i < access->n_outbound; i++)
        if (access->outbound[i].bits >= bits_min &&
            in_range(&access->outbound[i], family, address, port))
            return true;
    return false;
}

static bool is_near(const BerthAccess *access, guint8 family, const guint8 *address)
{
    return in_any(access->own, access->n_own, family, address, 0) ||
           in_any(near, G_N_ELEMENTS(near), family, address, 0);
}

BerthAccessAnswer berth_access_outside(const BerthAccess *access, guint8 family,
                                       const guint8 *address, guint16 port)
{
    if (!access->known)
        return BERTH_ACCESS_UNKNOWN;
    if (family == 6 && berth_access_same_network(address, nat64, 96))
        return berth_access_outside(access, 4, address + 12, port);
    if (in_any(metadata, G_N_ELEMENTS(metadata), family, address, port))
        return BERTH_ACCESS_REFUSED;
    if (access->isolated && is_near(access, family, address))
        return BERTH_ACCESS_REFUSED;
    if (is_listed(access, family, address, port))
        return BERTH_ACCESS_OPEN;

    bool listed_only = access->n_outbound > 0 || (access->isolated && access->own_incomplete) ||
                       in_range(&link_local, family, address, port);
    return listed_only ? BERTH_ACCESS_REFUSED : BERTH_ACCESS_OPEN;
}
