/* SPDX-License-Identifier: MIT */
#include "control.h"

#include "base/error.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* The guest chooses the number and length of names, so a list may take several frames. */
enum { PORTS_END = 0, PORTS_ENTRY = 1, PORTS_MORE = 2 };
#define PORTS_FRAME_SIZE (WIRE_PAYLOAD_MAX - 4096u) /* start the next frame beyond this */
#define OWNER_MAX        64u
#define REASON_MAX       1024u
/* Limits of foreign strings, so that each answer fits a frame. */
#define ERROR_TEXT_MAX   16384u
#define STATUS_TEXT_MAX  1024u
#define STATUS_PORTS_MAX 32768u
#define BOOT_NAME_MAX    64u /* of 64 stages and 64 notices: boot_report.c */
#define BOOT_TEXT_MAX    384u

void berth_instance_status_free(BerthInstanceStatus *status)
{
    if (status == NULL)
        return;
    g_free(status->state);
    g_free(status->accel);
    g_free(status->kernel);
    g_free(status->init);
    g_free(status->init_status);
    g_free(status->host_ports);
    g_free(status->reason);
    g_free(status);
}

void berth_control_put_error(WireBuffer *buffer, const GError *error)
{
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_ERROR, 0, 0);
    wire_put_u32(buffer, error->domain == BERTH_ERROR ? (guint32)error->code : BERTH_ERROR_FAILED);
    wire_put_string(buffer, berth_error_id(error));
    wire_put_text(buffer, berth_error_hint(error), ERROR_TEXT_MAX);
    wire_put_text(buffer, error->message, ERROR_TEXT_MAX);
    wire_frame_end(buffer, begin);
}

static void set_malformed(const WireFrame *answer, GError **error)
{
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "instance.answer",
                    "end the distro, then try again: berth terminate NAME",
                    "the keeper gave an answer of type %u that makes no sense", answer->type);
}

void berth_control_get_error(const WireFrame *frame, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint32 code = wire_get_u32(&reader);
    const char *id = wire_get_string(&reader);
    const char *hint = wire_get_string(&reader);
    const char *message = wire_get_string(&reader);
    if (wire_reader_done(&reader))
        berth_error_set_remote(error, code, id, hint, message);
    else
        set_malformed(frame, error);
}

void berth_control_put_status(WireBuffer *buffer, const BerthInstanceStatus *status)
{
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_STATUS_IS, 0, 0);
    wire_put_string(buffer, status->state);
    wire_put_string(buffer, status->accel);
    wire_put_u32(buffer, status->keeper_pid);
    wire_put_u32(buffer, status->qemu_pid);
    wire_put_u64(buffer, (guint64)status->uptime_usec);
    wire_put_u32(buffer, status->sessions);
    wire_put_text(buffer, status->kernel, STATUS_TEXT_MAX);
    wire_put_text(buffer, status->init, STATUS_TEXT_MAX);
    wire_put_text(buffer, status->init_status, STATUS_TEXT_MAX);
    wire_put_text(buffer, status->host_ports, STATUS_PORTS_MAX);
    wire_put_text(buffer, status->reason, STATUS_TEXT_MAX);
    wire_frame_end(buffer, begin);
}

static BerthInstanceStatus *get_status(WireReader *reader)
{
    BerthInstanceStatus *status = g_new0(BerthInstanceStatus, 1);
    status->state = g_strdup(wire_get_string(reader));
    status->accel = g_strdup(wire_get_string(reader));
    status->keeper_pid = wire_get_u32(reader);
    status->qemu_pid = wire_get_u32(reader);
    status->uptime_usec = (gint64)wire_get_u64(reader);
    status->sessions = wire_get_u32(reader);
    status->kernel = g_strdup(wire_get_string(reader));
    status->init = g_strdup(wire_get_string(reader));
    status->init_status = g_strdup(wire_get_string(reader));
    status->host_ports = g_strdup(wire_get_string(reader));
    status->reason = g_strdup(wire_get_string(reader));
    return status;
}

