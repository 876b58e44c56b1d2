/* SPDX-License-Identifier: MIT */
#include "control.h"

#include "base/error.h"
#include "base/fd.h"
#include "channel.h"

#include <stdlib.h>
#include <string.h>

void berth_instance_status_free(BerthInstanceStatus *status)
{
    if (status == NULL)
        return;
    g_free(status->state);
    g_free(status->accel);
    g_free(status->kernel);
    g_free(status->init);
    g_free(status->init_status);
    g_free(status);
}

void berth_control_put_error(WireBuffer *buffer, const GError *error)
{
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_ERROR, 0, 0);
    wire_put_u32(buffer, error->domain == BERTH_ERROR ? (guint32)error->code : BERTH_ERROR_FAILED);
    wire_put_string(buffer, berth_error_id(error));
    wire_put_string(buffer, berth_error_hint(error));
    wire_put_string(buffer, error->message);
    wire_frame_end(buffer, begin);
}

void berth_control_get_error(const WireFrame *frame, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint32 code = wire_get_u32(&reader);
    const char *id = wire_get_string(&reader);
    const char *hint = wire_get_string(&reader);
    const char *message = wire_get_string(&reader);
    berth_error_set_remote(error, code, id, hint, message);
}

void berth_control_put_status(WireBuffer *buffer, const BerthInstanceStatus *status)
{
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_STATUS_IS, 0, 0);
    wire_put_string(buffer, status->state);
    wire_put_string(buffer, status->accel);
    wire_put_u32(buffer, status->keeper_pid);
    wire_put_u32(buffer, status->qemu_pid);
    wire_put_u64(buffer, (guint64)status->started_usec);
    wire_put_u32(buffer, status->sessions);
    wire_put_string(buffer, status->kernel);
    wire_put_string(buffer, status->init);
    wire_put_string(buffer, status->init_status);
    wire_frame_end(buffer, begin);
}

static BerthInstanceStatus *get_status(WireReader *reader)
{
    BerthInstanceStatus *status = g_new0(BerthInstanceStatus, 1);
    status->state = g_strdup(wire_get_string(reader));
    status->accel = g_strdup(wire_get_string(reader));
    status->keeper_pid = wire_get_u32(reader);
    status->qemu_pid = wire_get_u32(reader);
    status->started_usec = (gint64)wire_get_u64(reader);
    status->sessions = wire_get_u32(reader);
    status->kernel = g_strdup(wire_get_string(reader));
    status->init = g_strdup(wire_get_string(reader));
    status->init_status = g_strdup(wire_get_string(reader));
    return status;
}

void berth_control_put_ports(WireBuffer *buffer, const GPtrArray *forwards)
{
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_PORTS_ARE, 0, 0);
    guint32 count = MIN(forwards->len, WIRE_LISTENERS_MAX);
    wire_put_u32(buffer, count);
    for (guint32 i = 0; i < count; i++) {
        const BerthForward *forward = g_ptr_array_index(forwards, i);
        wire_put_u8(buffer, (guint8)forward->protocol);
        wire_put_u16(buffer, forward->port);
        wire_put_u8(buffer, forward->loopback);
        wire_put_u8(buffer, (guint8)forward->state);
        wire_put_string(buffer, forward->owner);
        wire_put_string(buffer, forward->reason);
    }
    wire_frame_end(buffer, begin);
}

static GPtrArray *get_ports(WireReader *reader)
{
    GPtrArray *forwards = g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    guint32 count = wire_get_u32(reader);
    for (guint32 i = 0; i < count && !reader->failed; i++) {
        BerthForward *forward = g_new0(BerthForward, 1);
        forward->protocol = (BerthProtocol)wire_get_u8(reader);
        forward->port = wire_get_u16(reader);
        forward->loopback = wire_get_u8(reader) != 0;
        forward->state = (BerthForwardState)wire_get_u8(reader);
        forward->owner = g_strdup(wire_get_string(reader));
        const char *reason = wire_get_string(reader);
        forward->reason = *reason != '\0' ? g_strdup(reason) : NULL;
        g_ptr_array_add(forwards, forward);
    }
    return forwards;
}

