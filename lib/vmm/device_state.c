/* SPDX-License-Identifier: MIT */
#include "device_state.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <glib-unix.h>
#include <json-glib/json-glib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD_NAME   "state"
#define URI       "fd:" FD_NAME
#define SHARED    "x-ignore-shared"
#define READ_SIZE 65536
#define MAX_SPEED (G_GINT64_CONSTANT(1) << 50) /* bytes a second: no limit */

struct BerthDeviceState {
    BerthQmp *qmp;
    bool loads;
    BerthDeviceStateFunc done;
    gpointer user_data;
    bool with_memory;
    int fd; /* our end of the stream */
    int qemu_fd;
    GSource *stream;
    GByteArray *saved; /* so far */
    GBytes *state;     /* to load */
    gsize written;
    bool at_end;    /* all is read, or written */
    bool completed; /* QEMU says so */
    GError *failure;
    GSource *finisher;
    bool reported;
};

static void drop_source(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}

static gboolean on_finish(gpointer user_data)
{
    BerthDeviceState *operation = user_data;
    g_autoptr(GError) failure = g_steal_pointer(&operation->failure);
    g_autoptr(GBytes) state = NULL;
    drop_source(&operation->finisher);
    if (failure == NULL && !operation->loads)
        state = g_byte_array_free_to_bytes(g_steal_pointer(&operation->saved));
    operation->done(state, operation->with_memory, failure, operation->user_data);
    return G_SOURCE_REMOVE;
}

/* Report the end, from the loop. */
static void finish(BerthDeviceState *operation)
{
    drop_source(&operation->stream);
    if (operation->reported)
        return;
    operation->reported = true;
    operation->finisher = g_idle_source_new();
    g_source_set_priority(operation->finisher, G_PRIORITY_DEFAULT);
    g_source_set_callback(operation->finisher, on_finish, operation, NULL);
    g_source_attach(operation->finisher, g_main_context_get_thread_default());
}

static void fail(BerthDeviceState *operation, GError *failure)
{
    if (operation->failure == NULL)
        operation->failure = failure;
    else
        g_error_free(failure);
    finish(operation);
}

static void advance(BerthDeviceState *operation)
{
    if (operation->completed && operation->at_end)
        finish(operation);
}

/* --- the stream ------------------------------------------------------------------------------- */

static ssize_t read_some(BerthDeviceState *operation)
{
    guint8 bytes[READ_SIZE];
    ssize_t size = read(operation->fd, bytes, sizeof(bytes));
    if (size > 0)
        g_byte_array_append(operation->saved, bytes, (guint)size);
    operation->at_end = size == 0;
    return size;
}

static ssize_t write_some(BerthDeviceState *operation)
{
    gsize total = 0;
    const guint8 *bytes = g_bytes_get_data(operation->state, &total);
    ssize_t size =
        send(operation->fd, bytes + operation->written, total - operation->written, MSG_NOSIGNAL);
    operation->written += size > 0 ? (gsize)size : 0;
    operation->at_end = operation->written == total;
    return size;
}

static gboolean on_stream(int fd, GIOCondition condition, gpointer user_data)
{
    BerthDeviceState *operation = user_data;
    ssize_t size = operation->loads ? write_some(operation) : read_some(operation);
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return G_SOURCE_CONTINUE;
    if (size < 0) {
        GError *error = NULL;
        berth_error_set_errno(&error, errno, "vmm.state", "the guest's state");
        fail(operation, error);
        return G_SOURCE_REMOVE;
    }
    if (!operation->at_end)
        return G_SOURCE_CONTINUE;
    advance(operation);
    return G_SOURCE_REMOVE;
}

static void watch_stream(BerthDeviceState *operation)
{
    operation->stream =
        g_unix_fd_source_new(operation->fd, operation->loads ? G_IO_OUT : G_IO_IN | G_IO_HUP);
    g_source_set_callback(operation->stream, G_SOURCE_FUNC(on_stream), operation, NULL);
    g_source_attach(operation->stream, g_main_context_get_thread_default());
}

/* --- commands --------------------------------------------------------------------------------- */

/* An answer has come. False: the operation has failed. */
static bool is_wanted(BerthDeviceState *operation, const GError *error)
{
    if (error != NULL)
        fail(operation, g_error_copy(error));
    return error == NULL && operation->failure == NULL;
}

static void on_answer(BerthQmp *qmp, JsonNode *result, const GError *error, gpointer user_data)
{
    is_wanted(user_data, error);
}

static void execute(BerthDeviceState *operation, const char *command, JsonObject *arguments,
                    BerthQmpDoneFunc done)
{
    berth_qmp_execute(operation->qmp, command, arguments, done, operation);
}

static JsonObject *capability(const char *name)
{
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "capability", name);
    json_object_set_boolean_member(object, "state", TRUE);
    return object;
}

