/* SPDX-License-Identifier: MIT */
#include "../lib/filter_frames.h"
#include "net/activity.h"

#include <string.h>

#define NOW    (1000 * G_USEC_PER_SEC)
#define QUIET  BERTH_ACTIVITY_QUIET_USEC
#define ANSWER BERTH_ACTIVITY_ANSWER_USEC

/* In IPv4 without options: addresses at 26 and 30, ports at 34 and 36; TCP has its header's length
 * at 46 and its flags at 47, and tcp_syn's 4 bytes of options are data with a shorter header. */
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

typedef enum { TO_GUEST, FROM_GUEST } Way;

typedef struct {
    guint8 bytes[64];
    gsize size;
} Frame;

static void swap(guint8 *one, guint8 *other, gsize size)
{
    guint8 saved[16];
    memcpy(saved, one, size);
    memcpy(one, other, size);
    memcpy(other, saved, size);
}

/* A frame of the guest's, or the same from its peer. */
static Frame made(const guint8 *bytes, gsize size, Way way)
{
    Frame frame = {.size = size};
    memcpy(frame.bytes, bytes, size);
    if (way == TO_GUEST) {
        swap(frame.bytes + 26, frame.bytes + 30, 4);
        swap(frame.bytes + 34, frame.bytes + 36, 2);
    }
    return frame;
}

static Frame tcp(Way way, guint8 flags, bool has_data)
{
    Frame frame = made(tcp_syn, sizeof(tcp_syn), way);
    frame.bytes[47] = flags;
    if (has_data)
        frame.bytes[46] = 0x50;
    return frame;
}

static bool pass(BerthActivity *activity, Way way, Frame frame, gint64 now)
{
    g_autofree guint8 *bytes = g_memdup2(frame.bytes, frame.size); /* asan sees overruns */
    return way == TO_GUEST ? berth_activity_to_guest(activity, bytes, frame.size, now)
                           : berth_activity_from_guest(activity, bytes, frame.size, now);
}

static void test_nothing_to_wait_for(void)
{
    BerthActivity activity = {0};
    g_assert_cmpint(berth_activity_wait(&activity, NOW), ==, 0);
    g_assert_cmpint(berth_activity_wait(&activity, 0), ==, 0); /* the clock has just begun */
}

static void test_what_counts(void)
{
    BerthActivity activity = {0};
    g_assert_true(pass(&activity, TO_GUEST, tcp(TO_GUEST, ACK, true), NOW));
    g_assert_false(pass(&activity, TO_GUEST, tcp(TO_GUEST, ACK, false), NOW));
    g_assert_true(pass(&activity, TO_GUEST, made(arp_request, sizeof(arp_request), FROM_GUEST),
                       NOW)); /* libslirp asks for it when it has something for the guest */
    g_assert_cmpuint(activity.frames, ==, 2);
    g_assert_true(pass(&activity, FROM_GUEST, tcp(FROM_GUEST, ACK, true), NOW));
    g_assert_true(pass(&activity, FROM_GUEST, made(udp_query, sizeof(udp_query), FROM_GUEST), NOW));
    g_assert_false(
        pass(&activity, FROM_GUEST, made(arp_request, sizeof(arp_request), FROM_GUEST), NOW));
    g_assert_false(
        pass(&activity, FROM_GUEST, made(icmp_echo, sizeof(icmp_echo), FROM_GUEST), NOW));
    g_assert_cmpuint(activity.frames, ==, 4);
}

/* A request at NOW; then what the guest sends a second later, long after the network was quiet. */
static gint64 wait_after(Frame question, const Frame *answer)
{
    BerthActivity activity = {0};
    pass(&activity, TO_GUEST, question, NOW);
    if (answer != NULL)
        pass(&activity, FROM_GUEST, *answer, NOW + G_USEC_PER_SEC);
    return berth_activity_wait(&activity, NOW + G_USEC_PER_SEC);
}

static void test_an_answer_that_is_not_out(void)
{
    const gint64 waits = ANSWER - G_USEC_PER_SEC;
    g_assert_cmpint(wait_after(tcp(TO_GUEST, ACK, true), NULL), ==, waits);
    g_assert_cmpint(wait_after(tcp(TO_GUEST, FIN | ACK, true), NULL), ==, waits);
    g_assert_cmpint(wait_after(tcp(TO_GUEST, SYN, false), NULL), ==, waits);
    g_assert_cmpint(wait_after(made(udp_query, sizeof(udp_query), TO_GUEST), NULL), ==, waits);
    g_assert_cmpint(wait_after(tcp(TO_GUEST, FIN | ACK, false), NULL), ==, 0);
    g_assert_cmpint(wait_after(tcp(TO_GUEST, ACK, false), NULL), ==, 0);
    g_assert_cmpint(wait_after(tcp(TO_GUEST, RST, true), NULL), ==, 0);
}

