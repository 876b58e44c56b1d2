/* SPDX-License-Identifier: MIT */
#include "server_private.h"

#include "base/error.h"
#include "model/share.h"

#include <stdlib.h>

static bool handle_wait(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    client->asked = ASKED_WAIT;
    if (server->up) {
        berth_server_client_answer_done(client);
        return true;
    }
    berth_server_client_notify_pause(client);
    server->ops->wake(server->user_data);
    return true;
}

static bool handle_status(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    g_autoptr(BerthInstanceStatus) status = server->ops->status(server->user_data);
    status->sessions = berth_server_sessions(server);
    berth_control_put_status(berth_link_output(client->link), status);
    berth_link_flush(client->link);
    return true;
}

static bool handle_ports(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    g_autoptr(GPtrArray) forwards = server->ops->ports(server->user_data);
    berth_control_put_ports(berth_link_output(client->link), forwards);
    berth_link_flush(client->link);
    return true;
}

static bool handle_watch(Client *client, const WireFrame *frame)
{
    client->asked = ASKED_WATCH;
    return handle_ports(client, frame);
}

static bool handle_forward(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    bool wanted = wire_get_u8(&reader) != 0;
    const char *text = wire_get_string(&reader);
    if (!wire_reader_done(&reader))
        return false;
    g_autoptr(GError) error = NULL;
    BerthRule rule;
    bool ok = berth_rule_parse(text, &rule, &error) &&
              server->ops->set_rule(&rule, wanted, server->user_data, &error);
    return berth_server_client_answer_result(client, ok, error);
}

static bool handle_boot(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    berth_control_put_boot(berth_link_output(client->link), server->ops->boot(server->user_data));
    berth_link_flush(client->link);
    return true;
}

static bool handle_shares(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    g_auto(GStrv) paths = server->ops->shares(server->user_data);
    berth_control_put_shares(berth_link_output(client->link), (const char *const *)paths);
    berth_link_flush(client->link);
    return true;
}

/* The texts of a request; NULL when one is malformed. */
static char **read_shares(const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    char **list = wire_get_list(&reader);
    g_auto(GStrv) shares = g_strdupv(list);
    free(list);
    if (!wire_reader_done(&reader) || shares == NULL)
        return NULL;
    for (char **text = shares; *text != NULL; text++) {
        g_autoptr(BerthShare) share = berth_share_from_text(*text);
        if (share == NULL)
            return NULL;
    }
    return g_steal_pointer(&shares);
}

void berth_server_client_answer_shares(Client *client, BerthSharesEffect effect)
{
    BerthServer *server = client->server;
    client->asked = NOT_ASKED;
    berth_control_put_shares_set(berth_link_output(client->link), effect,
                                 server->ops->skipped_shares(server->user_data));
    berth_link_flush(client->link);
}

static bool handle_set_shares(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    bool waits = false;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) shares = read_shares(frame);
    if (shares == NULL)
        return false;
    if (!server->ops->set_shares((const char *const *)shares, &client->effect, &waits,
                                 server->user_data, &error))
        return berth_server_client_answer_result(client, false, error);
    if (waits)
        client->asked = ASKED_SHARES;
    else
        berth_server_client_answer_shares(client, client->effect);
    return true;
}

static bool handle_stop(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint8 how = wire_get_u8(&reader);
    guint32 grace_sec = wire_get_u32(&reader);
    if (!wire_reader_done(&reader) || how > BERTH_STOP_FORCE)
        return false;
    client->asked = ASKED_STOP;
    if (how == BERTH_STOP_ORDERLY)
        berth_server_client_notify_pause(client);
    server->ops->stop((BerthStopHow)how, grace_sec, server->user_data);
    return true;
}

static bool handle_grow(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint64 size = wire_get_u64(&reader);
    if (!wire_reader_done(&reader))
        return false;
    if (server->growing) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_BUSY, "resize.busy", NULL,
                        "the disk is already being made larger");
        return berth_server_client_answer_result(client, false, error);
    }
    client->asked = ASKED_GROW;
    berth_server_client_notify_pause(client);
    server->growing = true;
    server->ops->grow(size, server->user_data);
    return true;
}

/* A grow needs the guest. */
static bool refuse_while_growing(Client *client)
{
    if (!client->server->growing)
        return false;
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_BUSY, "suspend.busy", "try again",
                    "its disk is being made larger");
    return berth_server_client_answer_result(client, false, error);
}

