/* SPDX-License-Identifier: MIT
 *
 * A frame for a suspended guest: nothing outside it is read; the verdict equals that of an
 * independent implementation of the rules; an acknowledgement that acks.h may hold back does not
 * wake.
 *
 * Input: which frame to begin with, how many edits, each a position and a byte; the rest is
 * appended.
 */
#include "fuzz.h"
#include "net/acks.h"
#include "net/wake.h"
#include "../lib/filter_frames.h"
#include "../lib/packets.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const guint8 *bytes;
    gsize size;
} bases[] = {
    {BASE(tcp_syn)},  {BASE(udp_query)},  {BASE(icmp_echo)},          {BASE(arp_request)},
    {BASE(tcp6_syn)}, {BASE(udp6_query)}, {BASE(neighbour_question)}, {NULL, 0},
};

/* Of @size bytes of TCP. */
static bool segment(const guint8 *tcp, gsize size)
{
    if (size < 20 || (tcp[13] & 4) != 0)
        return false;
    gsize header = (gsize)(tcp[12] >> 4) * 4;
    return (tcp[13] & 3) != 0 || header < size;
}

static bool expected(const guint8 *frame, gsize size)
{
    gsize left = size - 14;
    const guint8 *ip = frame + 14;
    if (size < 14)
        return false;
    guint type = get_u16(frame + 12);
    if (type == 0x0806)
        return left >= 28 && get_u16(ip + 6) == 1 && memcmp(ip + 14, ip + 24, 4) != 0;
    if (type == 0x86dd && left >= 40 && ip[0] >> 4 == 6 && get_u16(ip + 4) <= left - 40) {
        gsize payload = get_u16(ip + 4);
        return ip[6] == 17 || (ip[6] == 6 && segment(ip + 40, payload)) ||
               (ip[6] == 58 && payload > 0 && ip[40] == 135);
    }
    if (type != 0x0800 || left < 20 || ip[0] >> 4 != 4)
        return false;
    gsize header = (gsize)(ip[0] & 15) * 4, total = get_u16(ip + 2);
    if (header < 20 || header > total || total > left)
        return false;
    bool first = (get_u16(ip + 6) & 0x1fff) == 0;
    return ip[9] == 17 || (ip[9] == 6 && (!first || segment(ip + header, total - header)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    guint8 head[2] = {0};
    memcpy(head, data, MIN(size, sizeof(head)));
    data += MIN(size, sizeof(head));
    size -= MIN(size, sizeof(head));
    gsize base = head[0] % G_N_ELEMENTS(bases), edits = MIN(head[1] % 8u, size / 2);
    gsize appended = head[1] < 128 ? 0 : size - 2 * edits;
    g_autoptr(GByteArray) frame = g_byte_array_new();
    if (bases[base].size > 0)
        g_byte_array_append(frame, bases[base].bytes, (guint)bases[base].size);
    g_byte_array_append(frame, data + 2 * edits, (guint)appended);
    for (gsize i = 0; i < edits && frame->len > 0; i++)
        frame->data[data[2 * i] % MIN(frame->len, 80)] = data[2 * i + 1];
    g_byte_array_set_size(frame, frame->len - (head[0] >> 3) % MAX(frame->len, 1));

    g_autofree guint8 *exact = g_memdup2(frame->data, frame->len);
    bool wakes = berth_wake_frame(exact, frame->len);
    g_assert_cmpint(wakes, ==, expected(exact, frame->len));
    BerthAcks acks = {0};
    if (frame->len > 0 && berth_acks_keep(&acks, exact, frame->len))
        g_assert_false(wakes);
    return 0;
}
