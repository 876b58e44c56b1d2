/* SPDX-License-Identifier: MIT */
#include "duration.h"

static const struct {
    const char *suffix;
    guint seconds;
} units[] = {{"", 1},         {"s", 1},       {"sec", 1},   {"m", 60},      {"min", 60},
             {"h", 60 * 60}, {"hours", 60 * 60}, {"hour", 60 * 60}, {"d", 24 * 60 * 60}};

bool berth_duration_parse(const char *text, guint32 *ret_seconds)
{
    if (text == NULL || !g_ascii_isdigit(*text))
        return false;
    guint64 value = 0;
    for (; g_ascii_isdigit(*text) && value <= G_MAXUINT32; text++)
        value = value * 10 + (guint64)(*text - '0');
    for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
        if (g_ascii_strcasecmp(text, units[i].suffix) != 0 ||
            value > G_MAXUINT32 / units[i].seconds)
            continue;
        *ret_seconds = (guint32)value * units[i].seconds;
        return true;
    }
    return false;
}
