/* SPDX-License-Identifier: MIT */
#include "replies.h"

#include <netinet/in.h>
#include <string.h>

#define UDP_SIZE 8u

static bool is_sender(const BerthReply *sender, const BerthPacket *packet, const guint8 *address,
                      guint16 port, guint16 guest_port)
{
    return sender->family == packet->family && sender->port == port &&
           sender->guest_port == guest_port &&
           memcmp(sender->address, address, packet->address_size) == 0;
}

static bool has_ports(const BerthPacket *packet)
{
    return packet->protocol == IPPROTO_UDP && packet->first && packet->size >= UDP_SIZE;
}

void berth_replies_record(BerthReplies *replies, const BerthPacket *packet, gint64 now_usec)
{
    if (!has_ports(packet))
        return;
    guint16 port = berth_bytes_get_u16(packet->payload);
    guint16 guest_port = berth_bytes_get_u16(packet->payload + 2);
    BerthReply *place = &replies->senders[0];
    for (guint i = 0; i < BERTH_REPLIES_MAX; i++) {
        BerthReply *sender = &replies->senders[i];
        bool same = is_sender(sender, packet, packet->source, port, guest_port);
        if (same || sender->seen_usec < place->seen_usec)
            place = sender;
        if (same)
            break;
    }
    *place = (BerthReply){
        .family = packet->family, .guest_port = guest_port, .port = port, .seen_usec = now_usec};
    memcpy(place->address, packet->source, packet->address_size);
}

bool berth_replies_expect(const BerthReplies *replies, const BerthPacket *packet, gint64 now_usec)
{
    if (!has_ports(packet))
        return false;
    guint16 guest_port = berth_bytes_get_u16(packet->payload);
    guint16 port = berth_bytes_get_u16(packet->payload + 2);
    for (guint i = 0; i < BERTH_REPLIES_MAX; i++)
        if (is_sender(&replies->senders[i], packet, packet->destination, port, guest_port))
            return now_usec - replies->senders[i].seen_usec < BERTH_REPLIES_LIFE_USEC;
    return false;
}
