/* SPDX-License-Identifier: MIT */
#include "acks.h"

#include "packet.h"

#include <netinet/in.h>
#include <string.h>

#define TCP_SIZE 20u
#define TCP_RST  0x04u
#define TCP_ACK  0x10u

static bool is_segment(const guint8 *frame, gsize size, BerthPacket *ret_packet)
{
    return berth_packet_read(frame, size, ret_packet) && ret_packet->protocol == IPPROTO_TCP &&
           !ret_packet->fragment && ret_packet->size >= TCP_SIZE;
}

/* A bare acknowledgement: no data, no options, no other flag. */
static bool is_plain(const BerthPacket *packet)
{
    return packet->size == TCP_SIZE && packet->payload[12] >> 4 == TCP_SIZE / 4 &&
           packet->payload[13] == TCP_ACK;
}

static bool same_connection(const BerthPacket *a, const BerthPacket *b)
{
    return a->family == b->family && memcmp(a->payload, b->payload, 4) == 0 && /* the ports */
           memcmp(a->source, b->source, a->address_size) == 0 &&
           memcmp(a->destination, b->destination, a->address_size) == 0;
}

/* The index of the held ACK of the same connection, or their count. */
static guint find(const BerthAcks *acks, const BerthPacket *packet, BerthPacket *ret_kept)
{
    guint i;
    for (i = 0; i < acks->count; i++)
        if (berth_packet_read(acks->kept[i].frame, acks->kept[i].size, ret_kept) &&
            same_connection(packet, ret_kept))
            break;
    return i;
}

/* How many more bytes @packet acknowledges than @than. */
static gint32 further(const BerthPacket *packet, const BerthPacket *than)
{
    return (gint32)(berth_bytes_get_u32(packet->payload + 8) -
                    berth_bytes_get_u32(than->payload + 8));
}

bool berth_acks_keep(BerthAcks *acks, const guint8 *frame, gsize size)
{
    BerthPacket packet, kept;
    if (size > BERTH_ACKS_SIZE_MAX || !is_segment(frame, size, &packet) || !is_plain(&packet))
        return false;
    guint place = find(acks, &packet, &kept);
    if (place == BERTH_ACKS_MAX || (place < acks->count && further(&packet, &kept) <= 0))
        return false;

    acks->count = MAX(acks->count, place + 1);
    acks->kept[place].size = size;
    memcpy(acks->kept[place].frame, frame, size);
    return true;
}

void berth_acks_carry(BerthAcks *acks, const guint8 *frame, gsize size)
{
    BerthPacket packet, kept;
    if (acks->count == 0 || !is_segment(frame, size, &packet) || is_plain(&packet) ||
        (packet.payload[13] & (TCP_ACK | TCP_RST)) != TCP_ACK)
        return;
    guint place = find(acks, &packet, &kept);
    if (place < acks->count && further(&packet, &kept) >= 0)
        acks->kept[place] = acks->kept[--acks->count];
}