static bool handle_suspend(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    if (refuse_while_growing(client))
        return true;
    client->asked = ASKED_SUSPEND;
    server->ops->suspend(server->user_data);
    return true;
}

static bool handle_park(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    if (refuse_while_growing(client))
        return true;
    client->asked = ASKED_PARK;
    server->ops->park(server->user_data);
    return true;
}

static bool handle_prepare(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    client->asked = ASKED_PREPARE;
    client->prepares = true;
    server->ops->prepare(server->user_data);
    return true;
}

static bool handle_hold(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    if (refuse_while_growing(client))
        return true;
    client->asked = ASKED_HOLD;
    client->holds = true;
    server->ops->hold(server->user_data);
    return true;
}

static bool handle_release(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    if (!client->holds) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_GUEST, "hold.lost", "try again",
                        "it was not held until now");
        return berth_server_client_answer_result(client, false, error);
    }
    client->holds = false;
    berth_server_client_answer_done(client);
    server->ops->release(server->user_data);
    return true;
}

static bool handle_save(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint8 flags = wire_get_u8(&reader);
    const char *disk = wire_get_string(&reader);
    if (!wire_reader_done(&reader) || disk[0] != '/' || client->saves)
        return false;
    if (!client->holds) {
        g_autoptr(GError) error = NULL;
        berth_error_set(&error, BERTH_ERROR_GUEST, "hold.lost", "try again",
                        "it was not held until now");
        return berth_server_client_answer_result(client, false, error);
    }
    client->asked = ASKED_SAVE;
    server->ops->save(disk, flags, server->user_data);
    return true;
}

static bool handle_written(Client *client, const WireFrame *frame)
{
    if (!client->saves)
        return false;
    client->asked = ASKED_WRITTEN;
    client->server->ops->await(client->server->user_data);
    return true;
}

static bool handle_keep(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint32 seconds = wire_get_u32(&reader);
    if (!wire_reader_done(&reader))
        return false;
    server->ops->keep(seconds, server->user_data);
    berth_server_client_answer_done(client);
    return true;
}

static bool handle_host_ports(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    const char *ports = wire_get_string(&reader);
    if (!wire_reader_done(&reader))
        return false;
    g_autoptr(GError) error = NULL;
    bool ok = server->ops->set_host_ports(ports, server->user_data, &error);
    return berth_server_client_answer_result(client, ok, error);
}

static bool handle_host_port(Client *client, const WireFrame *frame)
{
    BerthServer *server = client->server;
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint16 port = wire_get_u16(&reader);
    if (!wire_reader_done(&reader) || port == 0)
        return false;
    g_autoptr(GError) error = NULL;
    bool ok = server->ops->allow_host_port(port, server->user_data, &error);
    return berth_server_client_answer_result(client, ok, error);
}

static const struct {
    ControlType type;
    bool has_fields; /* checked by handle */
    bool (*handle)(Client *client, const WireFrame *frame);
} requests[] = {
    {CONTROL_WAIT, false, handle_wait},       {CONTROL_STATUS, false, handle_status},
    {CONTROL_PORTS, false, handle_ports},     {CONTROL_STOP, true, handle_stop},
    {CONTROL_GROW, true, handle_grow},        {CONTROL_BOOT, false, handle_boot},
    {CONTROL_WATCH, false, handle_watch},     {CONTROL_FORWARD, true, handle_forward},
    {CONTROL_REACH, true, handle_host_ports}, {CONTROL_REACH_ONE, true, handle_host_port},
    {CONTROL_SHARES, false, handle_shares},   {CONTROL_SET_SHARES, true, handle_set_shares},
    {CONTROL_SUSPEND, false, handle_suspend}, {CONTROL_KEEP, true, handle_keep},
    {CONTROL_HOLD, false, handle_hold},       {CONTROL_RELEASE, false, handle_release},
    {CONTROL_PARK, false, handle_park},       {CONTROL_SAVE, true, handle_save},
    {CONTROL_WRITTEN, false, handle_written}, {CONTROL_PREPARE, false, handle_prepare},
};

bool berth_server_client_handle_request(Client *client, const WireFrame *frame)
{
    if (berth_server_client_is_busy(client))
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++)
        if (requests[i].type == frame->type)
            return (requests[i].has_fields || frame->size == 0) &&
                   requests[i].handle(client, frame);
    return false;
}
