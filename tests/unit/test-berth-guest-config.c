/* SPDX-License-Identifier: MIT
 *
 * The host's configuration of a starting guest: valid, truncated, and of another protocol version.
 */
#include "os/config.h"

#include <glib.h>

static void put_config(WireBuffer *buffer, guint32 version)
{
    static const char *const strings[] = {"box", "alice", "10.0.2.15/24", "10.0.2.2", "10.0.2.3"};
    size_t begin = wire_frame_begin(buffer, WIRE_CONFIG, 0, 0);
    wire_put_u32(buffer, version);
    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
        wire_put_string(buffer, strings[i]);
    wire_put_u32(buffer, 9000);
    wire_put_u64(buffer, 1);
    wire_put_string(buffer, "Europe/Berlin");
    wire_put_string(buffer, "0123456789abcdef");
    wire_put_u32(buffer, WIRE_CONFIG_OOBE);
    wire_put_string(buffer, "alice");
    wire_put_u32(buffer, 1001);
    wire_put_string(buffer, "fd00::15/64");
    wire_put_string(buffer, "fd00::2");
    wire_frame_end(buffer, begin);
}

static void test_truncated_config_is_rejected(void)
{
    WireBuffer buffer = {0};
    WireFrame frame;
    Config config;
    put_config(&buffer, WIRE_VERSION);
    g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
    g_assert_true(config_read(&frame, &config));
    g_assert_cmpstr(config.hostname, ==, "box");
    g_assert_cmpstr(config.gateway6, ==, "fd00::2");
    while (frame.size > 0) {
        frame.size--;
        g_assert_false(config_read(&frame, &config));
        g_assert_cmpuint(config_version(&frame), ==, frame.size >= 4 ? WIRE_VERSION : 0);
    }
    wire_buffer_clear(&buffer);
}

/* The version is read even if the rest differs; the rest is ignored. */
static void test_another_version(void)
{
    static const guint32 versions[] = {0, WIRE_VERSION - 1, WIRE_VERSION + 1, G_MAXUINT32};
    for (gsize i = 0; i < G_N_ELEMENTS(versions); i++) {
        WireBuffer buffer = {0};
        WireFrame frame;
        Config config = {.mtu = 1234};
        put_config(&buffer, versions[i]);
        g_assert_cmpint(wire_frame_peek(&buffer, &frame), ==, 1);
        g_assert_cmpuint(config_version(&frame), ==, versions[i]);
        g_assert_false(config_read(&frame, &config));
        g_assert_cmpuint(config.mtu, ==, 1234);
        wire_buffer_clear(&buffer);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/config/truncated-config-is-rejected",
                    test_truncated_config_is_rejected);
    g_test_add_func("/berth-guest/config/another-version", test_another_version);
    return g_test_run();
}