static void test_an_answer_that_is_out(void)
{
    const Frame data = tcp(FROM_GUEST, ACK, true), end = tcp(FROM_GUEST, FIN | ACK, false);
    const Frame reset = tcp(FROM_GUEST, RST, false), acknowledgement = tcp(FROM_GUEST, ACK, false);
    const Frame datagram = made(udp_query, sizeof(udp_query), FROM_GUEST);
    const Frame question = tcp(TO_GUEST, ACK, true);
    g_assert_cmpint(wait_after(question, &data), ==, QUIET);
    g_assert_cmpint(wait_after(question, &end), ==, QUIET);
    g_assert_cmpint(wait_after(question, &reset), ==, 0); /* counts as nothing, and ends it */
    g_assert_cmpint(wait_after(question, &acknowledgement), ==, ANSWER - G_USEC_PER_SEC);
    g_assert_cmpint(wait_after(question, &datagram), ==, ANSWER - G_USEC_PER_SEC);
    g_assert_cmpint(wait_after(made(udp_query, sizeof(udp_query), TO_GUEST), &datagram), ==, QUIET);
}

static void test_one_that_takes_long_is_not_waited_for(void)
{
    BerthActivity activity = {0};
    pass(&activity, TO_GUEST, tcp(TO_GUEST, ACK, true), NOW);
    g_assert_cmpint(berth_activity_wait(&activity, NOW), ==, ANSWER);
    g_assert_cmpint(berth_activity_wait(&activity, NOW + ANSWER - 1), ==, 1);
    g_assert_cmpint(berth_activity_wait(&activity, NOW + ANSWER), ==, 0);
}

static Frame from_port(guint16 port)
{
    Frame frame = tcp(TO_GUEST, ACK, true);
    berth_bytes_put_u16(frame.bytes + 34, port);
    return frame;
}

static void test_several_peers(void)
{
    BerthActivity activity = {0};
    for (guint i = 0; i < 2; i++)
        pass(&activity, TO_GUEST, from_port((guint16)(80 + i)), NOW + i * G_USEC_PER_SEC);
    pass(&activity, FROM_GUEST, tcp(FROM_GUEST, ACK, true), NOW + 2 * G_USEC_PER_SEC); /* to 80 */
    g_assert_cmpint(berth_activity_wait(&activity, NOW + 2 * G_USEC_PER_SEC), ==,
                    ANSWER - G_USEC_PER_SEC);
}

/* More than are recorded: the newest are, and asking again takes no second place. */
static void test_too_many_peers(void)
{
    BerthActivity activity = {0};
    for (guint i = 0; i < 10 * BERTH_ACTIVITY_PEERS_MAX; i++)
        pass(&activity, TO_GUEST, from_port((guint16)(1000 + i)), NOW + i);
    g_assert_cmpint(berth_activity_wait(&activity, NOW), ==,
                    ANSWER + 10 * BERTH_ACTIVITY_PEERS_MAX - 1);
    for (guint i = 0; i < 10 * BERTH_ACTIVITY_PEERS_MAX; i++)
        pass(&activity, TO_GUEST, from_port(80), NOW + 1000);
    guint places = 0;
    for (guint i = 0; i < BERTH_ACTIVITY_PEERS_MAX; i++)
        places += activity.peers[i].port == 80;
    g_assert_cmpuint(places, ==, 1);
}

/* Any bytes: asan and the assertions of the module are the judges. */
static void test_any_bytes(void)
{
    BerthActivity activity = {0};
    for (guint i = 0; i < 200000; i++) {
        Way way = (Way)g_test_rand_int_range(0, 2);
        Frame frame = g_test_rand_bit() ? tcp(way, (guint8)g_test_rand_int(), g_test_rand_bit())
                                        : made(udp_query, sizeof(udp_query), way);
        frame.bytes[g_test_rand_int_range(0, (gint32)frame.size)] = (guint8)g_test_rand_int();
        frame.size = (gsize)g_test_rand_int_range(0, (gint32)frame.size + 1);
        pass(&activity, way, frame, NOW);
        gint64 wait = berth_activity_wait(&activity, NOW);
        g_assert_true(wait >= 0 && wait <= ANSWER);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/activity/nothing", test_nothing_to_wait_for);
    g_test_add_func("/net/activity/what-counts", test_what_counts);
    g_test_add_func("/net/activity/not-out", test_an_answer_that_is_not_out);
    g_test_add_func("/net/activity/out", test_an_answer_that_is_out);
    g_test_add_func("/net/activity/long", test_one_that_takes_long_is_not_waited_for);
    g_test_add_func("/net/activity/several", test_several_peers);
    g_test_add_func("/net/activity/too-many", test_too_many_peers);
    g_test_add_func("/net/activity/any-bytes", test_any_bytes);
    return g_test_run();
}
