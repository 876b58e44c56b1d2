/* SPDX-License-Identifier: MIT */
#include "internal_names.h"

#include "bytes.h"
#include "dns_message.h"

#include <stdio.h>
#include <string.h>

#define DOMAIN   "berth.internal"
#define HOST     "host"
#define CLASS_IN 1u

/* Result of a lookup. */
typedef struct {
    bool exists;
    guint32 v4;            /* 0: no A record */
    bool v6;               /* prefix::2 */
    const char *target_of; /* for a reverse name: the target without the domain, or NULL */
} Entry;

bool berth_internal_names_set(BerthInternalNames *names, guint slot, const char *name)
{
    if (slot < 1 || slot > BERTH_SLOT_MAX || strlen(name) >= BERTH_NAME_SIZE)
        return false;
    g_strlcpy(names->distros[slot], name, BERTH_NAME_SIZE);
    return true;
}

static bool has_prefix6(const BerthInternalNames *names)
{
    static const guint8 none[16];
    return memcmp(names->prefix, none, sizeof(none)) != 0;
}

/* 0: no such distro. */
static guint slot_of(const BerthInternalNames *names, const char *name, gsize length)
{
    for (guint i = 1; i <= BERTH_SLOT_MAX; i++)
        if (strlen(names->distros[i]) == length && length > 0 &&
            g_ascii_strncasecmp(names->distros[i], name, length) == 0)
            return i;
    return 0;
}

/* False for a name outside berth.internal. */
static bool look_up_forward(const BerthInternalNames *names, const char *name, Entry *ret_entry)
{
    if (strcmp(name, DOMAIN) == 0) {
        ret_entry->exists = true;
        return true;
    }
    if (!g_str_has_suffix(name, "." DOMAIN))
        return false;

    gsize length = strlen(name) - strlen("." DOMAIN);
    bool host = length == strlen(HOST) && strncmp(name, HOST, length) == 0;
    guint slot = host ? 0 : slot_of(names, name, length);
    ret_entry->exists = host || slot != 0;
    ret_entry->v4 = host ? BERTH_ADDRESS_HOST : slot != 0 ? BERTH_ADDRESS_NEIGHBOURS + slot : 0;
    ret_entry->v6 = host && has_prefix6(names);
    return true;
}

/* D.C.B.A.in-addr.arpa, in canonical decimal only. */
static bool parse_reverse(const char *name, guint32 *ret_address)
{
    guint bytes[4];
    int length = 0;
    char again[BERTH_DNS_NAME_MAX];
    if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
               &length) != 4 ||
        length == 0)
        return false;
    g_snprintf(again, sizeof(again), "%u.%u.%u.%u.in-addr.arpa", bytes[0], bytes[1], bytes[2],
               bytes[3]);
    if (strcmp(again, name) != 0 || (bytes[0] | bytes[1] | bytes[2] | bytes[3]) > 255)
        return false;
    *ret_address = bytes[3] << 24 | bytes[2] << 16 | bytes[1] << 8 | bytes[0];
    return true;
}

static bool look_up_reverse(const BerthInternalNames *names, const char *name, Entry *ret_entry)
{
    guint32 address;
    if (!parse_reverse(name, &address))
        return false;
    if (address == BERTH_ADDRESS_HOST) {
        ret_entry->target_of = HOST;
    } else if ((address & BERTH_ADDRESS_MASK) == BERTH_ADDRESS_NEIGHBOURS) {
        const char *distro =
            (address & 0xff) <= BERTH_SLOT_MAX ? names->distros[address & 0xff] : "";
        ret_entry->target_of = *distro != '\0' ? distro : NULL;
    } else {
        return false;
    }
    ret_entry->exists = ret_entry->target_of != NULL;
    return true;
}

static gsize answer_entry(const BerthInternalNames *names, const guint8 *query,
                          const BerthDnsMessage *message, const Entry *entry, guint8 *bytes)
{
    bool any = message->type == BERTH_DNS_ANY;
    if (!entry->exists)
        return berth_dns_message_refuse(query, message, BERTH_DNS_NXDOMAIN, bytes);
    if (entry->v4 != 0 && (any || message->type == BERTH_DNS_A)) {
        guint8 address[4];
        berth_bytes_put_u32(address, entry->v4);
        return berth_dns_message_answer_address(query, message, address, 4, bytes);
    }
    if (entry->v6 && message->type == BERTH_DNS_AAAA) {
        guint8 address[16];
        memcpy(address, names->prefix, sizeof(address));
        address[15] = BERTH_ADDRESS6_HOST;
        return berth_dns_message_answer_address(query, message, address, 16, bytes);
    }
    if (entry->target_of != NULL && (any || message->type == BERTH_DNS_PTR)) {
        g_autofree char *target = g_strconcat(entry->target_of, "." DOMAIN, NULL);
        return berth_dns_message_answer_name(query, message, target, bytes);
    }
    return berth_dns_message_refuse(query, message, BERTH_DNS_OK, bytes);
}

gsize berth_internal_names_answer(const BerthInternalNames *names, const guint8 *query, gsize size,
                                  guint8 *ret_bytes)
{
    BerthDnsMessage message;
    Entry entry = {0};
    if (!berth_dns_message_parse(query, size, &message) || message.response ||
        message.opcode != 0 || message.question_size == 0 || message.class != CLASS_IN)
        return 0;
    if (!look_up_forward(names, message.name, &entry) &&
        !look_up_reverse(names, message.name, &entry))
        return 0;
    return answer_entry(names, query, &message, &entry, ret_bytes);
}
