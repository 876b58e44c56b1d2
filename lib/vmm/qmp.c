/* SPDX-License-Identifier: MIT */
#include "qmp.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <glib-unix.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEPTH_MAX 32u

/* The first command; QEMU accepts no other before it. QEMU answers in order, so later commands need
 * not wait. */
#define CAPABILITIES_ID 0

typedef struct {
    gint64 id;
    BerthQmpDoneFunc done;
    gpointer user_data;
} Command;

/* A descriptor to be sent with the byte of `out` at @offset. */
typedef struct {
    gsize offset;
    int fd;
} Passed;

/* Reference-counted, since a callback may free the client that called it. */
struct BerthQmp {
    int fd;
    bool freed;
    bool greeted;
    GError *closed; /* why the connection ended, or NULL */

    GString *in;  /* up to the next newline */
    GString *out; /* sent once QEMU has greeted */
    GArray *fds;  /* Passed, by offset; owned */
    GSource *readable;
    GSource *writable;
    GSource *failing; /* fails commands issued after the end */

    GQueue pending; /* Command*, in the order of their answers */
    gint64 next_id;

    BerthQmpEventFunc on_event;
    BerthQmpClosedFunc on_closed;
    gpointer user_data;
};

static void drop_source(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_source_unref(*source);
    *source = NULL;
}

static void clear_passed(gpointer data)
{
    berth_fd_close(&((Passed *)data)->fd);
}

static void disconnect(BerthQmp *qmp)
{
    drop_source(&qmp->readable);
    drop_source(&qmp->writable);
    drop_source(&qmp->failing);
    berth_fd_close(&qmp->fd);
    g_array_set_size(qmp->fds, 0);
}

static void clear(gpointer object)
{
    BerthQmp *qmp = object;
    g_string_free(qmp->in, TRUE);
    g_string_free(qmp->out, TRUE);
    g_array_unref(qmp->fds);
    g_queue_clear_full(&qmp->pending, g_free);
    g_clear_error(&qmp->closed);
}

typedef BerthQmp BerthQmpRef;

static void release(BerthQmpRef *qmp)
{
    g_rc_box_release_full(qmp, clear);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthQmpRef, release)

/* Fail every pending command with the connection's error. */
static void fail_pending(BerthQmp *qmp)
{
    while (!qmp->freed && !g_queue_is_empty(&qmp->pending)) {
        g_autofree Command *command = g_queue_pop_head(&qmp->pending);
        if (command->done != NULL)
            command->done(qmp, NULL, qmp->closed, command->user_data);
    }
}

/* End the connection with @problem; takes ownership. */
static void end(BerthQmp *qmp, GError *problem)
{
    disconnect(qmp);
    qmp->closed = problem;
    fail_pending(qmp);
    if (!qmp->freed && qmp->on_closed != NULL)
        qmp->on_closed(qmp, qmp->closed, qmp->user_data);
}

static const char *string_member(JsonObject *object, const char *name)
{
    JsonNode *node = object != NULL ? json_object_get_member(object, name) : NULL;
    if (node == NULL || !JSON_NODE_HOLDS_VALUE(node) ||
        json_node_get_value_type(node) != G_TYPE_STRING)
        return NULL;
    return json_node_get_string(node);
}

static JsonObject *object_member(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);
    return node != NULL && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static bool fail_message(GError **error, const char *what)
{
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "qmp.message", NULL, "QEMU sent %s", what);
    return false;
}

static bool handle_greeting(BerthQmp *qmp, GError **error)
{
    if (qmp->greeted)
        return fail_message(error, "a second greeting");
    qmp->greeted = true;
    return true;
}

static const char *event_reason(JsonObject *data)
{
    const char *reason = string_member(data, "reason");
    JsonNode *open = data != NULL ? json_object_get_member(data, "open") : NULL;
    if (reason == NULL)
        reason = string_member(data, "status");
    if (reason != NULL)
        return reason;
    if (open == NULL || !JSON_NODE_HOLDS_VALUE(open) ||
        json_node_get_value_type(open) != G_TYPE_BOOLEAN)
        return "";
    return json_node_get_boolean(open) ? "open" : "closed";
}

