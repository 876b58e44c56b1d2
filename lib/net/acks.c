/* SPDX-License-Identifier: MIT */
#include "acks.h"

#include "packet.h"

#include <netinet/in.h>
#include <string.h>

#define TCP_SIZE 20u
#define TCP_ACK  0x10u

/* Neither data nor options nor any other flag. */
static bool is_plain(const guint8 *frame, gsize size, BerthPacket *ret_packet)
{
    return size <= BERTH_ACKS_SIZE_MAX && berth_packet_read(frame, size, ret_packet) &&
           ret_packet->protocol == IPPROTO_TCP && !ret_packet->fragment &&
           ret_packet->size == TCP_SIZE && ret_packet->payload[12] >> 4 == TCP_SIZE / 4 &&
           ret_packet->payload[13] == TCP_ACK;
}

static bool same_connection(const BerthPacket *a, const BerthPacket *b)
{
    return a->family == b->family && memcmp(a->payload, b->payload, 4) == 0 && /* the ports */
           memcmp(a->source, b->source, a->address_size) == 0 &&
           memcmp(a->destination, b->destination, a->address_size) == 0;
}

static bool acknowledges_more(const BerthPacket *packet, const BerthPacket *than)
{
    return (gint32)(berth_get_u32(packet->payload + 8) - berth_get_u32(than->payload + 8)) > 0;
}

bool berth_acks_keep(BerthAcks *acks, const guint8 *frame, gsize size)
{
    BerthPacket packet, kept;
    if (!is_plain(frame, size, &packet))
        return false;
    guint i;
    for (i = 0; i < acks->count; i++)
        if (berth_packet_read(acks->kept[i].frame, acks->kept[i].size, &kept) &&
            same_connection(&packet, &kept))
            break;
    if (i == BERTH_ACKS_MAX || (i < acks->count && !acknowledges_more(&packet, &kept)))
        return false;

    acks->count = MAX(acks->count, i + 1);
    acks->kept[i].size = size;
    memcpy(acks->kept[i].frame, frame, size);
    return true;
}
