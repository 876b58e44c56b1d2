/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

#include "base/error.h"
#include "park/park_file.h"

#include <string.h>

/* How long a guest that was loaded may take to answer. */
#define GREET_SEC 60u

/* The state that only the keeper knows of a guest; the guest says the rest itself. */
#define LIFE_SHARES     "shares"     /* share_process.h */
#define LIFE_SHARE_ROOT "share-root" /* s */
#define LIFE_DUE        "due"        /* (xxxs) */

/* --- the record ------------------------------------------------------------------------------- */

GBytes *berth_instance_life_record(const BerthInstance *instance)
{
    g_auto(GVariantDict) dict;
    const BerthDue *due = &instance->expected.due;
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert_value(&dict, LIFE_SHARES, berth_share_process_save(instance->shares));
    if (instance->life.share_root != NULL)
        g_variant_dict_insert(&dict, LIFE_SHARE_ROOT, "s", instance->life.share_root);
    if (due->at_usec != 0)
        g_variant_dict_insert(&dict, LIFE_DUE, "(xxxs)", due->at_usec, due->lead_usec,
                              due->hold_usec, due->name);
    g_autoptr(GVariant) record = g_variant_ref_sink(g_variant_dict_end(&dict));
    return g_variant_get_data_as_bytes(record);
}

static void restore_due(BerthInstance *instance, GVariantDict *record)
{
    gint64 at = 0, lead = 0, hold = 0;
    const char *name = NULL;
    if (!g_variant_dict_lookup(record, LIFE_DUE, "(xxx&s)", &at, &lead, &hold, &name))
        return;
    berth_due_clear(&instance->expected.due);
    instance->expected.due = (BerthDue){at, lead, hold, g_strdup(name)};
}

void berth_instance_restore_life(BerthInstance *instance, GBytes *life)
{
    g_autoptr(GVariant) value =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, life, FALSE));
    g_auto(GVariantDict) record;
    g_variant_dict_init(&record, value);
    g_autoptr(GVariant) shares = g_variant_dict_lookup_value(&record, LIFE_SHARES, NULL);
    if (!instance->machine->isolated && shares != NULL &&
        berth_share_process_restore(instance->shares, shares))
        g_variant_dict_lookup(&record, LIFE_SHARE_ROOT, "s", &instance->life.share_root);
    restore_due(instance, &record);
}

/* --- the guest -------------------------------------------------------------------------------- */

bool berth_instance_take_over(BerthInstance *instance)
{
    g_autoptr(GError) error = NULL;
    if (instance->machine->rescue || !berth_park_exists(instance->machine->disk))
        return false;
    berth_console_log(instance->console, "%s is parked", instance->machine->name);
    berth_instance_begin_life(instance);
    instance->takeover.active = true;
    instance->state = SUSPENDED;
    instance->park.phase = PARKED;
    if (berth_instance_open_life(instance, &error))
        berth_instance_wake(instance);
    else
        berth_instance_fail(instance, g_steal_pointer(&error));
    return true;
}

static gboolean on_greet_timeout(gpointer user_data)
{
    BerthInstance *instance = user_data;
    g_autoptr(GError) error = NULL;
    if (berth_instance_is_paused(instance))
        return G_SOURCE_CONTINUE;
    berth_error_set(&error, BERTH_ERROR_GUEST, "park.silent", NULL,
                    "its agent did not answer within %u s", GREET_SEC);
    berth_instance_clear_timer(&instance->timer);
    berth_instance_lose_parked(instance, error);
    return G_SOURCE_REMOVE;
}

/* Its agent begins anew for us, while all else in it is frozen. */
void berth_instance_greet(BerthInstance *instance)
{
    instance->suspension.phase = GREETING;
    berth_instance_connect_agent(instance);
    berth_instance_set_timer(instance, GREET_SEC * 1000, on_greet_timeout);
}

void berth_instance_greeted(BerthInstance *instance)
{
    if (instance->suspension.phase != GREETING)
        return;
    berth_server_set_ready(instance->server);
    g_auto(GStrv) paths = berth_instance_share_paths(instance);
    if (instance->life.share_root != NULL || instance->machine->isolated)
        berth_agent_client_set_shares(instance->life.agent, (const char *const *)paths);
    if (instance->machine->isolated) /* those of the distro that it is a clone of */
        berth_agent_client_unshare(instance->life.agent);
    berth_instance_continue_guest(instance);
}

void berth_instance_taken_over(BerthInstance *instance)
{
    if (!instance->takeover.active)
        return;
    instance->takeover.active = false;
    berth_instance_begin_up(instance);
}

/* --- failures --------------------------------------------------------------------------------- */

static void set_loss(BerthInstance *instance, const GError *error)
{
    char **loss = &instance->takeover.loss;
    if (*loss != NULL)
        return;
    *loss = g_strdup_printf(
        "%s was parked, but cannot continue: %s; it boots instead, and data that its "
        "programs had not saved is lost",
        instance->machine->name, error->message);
    berth_console_log(instance->console, "%s", *loss);
}

void berth_instance_lose_parked(BerthInstance *instance, const GError *error)
{
    set_loss(instance, error);
    berth_instance_park_forget(instance, NULL);
    berth_instance_clear_timer(&instance->timer);
    if (instance->process.qemu != NULL)
        berth_qemu_kill(instance->process.qemu); /* berth_instance_boot_instead follows */
    else
        berth_instance_boot_instead(instance);
}

bool berth_instance_takeover_failed(BerthInstance *instance)
{
    if (!instance->takeover.active || instance->state != WAKING)
        return false;
    g_autoptr(GError) error = berth_instance_crash_error(instance);
    set_loss(instance, error);
    return true;
}
