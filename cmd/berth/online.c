/* SPDX-License-Identifier: MIT */
#include "online.h"

#include "json.h"
#include "print.h"
#include "signals.h"

#include <stdio.h>

static bool on_progress(guint64 done, guint64 total, gpointer unused)
{
    return !stop_asked();
}

static void on_notice(const char *text, gpointer unused)
{
    fprintf(stderr, "berth: notice: %s\n", text);
}

static void print_names(const GPtrArray *all)
{
    for (guint i = 0; i < all->len; i++)
        printf("%s\n", ((const BerthOnline *)all->pdata[i])->name);
}

static void print_table(const GPtrArray *all)
{
    static const char *const headings[] = {"NAME", "FRIENDLY NAME", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < all->len; i++) {
        const BerthOnline *online = all->pdata[i];
        table_add(table, online->name);
        table_add(table, online->title);
    }
    printf("These distros can be installed with \"berth install NAME\":\n\n");
    table_print(table);
}

static void print_json(const GPtrArray *all)
{
    Json *json = json_begin(false);
    json_begin_array(json, "online");
    for (guint i = 0; i < all->len; i++) {
        const BerthOnline *online = all->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "name", online->name);
        json_add_string(json, "flavour", online->flavour);
        json_add_string(json, "title", online->title);
        json_add_bool(json, "default", online->is_default);
        json_add_string(json, "url", online->url);
        json_add_string(json, "sha256", online->sha256);
        json_add_string(json, "source", online->source);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static bool is_none(const GPtrArray *all, GError **error)
{
    if (all->len > 0)
        return false;
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "catalog.offline",
                    "check the network connection; without one: berth install --name NAME "
                    "--from-file FILE, or berth import NAME FILE",
                    "no list of distros can be read");
    return true;
}

int online_print(Invocation *invocation, GError **error)
{
    const BerthOnlineWatch watch = {.progress = on_progress, .notice = on_notice};
    stop_catch(NULL);
    g_autoptr(GPtrArray) all = berth_online(invocation->berth, &watch, error);
    if (all == NULL || is_none(all, error))
        return -1;
    if (invocation_flag(invocation, "json"))
        print_json(all);
    else if (invocation_flag(invocation, "quiet"))
        print_names(all);
    else
        print_table(all);
    return 0;
}
