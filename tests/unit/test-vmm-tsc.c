/* SPDX-License-Identifier: MIT */
#include "vmm/tsc.h"

#include <stdlib.h>

/* Two measurements differ by no more than the tolerance of a guest's clock. */
static void test_measurements_agree(void)
{
    guint first = berth_tsc_khz();
    guint second = berth_tsc_khz();
    g_test_message("%u kHz, %u kHz", first, second);
    g_assert_cmpuint(first, >, 500000);
    g_assert_cmpint(abs((int)first - (int)second), <=, (int)(first / 5000));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vmm/tsc/measurements-agree", test_measurements_agree);
    return g_test_run();
}