static bool handle_event(BerthQmp *qmp, JsonObject *message, GError **error)
{
    JsonObject *data = object_member(message, "data");
    const char *action = string_member(data, "action");
    const BerthQmpEvent event = {
        .name = string_member(message, "event"),
        .reason = event_reason(data),
        .action = action != NULL ? action : "",
    };
    if (event.name == NULL)
        return fail_message(error, "an event without a name");
    if (qmp->on_event != NULL)
        qmp->on_event(qmp, &event, qmp->user_data);
    return true;
}

static bool handle_answer(BerthQmp *qmp, JsonObject *message, GError **error)
{
    Command *head = g_queue_peek_head(&qmp->pending);
    JsonNode *id = json_object_get_member(message, "id");
    if (!qmp->greeted || head == NULL || id == NULL || !JSON_NODE_HOLDS_VALUE(id) ||
        json_node_get_value_type(id) != G_TYPE_INT64 || json_node_get_int(id) != head->id)
        return fail_message(error, "an answer without a command");

    JsonNode *result = json_object_get_member(message, "return");
    g_autoptr(GError) problem = NULL;
    if (result == NULL) {
        const char *words = string_member(object_member(message, "error"), "desc");
        berth_error_set(&problem, BERTH_ERROR_FAILED, "qmp.command", NULL, "QEMU refused: %s",
                        words != NULL ? words : "no reason given");
    }
    g_autofree Command *command = g_queue_pop_head(&qmp->pending);
    if (problem != NULL && command->id == CAPABILITIES_ID) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (command->done != NULL)
        command->done(qmp, result, problem, command->user_data);
    return true;
}

static bool handle_message(BerthQmp *qmp, JsonObject *message, GError **error)
{
    if (json_object_has_member(message, "QMP"))
        return handle_greeting(qmp, error);
    if (json_object_has_member(message, "event"))
        return handle_event(qmp, message, error);
    if (json_object_has_member(message, "return") || json_object_has_member(message, "error"))
        return handle_answer(qmp, message, error);
    return fail_message(error, "a message that is neither answer nor event");
}

/* The JSON parser recurses, so bound the nesting first. */
static bool is_too_deep(const char *line, gsize length)
{
    guint depth = 0;
    bool quoted = false;
    for (gsize i = 0; i < length; i++) {
        if (quoted && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (!quoted && (line[i] == '{' || line[i] == '['))
            depth++;
        else if (!quoted && (line[i] == '}' || line[i] == ']') && depth > 0)
            depth--;
        if (depth > DEPTH_MAX)
            return true;
    }
    return false;
}

static bool handle_line(BerthQmp *qmp, const char *line, gsize length, GError **error)
{
    if (is_too_deep(line, length)) {
        berth_error_set(error, BERTH_ERROR_PROTOCOL, "qmp.syntax", NULL,
                        "QEMU sent JSON nested too deep");
        return false;
    }

    g_autoptr(JsonParser) parser = json_parser_new();
    if (!g_utf8_validate_len(line, length, NULL) ||
        !json_parser_load_from_data(parser, line, (gssize)length, NULL)) {
        berth_error_set(error, BERTH_ERROR_PROTOCOL, "qmp.syntax", NULL,
                        "QEMU sent a line that is not JSON");
        return false;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root))
        return fail_message(error, "JSON that is not an object");
    return handle_message(qmp, json_node_get_object(root), error);
}

