/* SPDX-License-Identifier: MIT */
#include "instance/control/control.h"

#include "base/error.h"

#include <string.h>

static void assert_one_frame(WireBuffer *buffer, ControlType type)
{
    WireFrame frame;
    g_assert_cmpint(wire_frame_peek(buffer, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, type);
    g_assert_cmpuint(wire_buffer_size(buffer), ==, WIRE_HEADER_SIZE + frame.size);
    wire_buffer_clear(buffer);
}

/* Answers fit their frames with any strings of a guest or a file: a client would wait for ever for
 * one that does not. */
static void test_answers_fit_their_frames(void)
{
    g_autofree char *wide = g_malloc0(4 * 100000 + 1);
    for (guint i = 0; i < 100000; i++)
        memcpy(wide + 4 * i, "\xf0\x9f\x98\x80", 4);
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_FAILED, "test.long", wide, "%s", wide);
    WireBuffer buffer = {0};
    berth_control_put_error(&buffer, error);
    assert_one_frame(&buffer, CONTROL_ERROR);

    const BerthInstanceStatus status = {.state = (char *)"running",
                                        .kernel = wide,
                                        .init = wide,
                                        .init_status = wide,
                                        .host_ports = wide};
    berth_control_put_status(&buffer, &status);
    assert_one_frame(&buffer, CONTROL_STATUS_IS);

    g_autoptr(BerthBootReport) report = berth_boot_report_new();
    for (guint i = 0; i < 1000; i++) {
        berth_boot_report_add(report, wide, i, wide);
        berth_boot_report_notice(report, wide);
    }
    berth_control_put_boot(&buffer, report);
    assert_one_frame(&buffer, CONTROL_BOOT_IS);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/control/answers-fit-their-frames", test_answers_fit_their_frames);
    return g_test_run();
}
