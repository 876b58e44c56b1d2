/* SPDX-License-Identifier: MIT */
#include "size.h"

static const char units[] = "KMGT";

/* The power of 1024 that the suffix stands for, or -1. */
static int suffix_power(const char *suffix)
{
    if (*suffix == '\0' || g_ascii_strcasecmp(suffix, "B") == 0)
        return 0;

    for (int i = 0; units[i] != '\0'; i++) {
        if (g_ascii_toupper(suffix[0]) != units[i])
            continue;
        const char *rest = suffix + 1;
        bool known = *rest == '\0' || g_ascii_strcasecmp(rest, "B") == 0 ||
                     g_ascii_strcasecmp(rest, "iB") == 0;
        return known ? i + 1 : -1;
    }
    return -1;
}

bool berth_size_parse(const char *text, guint64 *ret_size)
{
    if (text == NULL || !g_ascii_isdigit(text[0]))
        return false;

    guint64 value = 0;
    for (; g_ascii_isdigit(*text); text++)
        if (!g_uint64_checked_mul(&value, value, 10) ||
            !g_uint64_checked_add(&value, value, (guint64)(*text - '0')))
            return false;

    int power = suffix_power(text);
    if (power < 0 || !g_uint64_checked_mul(&value, value, G_GUINT64_CONSTANT(1) << (10 * power)))
        return false;

    *ret_size = value;
    return true;
}

char *berth_size_format(guint64 size)
{
    if (size < 1024)
        return g_strdup_printf("%" G_GUINT64_FORMAT " B", size);

    double value = (double)size / 1024;
    int unit = 0;
    for (; value >= 1023.5 && units[unit + 1] != '\0'; unit++)
        value /= 1024;
    return g_strdup_printf(value < 9.95 ? "%.1f %ciB" : "%.0f %ciB", value, units[unit]);
}