/* Handle every complete line received. */
static bool handle_lines(BerthQmp *qmp, GError **error)
{
    const char *newline;
    while (!qmp->freed && (newline = memchr(qmp->in->str, '\n', qmp->in->len)) != NULL) {
        gsize length = (gsize)(newline - qmp->in->str);
        g_autofree char *line = g_strndup(qmp->in->str, length);
        g_string_erase(qmp->in, 0, (gssize)length + 1);
        if (!handle_line(qmp, line, length, error))
            return false;
    }
    if (qmp->freed || qmp->in->len <= BERTH_QMP_LINE_MAX)
        return true;
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "qmp.line", NULL,
                    "QEMU sent a line that is too long");
    return false;
}

/* Read once; the loop dispatches again while there is more. */
static bool receive(BerthQmp *qmp, GError **error)
{
    char bytes[16384];
    ssize_t size = read(qmp->fd, bytes, sizeof(bytes));
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (size == 0 || (size < 0 && errno == ECONNRESET)) {
        berth_error_set(error, BERTH_ERROR_GUEST, "qmp.closed", NULL,
                        "QEMU closed its control connection");
        return false;
    }
    if (size < 0) {
        berth_error_set_errno(error, errno, "qmp.io", "QEMU's control connection");
        return false;
    }
    g_string_append_len(qmp->in, bytes, size);
    return handle_lines(qmp, error);
}

static void update_writable(BerthQmp *qmp);

static gboolean on_readable(int fd, GIOCondition condition, gpointer user_data)
{
    g_autoptr(BerthQmpRef) qmp = g_rc_box_acquire(user_data);
    GError *error = NULL;
    if (!receive(qmp, &error))
        end(qmp, error);
    else if (!qmp->freed)
        update_writable(qmp);
    return G_SOURCE_CONTINUE; /* end() destroys the source */
}

/* Remove the first @size bytes, which were sent, and the descriptor that went with the first. */
static void consume_output(BerthQmp *qmp, gsize size)
{
    g_string_erase(qmp->out, 0, (gssize)size);
    if (qmp->fds->len > 0 && g_array_index(qmp->fds, Passed, 0).offset == 0)
        g_array_remove_index(qmp->fds, 0);
    for (guint i = 0; i < qmp->fds->len; i++)
        g_array_index(qmp->fds, Passed, i).offset -= size;
}

/* Send once: what comes before the next descriptor, or that and what follows it. As send(2). */
static ssize_t send_output(BerthQmp *qmp)
{
    const Passed *passed = (const void *)qmp->fds->data; /* NULL before the first */
    guint count = passed != NULL ? qmp->fds->len : 0;
    bool with_fd = count > 0 && passed[0].offset == 0;
    guint next = with_fd ? 1 : 0;
    gsize size = count > next ? passed[next].offset : qmp->out->len;
    struct iovec bytes = {qmp->out->str, size};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    if (with_fd) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control.space);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &passed[0].fd, sizeof(int));
    }
    return sendmsg(qmp->fd, &message, MSG_NOSIGNAL);
}

static void drop_output(BerthQmp *qmp)
{
    g_string_truncate(qmp->out, 0);
    g_array_set_size(qmp->fds, 0);
}

static gboolean on_writable(int fd, GIOCondition condition, gpointer user_data)
{
    BerthQmp *qmp = user_data;
    ssize_t size = send_output(qmp);
    if (size > 0)
        consume_output(qmp, (gsize)size);
    else if (size < 0 && errno != EINTR && errno != EAGAIN)
        drop_output(qmp); /* the reading side reports the error */
    update_writable(qmp);
    return G_SOURCE_CONTINUE;
}