void berth_control_put_boot(WireBuffer *buffer, const BerthBootReport *report)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new();
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_BOOT_IS, 0, 0);
    wire_put_u32(buffer, report->stages->len);
    for (guint i = 0; i < report->stages->len; i++) {
        const BerthBootStage *stage = report->stages->pdata[i];
        wire_put_string(buffer, stage->name);
        wire_put_u64(buffer, (guint64)stage->end_usec);
        wire_put_string(buffer, stage->problem);
    }
    for (guint i = 0; i < report->notes->len; i++)
        g_ptr_array_add(notes, report->notes->pdata[i]);
    g_ptr_array_add(notes, NULL);
    wire_put_list(buffer, (const char *const *)notes->pdata);
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
    char **notes = wire_get_list(reader);
    for (gsize i = 0; notes != NULL && notes[i] != NULL; i++)
        berth_boot_report_note(report, notes[i]);
    free(notes);
    return report;
}

/* Send the request in @channel's output and wait for an answer of type @wanted. */
static bool ask(BerthChannel *channel, ControlType wanted, WireFrame *ret_answer, GError **error)
{
    if (!berth_channel_send(channel, error) || !berth_channel_receive(channel, ret_answer, error))
        return false;
    if (ret_answer->type == CONTROL_ERROR) {
        berth_control_get_error(ret_answer, error);
        return false;
    }
    if (ret_answer->type == wanted)
        return true;
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "instance.answer",
                    "the keeper may be of another version of berth: terminate the distro",
                    "the keeper gave an answer of type %u", ret_answer->type);
    return false;
}

static bool ask_done(int fd, ControlType request, const void *payload, size_t size, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    wire_frame_put(&channel.output, (WireType)request, 0, 0, payload, size);
    WireFrame answer;
    return ask(&channel, CONTROL_DONE, &answer, error);
}

bool berth_control_wait(int fd, GError **error)
{
    return ask_done(fd, CONTROL_WAIT, NULL, 0, error);
}

bool berth_control_stop(int fd, BerthStopHow how, guint grace_sec, GError **error)
{
    guint32 grace = GUINT32_TO_LE(grace_sec);
    guint8 payload[5] = {(guint8)how};
    memcpy(payload + 1, &grace, sizeof(grace));
    return ask_done(fd, CONTROL_STOP, payload, sizeof(payload), error);
}

bool berth_control_grow(int fd, guint64 size, GError **error)
{
    const guint64 payload = GUINT64_TO_LE(size);
    return ask_done(fd, CONTROL_GROW, &payload, sizeof(payload), error);
}

BerthInstanceStatus *berth_control_status(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    wire_frame_put(&channel.output, (WireType)CONTROL_STATUS, 0, 0, NULL, 0);
    WireFrame answer;
    if (!ask(&channel, CONTROL_STATUS_IS, &answer, error))
        return NULL;

    WireReader reader;
    wire_reader_init(&reader, &answer);
    return get_status(&reader);
}

GPtrArray *berth_control_ports(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    wire_frame_put(&channel.output, (WireType)CONTROL_PORTS, 0, 0, NULL, 0);
    WireFrame answer;
    if (!ask(&channel, CONTROL_PORTS_ARE, &answer, error))
        return NULL;

    WireReader reader;
    wire_reader_init(&reader, &answer);
    return get_ports(&reader);
}

BerthBootReport *berth_control_boot(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    wire_frame_put(&channel.output, (WireType)CONTROL_BOOT, 0, 0, NULL, 0);
    WireFrame answer;
    if (!ask(&channel, CONTROL_BOOT_IS, &answer, error))
        return NULL;

    WireReader reader;
    wire_reader_init(&reader, &answer);
    return get_boot(&reader);
}
