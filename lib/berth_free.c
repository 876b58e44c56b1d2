/* SPDX-License-Identifier: MIT
 *
 * The free functions of the public structs.
 */
#include "berth.h"

void berth_info_free(BerthInfo *info)
{
    if (info == NULL)
        return;
    g_free(info->name);
    g_free(info->id);
    g_free(info->address);
    g_free(info->disk);
    g_free(info->state);
    g_free(info->reason);
    g_free(info->accel);
    g_free(info->kernel);
    g_free(info->init);
    g_free(info->init_status);
    g_free(info->ports);
    g_free(info);
}

void berth_cached_free(BerthCached *cached)
{
    if (cached == NULL)
        return;
    g_free(cached->key);
    g_free(cached->origin);
    g_free(cached);
}

void berth_stage_free(BerthStage *stage)
{
    if (stage == NULL)
        return;
    g_free(stage->name);
    g_free(stage->problem);
    g_free(stage);
}

void berth_port_free(BerthPort *port)
{
    if (port == NULL)
        return;
    g_free(port->distro);
    g_free(port->protocol);
    g_free(port->host);
    g_strfreev(port->addresses);
    g_free(port->origin);
    g_free(port->state);
    g_free(port->owner);
    g_free(port->reason);
    g_free(port);
}

void berth_forward_rule_free(BerthForwardRule *rule)
{
    if (rule == NULL)
        return;
    g_free(rule->distro);
    g_free(rule->rule);
    g_free(rule->protocol);
    g_free(rule->host_address);
    g_free(rule);
}

void berth_status_free(BerthStatus *status)
{
    if (status == NULL)
        return;
    g_free(status->default_distro);
    g_free(status->emulator);
    g_free(status->kernel);
    g_free(status->accel);
    g_free(status->data);
    g_free(status->config);
    g_free(status->cache);
    g_free(status->runtime);
    g_free(status->support);
    g_free(status);
}

void berth_host_access_free(BerthHostAccess *access)
{
    if (access == NULL)
        return;
    g_free(access->distro);
    g_free(access->outbound);
    g_ptr_array_unref(access->ports);
    g_free(access);
}
