/* SPDX-License-Identifier: MIT */
#include "distro.h"

#include "base/error.h"

#include <string.h>

BerthDistro *berth_distro_new(const char *name)
{
    BerthDistro *distro = g_new0(BerthDistro, 1);
    distro->id = g_strdup_printf("%08x%08x", g_random_int(), g_random_int());
    distro->name = g_strdup(name);
    distro->created_usec = g_get_real_time();
    return distro;
}

BerthDistro *berth_distro_copy(const BerthDistro *distro)
{
    BerthDistro *copy = g_memdup2(distro, sizeof(*distro));
    copy->id = g_strdup(distro->id);
    copy->name = g_strdup(distro->name);
    copy->disk = g_strdup(distro->disk);
    copy->account = g_strdup(distro->account);
    copy->template = g_strdup(distro->template);
    copy->forwards = g_strdup(distro->forwards);
    copy->host_ports = g_strdup(distro->host_ports);
    copy->shares = g_strdupv(distro->shares);
    return copy;
}

void berth_distro_free(BerthDistro *distro)
{
    if (distro == NULL)
        return;
    g_free(distro->id);
    g_free(distro->name);
    g_free(distro->disk);
    g_free(distro->account);
    g_free(distro->template);
    g_free(distro->forwards);
    g_free(distro->host_ports);
    g_strfreev(distro->shares);
    g_free(distro);
}

char *berth_distro_address(guint slot)
{
    return slot != 0 ? g_strdup_printf("127.0.%u.1", slot) : NULL;
}

const char *berth_distro_settings_name(const BerthDistro *distro)
{
    return distro->template != NULL ? distro->template : distro->name;
}

char *berth_distro_clone_name(const char *template, const char *id)
{
    const int digits = 8;
    return g_strdup_printf("%.*s-%.*s", BERTH_DISTRO_NAME_LENGTH - digits - 1, template, digits,
                           id);
}

const char *berth_distro_reserved(const char *name)
{
    static const struct {
        const char *hostname;
        const char *reason;
    } rows[] = {
        {"host", "host.berth.internal is this host"},
        {"localhost", "every distro uses it for itself"},
    };
    g_autofree char *hostname = berth_distro_hostname(name);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        if (g_str_equal(hostname, rows[i].hostname))
            return rows[i].reason;
    return NULL;
}

bool berth_distro_is_name(const char *text)
{
    gsize length = strlen(text);
    bool valid = length >= 1 && length <= BERTH_DISTRO_NAME_LENGTH && g_ascii_isalnum(text[0]);
    for (gsize i = 0; valid && i < length; i++)
        valid = g_ascii_isalnum(text[i]) || strchr("._-", text[i]) != NULL;
    return valid;
}

bool berth_distro_check_name(const char *name, GError **error)
{
    bool valid = berth_distro_is_name(name);
    const char *reserved = valid ? berth_distro_reserved(name) : NULL;
    if (reserved != NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "name.reserved", "choose another name",
                        "\"%s\" cannot be a distro's name: %s", name, reserved);
        return false;
    }
    if (valid)
        return true;

    g_autofree char *shown = g_strescape(name, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "name.invalid", BERTH_DISTRO_NAME_HINT,
                    "\"%.80s\" cannot be a distro's name", shown);
    return false;
}

char *berth_distro_account(const char *user)
{
    if (user[0] == '\0')
        return g_strdup("user");
    char *account = g_ascii_strdown(user, 32);
    for (char *c = account; *c != '\0'; c++)
        if (!g_ascii_isalnum(*c) && *c != '-')
            *c = '_';
    if (!g_ascii_islower(account[0]))
        account[0] = '_';
    return account;
}

char *berth_distro_hostname(const char *name)
{
    char *hostname = g_ascii_strdown(name, 63);
    for (char *c = hostname; *c != '\0'; c++)
        if (!g_ascii_isalnum(*c))
            *c = '-';
    for (gsize end = strlen(hostname); end > 1 && hostname[end - 1] == '-'; end--)
        hostname[end - 1] = '\0';
    return hostname;
}
