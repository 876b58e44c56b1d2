/* SPDX-License-Identifier: MIT */
#include "control.h"

#include "base/error.h"

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
#define SKIPPED_MAX      16u
#define SKIPPED_TEXT_MAX 2048u

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
    g_free(status->idle);
    g_free(status->awake);
    g_free(status->idle_problem);
    g_free(status->due_name);
    g_free(status->checkpoint);
    g_free(status->checkpoint_problem);
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

void berth_control_set_malformed(const WireFrame *answer, GError **error)
{
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "instance.answer",
                    "end the distro, then try again: berth terminate NAME",
                    "the keeper sent an unexpected answer of type %u", answer->type);
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
        berth_control_set_malformed(frame, error);
}

static void put_use(WireBuffer *buffer, const BerthGuestUse *use)
{
    wire_put_u64(buffer, (guint64)use->seen_usec);
    wire_put_u64(buffer, use->memory);
    wire_put_u64(buffer, use->memory_used);
    wire_put_u64(buffer, use->disk);
    wire_put_u64(buffer, use->disk_used);
    wire_put_u64(buffer, use->received);
    wire_put_u64(buffer, use->sent);
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
    wire_put_u64(buffer, status->memory_kept);
    wire_put_string(buffer, status->idle);
    wire_put_u32(buffer, status->idle_timeout_sec);
    wire_put_string(buffer, status->awake);
    wire_put_u64(buffer, status->idle_usec);
    wire_put_u64(buffer, status->kept_usec);
    wire_put_text(buffer, status->idle_problem, STATUS_TEXT_MAX);
    wire_put_u64(buffer, status->due_usec);
    wire_put_text(buffer, status->due_name, STATUS_TEXT_MAX);
    wire_put_text(buffer, status->checkpoint, STATUS_TEXT_MAX);
    wire_put_text(buffer, status->checkpoint_problem, STATUS_TEXT_MAX);
    put_use(buffer, &status->use);
    wire_frame_end(buffer, begin);
}

static BerthGuestUse read_use(WireReader *reader)
{
    BerthGuestUse use;
    use.seen_usec = (gint64)wire_get_u64(reader);
    use.memory = wire_get_u64(reader);
    use.memory_used = wire_get_u64(reader);
    use.disk = wire_get_u64(reader);
    use.disk_used = wire_get_u64(reader);
    use.received = wire_get_u64(reader);
    use.sent = wire_get_u64(reader);
    return use;
}

static BerthInstanceStatus *read_status(WireReader *reader)
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
    status->memory_kept = wire_get_u64(reader);
    status->idle = g_strdup(wire_get_string(reader));
    status->idle_timeout_sec = wire_get_u32(reader);
    status->awake = g_strdup(wire_get_string(reader));
    status->idle_usec = wire_get_u64(reader);
    status->kept_usec = wire_get_u64(reader);
    status->idle_problem = g_strdup(wire_get_string(reader));
    status->due_usec = wire_get_u64(reader);
    status->due_name = g_strdup(wire_get_string(reader));
    status->checkpoint = g_strdup(wire_get_string(reader));
    status->checkpoint_problem = g_strdup(wire_get_string(reader));
    status->use = read_use(reader);
    return status;
}

BerthInstanceStatus *berth_control_get_status(const WireFrame *frame, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    g_autoptr(BerthInstanceStatus) status = read_status(&reader);
    if (wire_reader_done(&reader))
        return g_steal_pointer(&status);
    berth_control_set_malformed(frame, error);
    return NULL;
}

void berth_control_put_shares(WireBuffer *buffer, const char *const *paths)
{
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_SHARES_ARE, 0, 0);
    wire_put_list(buffer, paths);
    if (wire_frame_end(buffer, begin))
        return;
    begin = wire_frame_begin(buffer, (WireType)CONTROL_SHARES_ARE, 0, 0);
    wire_put_list(buffer, NULL);
    wire_frame_end(buffer, begin);
}

char **berth_control_get_shares(const WireFrame *frame, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    char **list = wire_get_list(&reader);
    g_auto(GStrv) paths = g_strdupv(list);
    free(list);
    if (wire_reader_done(&reader) && paths != NULL && g_strv_length(paths) % 2 == 0)
        return g_steal_pointer(&paths);
    berth_control_set_malformed(frame, error);
    return NULL;
}

void berth_control_put_shares_set(WireBuffer *buffer, BerthSharesEffect effect,
                                  const GPtrArray *skipped)
{
    guint count = MIN(skipped->len, SKIPPED_MAX);
    size_t begin = wire_frame_begin(buffer, (WireType)CONTROL_SHARES_SET, 0, 0);
    wire_put_u8(buffer, (guint8)effect);
    wire_put_u32(buffer, count);
    for (guint i = 0; i < count; i++)
        wire_put_text(buffer, skipped->pdata[i], SKIPPED_TEXT_MAX);
    wire_frame_end(buffer, begin);
}

bool berth_control_get_shares_set(const WireFrame *frame, BerthSharesEffect *ret_effect,
                                  char ***ret_skipped, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    guint8 effect = wire_get_u8(&reader);
    char **list = wire_get_list(&reader);
    g_auto(GStrv) skipped = g_strdupv(list);
    free(list);
    if (!wire_reader_done(&reader) || skipped == NULL || effect > BERTH_SHARES_LATER) {
        berth_control_set_malformed(frame, error);
        return false;
    }
    *ret_effect = (BerthSharesEffect)effect;
    *ret_skipped = g_steal_pointer(&skipped);
    return true;
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

static BerthForward *read_forward(WireReader *reader)
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

bool berth_control_get_ports(const WireFrame *frame, GPtrArray *forwards, bool *ret_more,
                             GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    BerthForward *forward = NULL;
    guint8 tag;
    while ((tag = wire_get_u8(&reader)) == PORTS_ENTRY && (forward = read_forward(&reader)) != NULL)
        g_ptr_array_add(forwards, forward);
    *ret_more = tag == PORTS_MORE;
    if ((tag == PORTS_MORE || tag == PORTS_END) && wire_reader_done(&reader))
        return true;
    berth_control_set_malformed(frame, error);
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

static BerthBootReport *read_boot(WireReader *reader)
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

BerthBootReport *berth_control_get_boot(const WireFrame *frame, GError **error)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    g_autoptr(BerthBootReport) report = read_boot(&reader);
    if (wire_reader_done(&reader))
        return g_steal_pointer(&report);
    berth_control_set_malformed(frame, error);
    return NULL;
}
