/* SPDX-License-Identifier: MIT */
#include "host_resolver.h"

#include "host_file.h"

#include <string.h>

struct BerthHostResolver {
    BerthHostFile *file;
    void (*on_change)(gpointer user_data);
    gpointer user_data;
    BerthResolvers list;
};

static void on_file(gpointer user_data)
{
    BerthHostResolver *resolver = user_data;
    BerthResolvers list = berth_resolv_parse(berth_host_file_text(resolver->file));
    if (memcmp(&list, &resolver->list, sizeof(list)) == 0)
        return;
    resolver->list = list;
    resolver->on_change(resolver->user_data);
}

BerthHostResolver *berth_host_resolver_new(const char *path, void (*on_change)(gpointer user_data),
                                           gpointer user_data)
{
    BerthHostResolver *resolver = g_new0(BerthHostResolver, 1);
    resolver->on_change = on_change;
    resolver->user_data = user_data;
    resolver->file = berth_host_file_new(path, on_file, resolver);
    resolver->list = berth_resolv_parse(berth_host_file_text(resolver->file));
    return resolver;
}

void berth_host_resolver_free(BerthHostResolver *resolver)
{
    if (resolver == NULL)
        return;
    berth_host_file_free(resolver->file);
    g_free(resolver);
}

const BerthResolvers *berth_host_resolver_list(const BerthHostResolver *resolver)
{
    return &resolver->list;
}