static void set_capabilities(BerthDeviceState *operation)
{
    g_autoptr(JsonObject) arguments = json_object_new();
    JsonArray *list = json_array_new();
    json_array_add_object_element(list, capability("events"));
    if (!operation->with_memory)
        json_array_add_object_element(list, capability(SHARED));
    json_object_set_array_member(arguments, "capabilities", list);
    execute(operation, "migrate-set-capabilities", arguments, on_answer);
}

/* Matters only for a state with memory. */
static void set_speed(BerthDeviceState *operation)
{
    g_autoptr(JsonObject) arguments = json_object_new();
    json_object_set_int_member(arguments, "max-bandwidth", MAX_SPEED);
    execute(operation, "migrate-set-parameters", arguments, on_answer);
}

/* QEMU answers in order: the first refusal is the one reported. */
static void begin(BerthDeviceState *operation)
{
    g_autoptr(JsonObject) arguments = json_object_new();
    json_object_set_string_member(arguments, "uri", URI);
    set_capabilities(operation);
    if (operation->with_memory)
        set_speed(operation);
    berth_qmp_send_fd(operation->qmp, FD_NAME, berth_fd_steal(&operation->qemu_fd), on_answer,
                      operation);
    execute(operation, operation->loads ? "migrate-incoming" : "migrate", arguments, on_answer);
    watch_stream(operation);
}

static bool has_capability(JsonNode *result, const char *name)
{
    JsonArray *list = JSON_NODE_HOLDS_ARRAY(result) ? json_node_get_array(result) : NULL;
    for (guint i = 0; list != NULL && i < json_array_get_length(list); i++) {
        JsonNode *node = json_array_get_element(list, i);
        if (!JSON_NODE_HOLDS_OBJECT(node))
            continue;
        JsonNode *word = json_object_get_member(json_node_get_object(node), "capability");
        if (word != NULL && JSON_NODE_HOLDS_VALUE(word) &&
            g_strcmp0(json_node_get_string(word), name) == 0)
            return true;
    }
    return false;
}

static void on_capabilities(BerthQmp *qmp, JsonNode *result, const GError *error,
                            gpointer user_data)
{
    BerthDeviceState *operation = user_data;
    if (!is_wanted(operation, error))
        return;
    operation->with_memory = !has_capability(result, SHARED);
    begin(operation);
}

/* --- the public part -------------------------------------------------------------------------- */

static BerthDeviceState *make(BerthQmp *qmp, BerthDeviceStateFunc done, gpointer user_data)
{
    BerthDeviceState *operation = g_new0(BerthDeviceState, 1);
    operation->qmp = qmp;
    operation->done = done;
    operation->user_data = user_data;
    operation->fd = operation->qemu_fd = -1;
    int pair[2];
    if (berth_fd_socketpair(SOCK_STREAM, pair) < 0) {
        GError *error = NULL;
        berth_error_set_errno(&error, errno, "vmm.state", "socket pair");
        fail(operation, error);
        return operation;
    }
    operation->fd = pair[0];
    operation->qemu_fd = pair[1];
    berth_fd_set_nonblocking(operation->fd, true);
    return operation;
}

BerthDeviceState *berth_device_state_save(BerthQmp *qmp, BerthDeviceStateFunc done,
                                          gpointer user_data)
{
    BerthDeviceState *operation = make(qmp, done, user_data);
    operation->saved = g_byte_array_new();
    if (operation->failure == NULL)
        execute(operation, "query-migrate-capabilities", NULL, on_capabilities);
    return operation;
}

BerthDeviceState *berth_device_state_load(BerthQmp *qmp, GBytes *state, bool with_memory,
                                          BerthDeviceStateFunc done, gpointer user_data)
{
    BerthDeviceState *operation = make(qmp, done, user_data);
    operation->loads = true;
    operation->state = g_bytes_ref(state);
    operation->with_memory = with_memory;
    if (operation->failure == NULL)
        begin(operation);
    return operation;
}

void berth_device_state_event(BerthDeviceState *operation, const BerthQmpEvent *event)
{
    if (!g_str_equal(event->name, "MIGRATION"))
        return;
    if (g_str_equal(event->reason, "completed")) {
        operation->completed = true;
        advance(operation);
    } else if (g_str_equal(event->reason, "failed")) {
        GError *error = NULL;
        berth_error_set(&error, BERTH_ERROR_FAILED, "vmm.state.failed", NULL,
                        "QEMU could not %s the guest's state", operation->loads ? "load" : "save");
        fail(operation, error);
    }
}

void berth_device_state_free(BerthDeviceState *operation)
{
    if (operation == NULL)
        return;
    drop_source(&operation->stream);
    drop_source(&operation->finisher);
    berth_fd_close(&operation->fd);
    berth_fd_close(&operation->qemu_fd);
    g_clear_pointer(&operation->saved, g_byte_array_unref);
    g_clear_pointer(&operation->state, g_bytes_unref);
    g_clear_error(&operation->failure);
    g_free(operation);
}