static GSource *watch(BerthQmp *qmp, GIOCondition condition, GUnixFDSourceFunc function)
{
    GSource *source = g_unix_fd_source_new(qmp->fd, condition);
    g_source_set_callback(source, G_SOURCE_FUNC(function), qmp, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

/* Watch for writability only while something may be written. */
static void update_writable(BerthQmp *qmp)
{
    bool wanted = qmp->greeted && qmp->out->len > 0;
    if (wanted && qmp->writable == NULL)
        qmp->writable = watch(qmp, G_IO_OUT, on_writable);
    else if (!wanted)
        drop_source(&qmp->writable);
}

static gboolean on_failing(gpointer user_data)
{
    g_autoptr(BerthQmpRef) qmp = g_rc_box_acquire(user_data);
    drop_source(&qmp->failing);
    fail_pending(qmp);
    return G_SOURCE_REMOVE;
}

static void fail_soon(BerthQmp *qmp)
{
    if (qmp->failing != NULL)
        return;
    qmp->failing = g_idle_source_new();
    g_source_set_callback(qmp->failing, on_failing, qmp, NULL);
    g_source_attach(qmp->failing, g_main_context_get_thread_default());
}

static char *command_to_text(gint64 id, const char *command, JsonObject *arguments)
{
    JsonObject *message = json_object_new();
    json_object_set_string_member(message, "execute", command);
    if (arguments != NULL)
        json_object_set_object_member(message, "arguments", json_object_ref(arguments));
    json_object_set_int_member(message, "id", id);

    g_autoptr(JsonNode) root = json_node_init_object(json_node_alloc(), message);
    json_object_unref(message);
    return json_to_string(root, FALSE);
}

void berth_qmp_execute(BerthQmp *qmp, const char *command, JsonObject *arguments,
                       BerthQmpDoneFunc done, gpointer user_data)
{
    Command *pending = g_new(Command, 1);
    *pending = (Command){.id = qmp->next_id++, .done = done, .user_data = user_data};
    g_queue_push_tail(&qmp->pending, pending);
    if (qmp->closed != NULL) {
        fail_soon(qmp);
        return;
    }

    g_autofree char *text = command_to_text(pending->id, command, arguments);
    g_string_append_printf(qmp->out, "%s\n", text);
    update_writable(qmp);
}

void berth_qmp_send_fd(BerthQmp *qmp, const char *name, int fd, BerthQmpDoneFunc done,
                       gpointer user_data)
{
    JsonObject *arguments = json_object_new();
    json_object_set_string_member(arguments, "fdname", name);
    Passed passed = {qmp->out->len, fd};
    if (qmp->closed == NULL)
        g_array_append_val(qmp->fds, passed);
    else
        berth_fd_close(&fd);
    berth_qmp_execute(qmp, "getfd", arguments, done, user_data);
    json_object_unref(arguments);
}

void berth_qmp_resize(BerthQmp *qmp, const char *node, guint64 size, BerthQmpDoneFunc done,
                      gpointer user_data)
{
    JsonObject *arguments = json_object_new();
    json_object_set_string_member(arguments, "node-name", node);
    json_object_set_int_member(arguments, "size", (gint64)size);
    berth_qmp_execute(qmp, "block_resize", arguments, done, user_data);
    json_object_unref(arguments);
}

const char *berth_qmp_status(JsonNode *result)
{
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(result) ? json_node_get_object(result) : NULL;
    const char *status = string_member(object, "status");
    return status != NULL ? status : "";
}

BerthQmp *berth_qmp_new(int fd, BerthQmpEventFunc on_event, BerthQmpClosedFunc on_closed,
                        gpointer user_data)
{
    BerthQmp *qmp = g_rc_box_new0(BerthQmp);
    qmp->fd = fd;
    qmp->in = g_string_new(NULL);
    qmp->out = g_string_new(NULL);
    qmp->fds = g_array_new(FALSE, FALSE, sizeof(Passed));
    g_array_set_clear_func(qmp->fds, clear_passed);
    g_queue_init(&qmp->pending);
    qmp->on_event = on_event;
    qmp->on_closed = on_closed;
    qmp->user_data = user_data;
    qmp->readable = watch(qmp, G_IO_IN, on_readable);
    berth_qmp_execute(qmp, "qmp_capabilities", NULL, NULL, NULL);
    return qmp;
}

void berth_qmp_free(BerthQmp *qmp)
{
    if (qmp == NULL)
        return;
    qmp->freed = true;
    disconnect(qmp);
    release(qmp);
}