static void put_forward(WireBuffer *buffer, const BerthForward *forward)
{
    g_autofree char *rule = berth_rule_format(&forward->rule);
    g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < BERTH_LEGS; i++) {
        const BerthLeg *leg = &forward->legs[i];
        if (leg->state == BERTH_FORWARD_OPEN)
            g_ptr_array_add(addresses, berth_rule_address_text(leg->family, leg->host));
    }
    g_ptr_array_add(addresses, NULL);
    wire_put_string(buffer, rule);
    wire_put_u16(buffer, forward->host_port);
    wire_put_u8(buffer, (guint8)forward->origin);
    wire_put_u8(buffer, (guint8)forward->state);
    wire_put_text(buffer, forward->owner, OWNER_MAX);
    wire_put_text(buffer, forward->reason, REASON_MAX);
    wire_put_list(buffer, (const char *const *)addresses->pdata);
}

void berth_control_put_ports(WireBuffer *buffer, const GPtrArray *forwards)
{
    guint i = 0;
    do {
        size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_PORTS_ARE, 0, 0);
        for (; i < forwards->len && wire_buffer_size(buffer) - begin < PORTS_FRAME_SIZE; i++) {
            wire_put_u8(buffer, PORTS_ENTRY);
            put_forward(buffer, g_ptr_array_index(forwards, i));
        }
        wire_put_u8(buffer, i < forwards->len ? PORTS_MORE : PORTS_END);
        wire_frame_end(buffer, begin);
    } while (i < forwards->len);
}

/* The open legs of @forward, by their addresses. */
static void read_addresses(BerthForward *forward, char **addresses)
{
    guint count = 0;
    for (guint i = 0; i < BERTH_LEGS; i++)
        forward->legs[i].state = BERTH_FORWARD_IGNORED;
    for (gsize i = 0; addresses != NULL && addresses[i] != NULL && count < BERTH_LEGS; i++) {
        BerthLeg *leg = &forward->legs[count++];
        leg->state = BERTH_FORWARD_OPEN;
        leg->protocol = forward->rule.protocol;
        leg->host_port = forward->host_port;
        leg->family = strchr(addresses[i], ':') != NULL ? 6 : 4;
        inet_pton(leg->family == 6 ? AF_INET6 : AF_INET, addresses[i], leg->host);
    }
}

static BerthForward *get_forward(WireReader *reader)
{
    g_autoptr(BerthForward) forward = g_new0(BerthForward, 1);
    const char *rule = wire_get_string(reader);
    forward->host_port = wire_get_u16(reader);
    guint8 origin = wire_get_u8(reader);
    guint8 state = wire_get_u8(reader);
    forward->origin = (BerthOrigin)origin;
    forward->state = (BerthForwardState)state;
    forward->owner = g_strdup(wire_get_string(reader));
    const char *reason = wire_get_string(reader);
    forward->reason = *reason != '\0' ? g_strdup(reason) : NULL;
    char **addresses = wire_get_list(reader);
    bool sound = !reader->failed && origin <= BERTH_ORIGIN_PUBLISH &&
                 state <= BERTH_FORWARD_IGNORED && berth_rule_parse(rule, &forward->rule, NULL);
    if (sound)
        read_addresses(forward, addresses);
    free(addresses);
    return sound ? g_steal_pointer(&forward) : NULL;
}

/* Append the forwards in @frame. *@ret_more: another frame follows. */
static bool get_ports(const WireFrame *frame, GPtrArray *forwards, bool *ret_more, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    BerthForward *forward = NULL;
    guint8 tag;
    while ((tag = wire_get_u8(&reader)) == PORTS_ENTRY && (forward = get_forward(&reader)) != NULL)
        g_ptr_array_add(forwards, forward);
    *ret_more = tag == PORTS_MORE;
    if ((tag == PORTS_MORE || tag == PORTS_END) && wire_reader_done(&reader))
        return true;
    set_malformed(frame, error);
    return false;
}

