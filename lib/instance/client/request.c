/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool check_answer(const WireFrame *answer, ControlType wanted, GError **error)
{
    if (answer->type == CONTROL_ERROR) {
        berth_control_get_error(answer, error);
        return false;
    }
    if (answer->type == wanted)
        return true;
    berth_control_set_malformed(answer, error);
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

/* As ask, for requests that the guest must fulfil: passes notices to @waiting. */
static bool ask_patiently(BerthChannel *channel, ControlType wanted, const BerthWaiting *waiting,
                          WireFrame *ret_answer, GError **error)
{
    if (waiting != NULL) {
        channel->goes_on = waiting->goes_on;
        channel->user_data = waiting->goes_on_data;
    }
    if (!berth_channel_send(channel, error))
        return false;
    for (;;) {
        if (!berth_channel_receive(channel, ret_answer, error))
            return false;
        if (ret_answer->type != CONTROL_PAUSED)
            return check_answer(ret_answer, wanted, error);
        pass_line(ret_answer, waiting);
    }
}

static bool ask_and_wait(int fd, ControlType request, const void *payload, size_t size,
                         const BerthWaiting *waiting, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    if (request != CONTROL_STOP) /* works between all versions, without HELLO: hello.h */
        berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)request, 0, 0, payload, size);
    WireFrame answer;
    return ask_patiently(&channel, CONTROL_DONE, waiting, &answer, error);
}

bool berth_request_wait(int fd, const BerthWaiting *waiting, GError **error)
{
    return ask_and_wait(fd, CONTROL_WAIT, NULL, 0, waiting, error);
}

bool berth_request_stop(int fd, BerthStopHow how, guint grace_sec, const BerthWaiting *waiting,
                        GError **error)
{
    guint32 grace = GUINT32_TO_LE(grace_sec);
    guint8 payload[5] = {(guint8)how};
    memcpy(payload + 1, &grace, sizeof(grace));
    return ask_and_wait(fd, CONTROL_STOP, payload, sizeof(payload), waiting, error);
}

bool berth_request_suspend(int fd, const BerthWaiting *waiting, GError **error)
{
    return ask_and_wait(fd, CONTROL_SUSPEND, NULL, 0, waiting, error);
}

/* Send the request in @channel, and wait for an answer of the type @wanted, which is a flag. */
static bool ask_flag(BerthChannel *channel, ControlType wanted, const BerthWaiting *waiting,
                     bool *ret_flag, GError **error)
{
    WireFrame answer;
    WireReader reader;
    if (!ask_patiently(channel, wanted, waiting, &answer, error))
        return false;
    wire_reader_init(&reader, &answer);
    *ret_flag = wire_get_u8(&reader) != 0;
    if (wire_reader_done(&reader))
        return true;
    berth_control_set_malformed(&answer, error);
    return false;
}

bool berth_request_prepare(int fd, const BerthWaiting *waiting, GError **error)
{
    return ask_and_wait(fd, CONTROL_PREPARE, NULL, 0, waiting, error);
}

bool berth_request_hold(int fd, const BerthWaiting *waiting, bool *ret_was_awake, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_HOLD, 0, 0, NULL, 0);
    return ask_flag(&channel, CONTROL_HELD, waiting, ret_was_awake, error);
}

bool berth_request_release(int fd, GError **error)
{
    return ask_done(fd, CONTROL_RELEASE, NULL, 0, error);
}

/* Open the memory of the other guest, which the keeper holds meanwhile. */
static int open_lent(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        berth_error_set_errno(error, errno, "save.lent", "the memory of the distro");
    return fd;
}

bool berth_request_save(int fd, const char *disk, guint flags, const BerthWaiting *waiting,
                        BerthSaved *ret_how, int *ret_memory, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    WireFrame answer;
    WireReader reader;
    *ret_memory = -1;
    berth_channel_begin(&channel);
    size_t begin = wire_frame_begin(&channel.output, (WireType)CONTROL_SAVE, 0, 0);
    wire_put_u8(&channel.output, (guint8)flags);
    wire_put_string(&channel.output, disk);
    wire_frame_end(&channel.output, begin);
    if (!ask_patiently(&channel, CONTROL_SAVED, waiting, &answer, error))
        return false;
    wire_reader_init(&reader, &answer);
    guint8 how = wire_get_u8(&reader);
    const char *path = wire_get_string(&reader);
    if (!wire_reader_done(&reader) || how > BERTH_SAVED_LENT) {
        berth_control_set_malformed(&answer, error);
        return false;
    }
    *ret_how = (BerthSaved)how;
    if (how == BERTH_SAVED_LENT)
        *ret_memory = open_lent(path, error);
    return how != BERTH_SAVED_LENT || *ret_memory >= 0;
}

