/* SPDX-License-Identifier: MIT */
#include "session_environment.h"

#include "proxy.h"

#include <string.h>

#define LIST "BERTH_ENV"

static const char *const terminal_names[] = {"TERM", "COLORTERM", NULL};

/* The variables of locale(7). Other names with these prefixes (LANGCHAIN_API_KEY) are private. */
static const char *const locale_names[] = {
    "LANG",     "LANGUAGE",          "LC_ALL",         "LC_ADDRESS",   "LC_COLLATE",
    "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_MESSAGES",  "LC_MONETARY",
    "LC_NAME",  "LC_NUMERIC",        "LC_PAPER",       "LC_TELEPHONE", "LC_TIME",
    NULL};

void session_environment_clear(SessionEnvironment *environment)
{
    g_clear_pointer(&environment->given, g_ptr_array_unref);
    g_clear_pointer(&environment->offered, g_ptr_array_unref);
    g_clear_pointer(&environment->ports, g_array_unref);
}

static void set(GPtrArray *pairs, const char *name, const char *value)
{
    g_ptr_array_add(pairs, g_strdup_printf("%s=%s", name, value));
}

static void pass_on(GPtrArray *pairs, const char *name)
{
    const char *value = g_getenv(name);
    if (value != NULL)
        set(pairs, name, value);
}

static void offer_locale(GPtrArray *pairs)
{
    for (gsize i = 0; locale_names[i] != NULL; i++)
        pass_on(pairs, locale_names[i]);
}

static void pass_proxies(SessionEnvironment *environment)
{
    for (gsize i = 0; proxy_names[i] != NULL; i++) {
        const char *value = g_getenv(proxy_names[i]);
        if (value == NULL)
            continue;
        guint16 port;
        g_autofree char *translated = proxy_for_guest(value, &port);
        set(environment->given, proxy_names[i], translated);
        if (port != 0)
            g_array_append_val(environment->ports, port);
    }
    pass_on(environment->given, "no_proxy"); /* with the host names that the guest uses */
    pass_on(environment->given, "NO_PROXY");
}

/* --- BERTH_ENV --- */

static char *absolute(const char *path)
{
    return *path != '\0' ? g_canonicalize_filename(path, NULL) : g_strdup("");
}

static char *absolute_each(const char *list)
{
    g_auto(GStrv) paths = g_strsplit(list, ":", -1);
    for (gsize i = 0; paths[i] != NULL; i++) {
        char *path = absolute(paths[i]);
        g_free(paths[i]);
        paths[i] = path;
    }
    return g_strjoinv(":", paths);
}

static void add_entry(GPtrArray *pairs, const char *entry)
{
    g_auto(GStrv) parts = g_strsplit(entry, "/", 2);
    const char *name = parts[0] != NULL ? parts[0] : "";
    const char *flags = *name != '\0' && parts[1] != NULL ? parts[1] : "";
    const char *value = *name != '\0' ? g_getenv(name) : NULL;
    bool known = flags[strspn(flags, "uwpl")] == '\0';
    bool outward = strchr(flags, 'w') != NULL && strchr(flags, 'u') == NULL;
    if (value == NULL || !known || outward)
        return;

    g_autofree char *translated = strchr(flags, 'l') != NULL   ? absolute_each(value)
                                  : strchr(flags, 'p') != NULL ? absolute(value)
                                                               : g_strdup(value);
    set(pairs, name, translated);
}

static void add_list(GPtrArray *pairs)
{
    const char *list = g_getenv(LIST);
    if (list == NULL)
        return;
    g_auto(GStrv) entries = g_strsplit(list, ":", -1);
    for (gsize i = 0; entries[i] != NULL; i++)
        add_entry(pairs, entries[i]);
    pass_on(pairs, LIST);
}

/* --- the whole set --- */

static bool add_given(GPtrArray *pairs, const char *text, GError **error)
{
    if (text[0] == '\0' || text[0] == '=') {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                        "--env: \"%s\" names no variable", text);
        return false;
    }
    if (strchr(text, '=') != NULL)
        g_ptr_array_add(pairs, g_strdup(text));
    else
        pass_on(pairs, text);
    return true;
}

bool session_environment_build(const Invocation *invocation, bool tty,
                               SessionEnvironment *ret_environment, GError **error)
{
    g_auto(SessionEnvironment) environment = {g_ptr_array_new_with_free_func(g_free),
                                              g_ptr_array_new_with_free_func(g_free),
                                              g_array_new(FALSE, FALSE, sizeof(guint16))};
    for (gsize i = 0; tty && terminal_names[i] != NULL; i++)
        pass_on(environment.offered, terminal_names[i]);
    offer_locale(environment.offered);
    g_ptr_array_add(environment.offered, NULL);

    pass_on(environment.given, "TZ");
    pass_proxies(&environment);
    add_list(environment.given);
    const char *text;
    for (guint i = 0; (text = invocation_nth_value(invocation, "env", i)) != NULL; i++)
        if (!add_given(environment.given, text, error))
            return false;
    g_ptr_array_add(environment.given, NULL);

    *ret_environment = environment;
    environment = (SessionEnvironment){NULL, NULL, NULL};
    return true;
}

void session_environment_set_distro(SessionEnvironment *environment, const char *name)
{
    g_ptr_array_insert(environment->given, 0, g_strdup_printf("BERTH_DISTRO=%s", name));
}

void session_environment_offer_services(SessionEnvironment *environment, Berth *berth,
                                        const char *name)
{
    g_auto(GStrv) pairs = berth_service_variables(berth, name);
    for (gsize i = 0; pairs[i] != NULL; i++)
        g_ptr_array_insert(environment->offered, 0, g_strdup(pairs[i]));
}