void berth_control_put_boot(WireBuffer *buffer, const BerthBootReport *report)
{
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_BOOT_IS, 0, 0);
    wire_put_u32(buffer, report->stages->len);
    for (guint i = 0; i < report->stages->len; i++) {
        const BerthBootStage *stage = report->stages->pdata[i];
        wire_put_text(buffer, stage->name, BOOT_NAME_MAX);
        wire_put_u64(buffer, (guint64)stage->end_usec);
        wire_put_text(buffer, stage->problem, BOOT_TEXT_MAX);
    }
    wire_put_u32(buffer, report->notices->len);
    for (guint i = 0; i < report->notices->len; i++)
        wire_put_text(buffer, report->notices->pdata[i], BOOT_TEXT_MAX);
    wire_put_u32(buffer, report->notices_left_out);
    wire_frame_end(buffer, begin);
}

static BerthBootReport *get_boot(WireReader *reader)
{
    BerthBootReport *report = berth_boot_report_new();
    guint32 count = wire_get_u32(reader);
    for (guint32 i = 0; i < count && !reader->failed; i++) {
        const char *name = wire_get_string(reader);
        gint64 end_usec = (gint64)wire_get_u64(reader);
        berth_boot_report_add(report, name, end_usec, wire_get_string(reader));
    }
    char **notices = wire_get_list(reader);
    for (gsize i = 0; notices != NULL && notices[i] != NULL; i++)
        berth_boot_report_problem(report, notices[i]);
    free(notices);
    report->notices_left_out += wire_get_u32(reader);
    return report;
}

static bool check_answer(const WireFrame *answer, ControlType wanted, GError **error)
{
    if (answer->type == CONTROL_ERROR) {
        berth_control_get_error(answer, error);
        return false;
    }
    if (answer->type == wanted)
        return true;
    set_malformed(answer, error);
    return false;
}

/* Wait for an answer of type @wanted. */
static bool receive(BerthChannel *channel, ControlType wanted, WireFrame *ret_answer,
                    GError **error)
{
    return berth_channel_receive(channel, ret_answer, error) &&
           check_answer(ret_answer, wanted, error);
}

/* Send the request in @channel's output and wait for an answer of type @wanted. */
static bool ask(BerthChannel *channel, ControlType wanted, WireFrame *ret_answer, GError **error)
{
    return berth_channel_send(channel, error) && receive(channel, wanted, ret_answer, error);
}

static bool ask_done(int fd, ControlType request, const void *payload, size_t size, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)request, 0, 0, payload, size);
    WireFrame answer;
    return ask(&channel, CONTROL_DONE, &answer, error);
}

static void pass_line(const WireFrame *frame, const BerthWaiting *waiting)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    const char *line = wire_get_string(&reader);
    if (wire_reader_done(&reader) && waiting != NULL && waiting->line != NULL)
        waiting->line(line, waiting->user_data);
}

/* As ask_done, for requests that the guest has to fulfil: passes notices to @waiting. */
static bool ask_and_wait(int fd, ControlType request, const void *payload, size_t size,
                         const BerthWaiting *waiting, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    if (request != CONTROL_STOP) /* works between all versions, without HELLO: hello.h */
        berth_channel_begin(&channel);
    if (waiting != NULL) {
        channel.goes_on = waiting->goes_on;
        channel.user_data = waiting->goes_on_data;
    }
    wire_frame_put(&channel.output, (WireType)request, 0, 0, payload, size);
    if (!berth_channel_send(&channel, error))
        return false;
    WireFrame answer;
    for (;;) {
        if (!berth_channel_receive(&channel, &answer, error))
            return false;
        if (answer.type != CONTROL_PAUSED)
            return check_answer(&answer, CONTROL_DONE, error);
        pass_line(&answer, waiting);
    }
}

bool berth_control_wait(int fd, const BerthWaiting *waiting, GError **error)
{
    return ask_and_wait(fd, CONTROL_WAIT, NULL, 0, waiting, error);
}

bool berth_control_stop(int fd, BerthStopHow how, guint grace_sec, const BerthWaiting *waiting,
                        GError **error)
{
    guint32 grace = GUINT32_TO_LE(grace_sec);
    guint8 payload[5] = {(guint8)how};
    memcpy(payload + 1, &grace, sizeof(grace));
    return ask_and_wait(fd, CONTROL_STOP, payload, sizeof(payload), waiting, error);
}

