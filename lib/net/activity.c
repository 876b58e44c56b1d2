/* SPDX-License-Identifier: MIT */
#include "activity.h"

#include "wake.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define TCP_SIZE 20u
#define UDP_SIZE 8u

/* The start of a TCP segment or a datagram, which has the ports. */
static bool has_ports(const BerthPacket *packet)
{
    return packet->first && ((packet->protocol == IPPROTO_TCP && packet->size >= TCP_SIZE) ||
                             (packet->protocol == IPPROTO_UDP && packet->size >= UDP_SIZE));
}

static guint8 tcp_flags(const BerthPacket *packet)
{
    return packet->protocol == IPPROTO_TCP ? packet->payload[13] : 0;
}

static bool has_data(const BerthPacket *packet)
{
    gsize header = UDP_SIZE;
    if (packet->protocol == IPPROTO_TCP)
        header = (gsize)(packet->payload[12] >> 4) * 4;
    return packet->size > header;
}

/* --- peers that wait --- */

static bool is_same(const BerthActivityPeer *one, const BerthActivityPeer *other)
{
    return one->family == other->family && one->protocol == other->protocol &&
           one->guest_port == other->guest_port && one->port == other->port &&
           memcmp(one->address, other->address, sizeof(one->address)) == 0;
}

/* The place of @peer, or the one that it may have. */
static BerthActivityPeer *find(BerthActivity *activity, const BerthActivityPeer *peer)
{
    BerthActivityPeer *oldest = &activity->peers[0];
    for (guint i = 0; i < BERTH_ACTIVITY_PEERS_MAX; i++) {
        BerthActivityPeer *each = &activity->peers[i];
        if (is_same(each, peer))
            return each;
        if (each->since_usec < oldest->since_usec)
            oldest = each;
    }
    return oldest;
}

static void set_waiting(BerthActivity *activity, BerthActivityPeer *peer, gint64 since_usec)
{
    BerthActivityPeer *place = find(activity, peer);
    peer->since_usec = since_usec;
    *place = *peer;
}

static void set_answered(BerthActivity *activity, const BerthActivityPeer *peer)
{
    BerthActivityPeer *place = find(activity, peer);
    if (is_same(place, peer))
        *place = (BerthActivityPeer){0};
}

static BerthActivityPeer peer_of(const BerthPacket *packet, const guint8 *address, gsize port,
                                 gsize guest_port)
{
    BerthActivityPeer peer = {.family = packet->family,
                              .protocol = packet->protocol,
                              .port = berth_bytes_get_u16(packet->payload + port),
                              .guest_port = berth_bytes_get_u16(packet->payload + guest_port)};
    memcpy(peer.address, address, packet->address_size);
    return peer;
}

/* A segment without data that only ends the peer's half leaves what the guest owes it. */
static void note_question(BerthActivity *activity, const BerthPacket *packet, gint64 now_usec)
{
    BerthActivityPeer peer = peer_of(packet, packet->source, 0, 2);
    guint8 flags = tcp_flags(packet);
    if ((flags & TH_RST) != 0)
        set_answered(activity, &peer);
    else if ((flags & TH_SYN) != 0 || has_data(packet))
        set_waiting(activity, &peer, now_usec);
}

static void note_answer(BerthActivity *activity, const BerthPacket *packet)
{
    const BerthActivityPeer peer = peer_of(packet, packet->destination, 2, 0);
    if ((tcp_flags(packet) & (TH_SYN | TH_FIN | TH_RST)) != 0 || has_data(packet))
        set_answered(activity, &peer);
}

/* --- frames --- */

static bool count(BerthActivity *activity, bool counts, gint64 now_usec)
{
    activity->frames += counts;
    if (counts)
        activity->last_usec = now_usec;
    return counts;
}

bool berth_activity_to_guest(BerthActivity *activity, const guint8 *frame, gsize size,
                             gint64 now_usec)
{
    BerthPacket packet;
    if (berth_packet_read(frame, size, &packet) && has_ports(&packet))
        note_question(activity, &packet, now_usec);
    return count(activity, berth_wake_frame(frame, size), now_usec);
}

bool berth_activity_from_guest(BerthActivity *activity, const guint8 *frame, gsize size,
                               gint64 now_usec)
{
    BerthPacket packet;
    if (!berth_packet_read(frame, size, &packet) ||
        (packet.protocol != IPPROTO_TCP && packet.protocol != IPPROTO_UDP))
        return false;
    if (has_ports(&packet))
        note_answer(activity, &packet);
    return count(activity, berth_wake_frame(frame, size), now_usec);
}

gint64 berth_activity_wait(const BerthActivity *activity, gint64 now_usec)
{
    gint64 until = activity->frames > 0 ? activity->last_usec + BERTH_ACTIVITY_QUIET_USEC : 0;
    for (guint i = 0; i < BERTH_ACTIVITY_PEERS_MAX; i++)
        if (activity->peers[i].family != 0)
            until = MAX(until, activity->peers[i].since_usec + BERTH_ACTIVITY_ANSWER_USEC);
    return MAX(until - now_usec, 0);
}