bool berth_request_written(int fd, const BerthWaiting *waiting, GError **error)
{
    return ask_and_wait(fd, CONTROL_WRITTEN, NULL, 0, waiting, error);
}

bool berth_request_park(int fd, const BerthWaiting *waiting, GError **error)
{
    return ask_and_wait(fd, CONTROL_PARK, NULL, 0, waiting, error);
}

bool berth_request_keep(int fd, guint32 seconds, GError **error)
{
    const guint32 payload = GUINT32_TO_LE(seconds);
    return ask_done(fd, CONTROL_KEEP, &payload, sizeof(payload), error);
}

bool berth_request_grow(int fd, guint64 size, const BerthWaiting *waiting, GError **error)
{
    const guint64 payload = GUINT64_TO_LE(size);
    return ask_and_wait(fd, CONTROL_GROW, &payload, sizeof(payload), waiting, error);
}

bool berth_request_set_host_ports(int fd, const char *ports, GError **error)
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

bool berth_request_allow_host_port(int fd, guint16 port, GError **error)
{
    const guint16 payload = GUINT16_TO_LE(port);
    return ask_done(fd, CONTROL_REACH_ONE, &payload, sizeof(payload), error);
}

BerthInstanceStatus *berth_request_status(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_STATUS, 0, 0, NULL, 0);
    WireFrame answer;
    return ask(&channel, CONTROL_STATUS_IS, &answer, error)
               ? berth_control_get_status(&answer, error)
               : NULL;
}

char **berth_request_shares(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_SHARES, 0, 0, NULL, 0);
    WireFrame answer;
    return ask(&channel, CONTROL_SHARES_ARE, &answer, error)
               ? berth_control_get_shares(&answer, error)
               : NULL;
}

bool berth_request_set_shares(int fd, const char *const *shares, BerthSharesEffect *ret_effect,
                              char ***ret_skipped, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    size_t begin = wire_frame_begin(&channel.output, (WireType)CONTROL_SET_SHARES, 0, 0);
    wire_put_list(&channel.output, shares);
    if (!wire_frame_end(&channel.output, begin)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "share.many", "remove some shares",
                        "the list of shares is longer than a running distro accepts");
        return false;
    }
    WireFrame answer;
    if (!berth_channel_send(&channel, error))
        return false;
    do /* a pause of the distro is reported again at its next command */
        if (!berth_channel_receive(&channel, &answer, error))
            return false;
    while (answer.type == CONTROL_PAUSED);
    return check_answer(&answer, CONTROL_SHARES_SET, error) &&
           berth_control_get_shares_set(&answer, ret_effect, ret_skipped, error);
}

/* Receive the rest of the list whose first frame is @answer. */
static GPtrArray *receive_ports(BerthChannel *channel, WireFrame *answer, GError **error)
{
    g_autoptr(GPtrArray) forwards =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    bool more;
    do
        if (!berth_control_get_ports(answer, forwards, &more, error))
            return NULL;
    while (more && receive(channel, CONTROL_PORTS_ARE, answer, error));
    return more ? NULL : g_steal_pointer(&forwards);
}

GPtrArray *berth_request_ports(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_PORTS, 0, 0, NULL, 0);
    WireFrame answer;
    return ask(&channel, CONTROL_PORTS_ARE, &answer, error)
               ? receive_ports(&channel, &answer, error)
               : NULL;
}

bool berth_request_watch(BerthChannel *channel, GError **error)
{
    berth_channel_begin(channel);
    wire_frame_put(&channel->output, (WireType)CONTROL_WATCH, 0, 0, NULL, 0);
    return berth_channel_send(channel, error);
}

GPtrArray *berth_request_watched(BerthChannel *channel, GPtrArray **partial, bool *ret_ended,
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
        if (!berth_control_get_ports(&frame, *partial, &more, error))
            return NULL;
        if (!more)
            return g_steal_pointer(partial);
    }
    return NULL;
}

bool berth_request_set_rule(int fd, const BerthRule *rule, bool wanted, GError **error)
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

BerthBootReport *berth_request_boot(int fd, GError **error)
{
    g_auto(BerthChannel) channel = {.fd = fd};
    berth_channel_begin(&channel);
    wire_frame_put(&channel.output, (WireType)CONTROL_BOOT, 0, 0, NULL, 0);
    WireFrame answer;
    return ask(&channel, CONTROL_BOOT_IS, &answer, error) ? berth_control_get_boot(&answer, error)
                                                          : NULL;
}