bool berth_control_grow(int fd, guint64 size, const BerthWaiting *waiting, GError **error)
{
    const guint64 payload = GUINT64_TO_LE(size);
    return ask_and_wait(fd, CONTROL_GROW, &payload, sizeof(payload), waiting, error);
}

bool berth_control_set_host_ports(int fd, const char *ports, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    size_t begin = wire_frame_begin(&channel.output, (WireType)CONTROL_REACH, 0, 0);
    wire_put_string(&channel.output, ports);
    if (!wire_frame_end(&channel.output, begin)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "access.ports", "allow fewer ports",
                        "the list of ports has %" G_GSIZE_FORMAT " bytes, more than a running "
                        "distro can be told (%u)",
                        strlen(ports), WIRE_PAYLOAD_MAX);
        return false;
    }
    WireFrame answer;
    return ask(&channel, CONTROL_DONE, &answer, error);
}

bool berth_control_allow_host_port(int fd, guint16 port, GError **error)
{
    const guint16 payload = GUINT16_TO_LE(port);
    return ask_done(fd, CONTROL_REACH_ONE, &payload, sizeof(payload), error);
}

BerthInstanceStatus *berth_control_status(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_STATUS, 0, 0, NULL, 0);
    WireFrame answer;
    if (!ask(&channel, CONTROL_STATUS_IS, &answer, error))
        return NULL;

    WireReader reader;
    wire_reader_init(&reader, &answer);
    g_autoptr(BerthInstanceStatus) status = get_status(&reader);
    if (wire_reader_done(&reader))
        return g_steal_pointer(&status);
    set_malformed(&answer, error);
    return NULL;
}

/* Receive the rest of the list whose first frame is @answer. */
static GPtrArray *receive_ports(BerthChannel *channel, WireFrame *answer, GError **error)
{
    g_autoptr(GPtrArray) forwards =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    bool more;
    do
        if (!get_ports(answer, forwards, &more, error))
            return NULL;
    while (more && receive(channel, CONTROL_PORTS_ARE, answer, error));
    return more ? NULL : g_steal_pointer(&forwards);
}

GPtrArray *berth_control_ports(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_PORTS, 0, 0, NULL, 0);
    WireFrame answer;
    return ask(&channel, CONTROL_PORTS_ARE, &answer, error)
               ? receive_ports(&channel, &answer, error)
               : NULL;
}

bool berth_control_watch(BerthChannel *channel, GError **error)
{
    berth_channel_begin(channel);
    wire_frame_put(&channel->output, (WireType)CONTROL_WATCH, 0, 0, NULL, 0);
    return berth_channel_send(channel, error);
}

GPtrArray *berth_control_watched(BerthChannel *channel, GPtrArray **partial, bool *ret_ended,
                                 GError **error)
{
    WireFrame frame;
    *ret_ended = false;
    while (berth_channel_next(channel, &frame, error) == 1) {
        if (frame.type == CONTROL_DONE) {
            *ret_ended = true;
            return NULL;
        }
        if (!check_answer(&frame, CONTROL_PORTS_ARE, error))
            return NULL;
        if (*partial == NULL)
            *partial = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
        bool more;
        if (!get_ports(&frame, *partial, &more, error))
            return NULL;
        if (!more)
            return g_steal_pointer(partial);
    }
    return NULL;
}

bool berth_control_set_rule(int fd, const BerthRule *rule, bool wanted, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    g_autofree char *text = berth_rule_format(rule);
    size_t begin = wire_frame_begin(&channel.output, (WireType)CONTROL_FORWARD, 0, 0);
    wire_put_u8(&channel.output, wanted);
    wire_put_string(&channel.output, text);
    wire_frame_end(&channel.output, begin);
    WireFrame answer;
    return ask(&channel, CONTROL_DONE, &answer, error);
}

BerthBootReport *berth_control_boot(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_BOOT, 0, 0, NULL, 0);
    WireFrame answer;
    if (!ask(&channel, CONTROL_BOOT_IS, &answer, error))
        return NULL;

    WireReader reader;
    wire_reader_init(&reader, &answer);
    g_autoptr(BerthBootReport) report = get_boot(&reader);
    if (wire_reader_done(&reader))
        return g_steal_pointer(&report);
    set_malformed(&answer, error);
    return NULL;
}
