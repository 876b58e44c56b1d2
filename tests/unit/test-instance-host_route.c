/* SPDX-License-Identifier: MIT */
#include "instance/host/host_route.h"

#define ANY "00000000000000000000000000000000 "
#define HOP "fe800000000000000000000000000001 "

static void test_parse(void)
{
    static const struct {
        const char *text;
        bool leads_out;
    } cases[] = {
        {"", false},
        {"nonsense\n", false},
        {ANY "00 " ANY "00 " HOP "00000400 00000001 00000000 00000003     eth0\n", true},
        {ANY "00 " ANY "00 " ANY "ffffffff 00000001 00000000 00200200       lo\n", false},
        {ANY "00 " ANY "00 " HOP "00000400 00000001 00000000 00000203     eth0\n", false},
        {ANY "00 " ANY "00 " HOP "00000400 00000001 00000000 00000002     eth0\n", false},
        {"fe800000000000000000000000000000 40 " ANY "00 " ANY
         "00000100 00000001 00000000 00000001     eth0\n",
         false},
        {"fe800000000000000000000000000000 40 " ANY "00 " ANY
         "00000100 00000001 00000000 00000001     eth0\n" ANY "00 " ANY "00 " HOP
         "00000400 00000001 00000000 00450003    wlan0\n",
         true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(berth_host_route_parse(cases[i].text), ==, cases[i].leads_out);
}

static void not_called(gpointer user_data)
{
    g_assert_not_reached();
}

static void test_what_is_there(void)
{
    g_autofree char *text = NULL;
    BerthHostRoute *route = berth_host_route_new(BERTH_HOST_ROUTE_TABLE, not_called, NULL);
    bool expected = g_file_get_contents(BERTH_HOST_ROUTE_TABLE, &text, NULL, NULL) &&
                    berth_host_route_parse(text);
    g_assert_cmpint(berth_host_route_has_default(route), ==, expected);
    berth_host_route_free(route);

    route = berth_host_route_new("/nonexistent", not_called, NULL);
    g_assert_false(berth_host_route_has_default(route));
    berth_host_route_free(route);
    berth_host_route_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/host_route/parse", test_parse);
    g_test_add_func("/instance/host_route/what-is-there", test_what_is_there);
    return g_test_run();
}
