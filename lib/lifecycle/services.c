/* SPDX-License-Identifier: MIT */
#include "services.h"

#include "manage/compose.h"

/* The guest's paths: cmd/berth-guest/agent/ssh_agent.h, gpg_socket.h and os/programs.h. */
static const struct {
    gsize member; /* of BerthSettings, a bool */
    const char *pair;
} offers[] = {
    {offsetof(BerthSettings, host_ssh_agent), "SSH_AUTH_SOCK=/run/berth/host-ssh-agent"},
    {offsetof(BerthSettings, host_gpg_agent), "BERTH_GPG_AGENT=/run/berth/host-gpg-agent"},
    {offsetof(BerthSettings, host_urls), "BROWSER=/run/berth/bin/berth-open"},
};

char **berth_services_variables(Berth *berth, const char *name)
{
    g_autoptr(GStrvBuilder) pairs = g_strv_builder_new();
    g_autoptr(BerthSettings) settings =
        berth_compose_settings(berth->layout, name, berth_handle_environment(berth), NULL);
    for (gsize i = 0; settings != NULL && !settings->isolated && i < G_N_ELEMENTS(offers); i++)
        if (G_STRUCT_MEMBER(bool, settings, offers[i].member))
            g_strv_builder_add(pairs, offers[i].pair);
    return g_strv_builder_end(pairs);
}
