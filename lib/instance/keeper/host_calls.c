/* SPDX-License-Identifier: MIT */
#include "host_calls.h"

#include "base/error.h"
#include "host_agent.h"
#include "host_call.h"
#include "host_desk.h"
#include "host_service.h"

#include <unistd.h>

#define CALLS_MAX 32u
/* More than all calls may send with their credit: only a guest that sends without reading, or
 * signals without end, gets there. */
#define BACKLOG_MAX  (CALLS_MAX * 4u * WIRE_WINDOW)
#define STATUS_BERTH 125

typedef struct {
    guint32 guest;      /* its stream with the guest */
    guint32 host;       /* and with the agent on the host; 0: CALL is not complete */
    WireBuffer opening; /* CALL and its MORE */
    WireService service;
} Call;

struct BerthHostCalls {
    const BerthMachine *machine;
    const BerthHostCallsOps *ops;
    gpointer user_data;
    BerthHostAgent *agent;
    BerthHostDesk *desk;
    GHashTable *by_guest; /* stream -> Call*, owned */
    GHashTable *by_host;  /* stream -> Call* */
    guint32 last;         /* stream with the agent */
};

static void free_call(gpointer data)
{
    Call *call = data;
    wire_buffer_clear(&call->opening);
    g_free(call);
}

static Call *find(GHashTable *table, guint32 stream)
{
    return g_hash_table_lookup(table, GUINT_TO_POINTER(stream));
}

static void forget(BerthHostCalls *calls, const Call *call)
{
    guint32 guest = call->guest;
    if (call->host != 0)
        g_hash_table_remove(calls->by_host, GUINT_TO_POINTER(call->host));
    g_hash_table_remove(calls->by_guest, GUINT_TO_POINTER(guest));
}

/* --- to the guest ----------------------------------------------------------------------------- */

static void put_failed(BerthHostCalls *calls, guint32 stream, const char *message)
{
    WireBuffer *output = calls->ops->output(calls->user_data);
    if (output == NULL)
        return;
    size_t begin = wire_frame_begin(output, WIRE_FAILED, 0, stream);
    wire_put_u8(output, STATUS_BERTH);
    wire_put_text(output, message, WIRE_DATA_MAX);
    wire_frame_end(output, begin);
    calls->ops->flush(calls->user_data);
}

/* --- to the agent on the host ----------------------------------------------------------------- */

/* Have its command hung up; the call ends with the command. */
static void close_session(BerthHostCalls *calls, const Call *call)
{
    WireBuffer *output = berth_host_agent_output(calls->agent, NULL);
    if (output == NULL)
        return;
    wire_frame_put(output, WIRE_CLOSE, 0, call->host, NULL, 0);
    berth_host_agent_flush(calls->agent);
}

static void end_all(BerthHostCalls *calls, const char *message)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, calls->by_guest);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        put_failed(calls, ((const Call *)value)->guest, message);
    g_hash_table_remove_all(calls->by_host);
    g_hash_table_remove_all(calls->by_guest);
}

static void on_agent_ended(gpointer user_data)
{
    BerthHostCalls *calls = user_data;
    calls->ops->log("the process for commands of the host ended", calls->user_data);
    end_all(calls, "the host's process for such commands ended");
}

/* A program that wants an agent cannot say why it has none. */
static void log_refusal(BerthHostCalls *calls, const Call *call, const char *reason)
{
    bool is_ssh = call->service == WIRE_SERVICE_SSH_AGENT;
    if (!is_ssh && call->service != WIRE_SERVICE_GPG_AGENT)
        return;
    g_autofree char *text =
        g_strdup_printf("refused a connection to the %s agent: %s", is_ssh ? "ssh" : "gpg", reason);
    calls->ops->log(text, calls->user_data);
}

static void log_failed(BerthHostCalls *calls, const Call *call, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    wire_get_u8(&reader);
    log_refusal(calls, call, wire_get_string(&reader));
}

/* The guest reads too slowly for the credit it gives. */
static bool is_flooded(BerthHostCalls *calls, const Call *call)
{
    const WireBuffer *output = calls->ops->output(calls->user_data);
    if (output != NULL && wire_buffer_size(output) <= BACKLOG_MAX)
        return false;
    close_session(calls, call);
    return true;
}

static void on_agent_frame(const WireFrame *frame, gpointer user_data)
{
    BerthHostCalls *calls = user_data;
    Call *call = find(calls->by_host, frame->stream);
    if (call == NULL)
        return;
    bool over = frame->type == WIRE_EXIT || frame->type == WIRE_FAILED;
    if (over || !is_flooded(calls, call)) {
        WireBuffer *output = calls->ops->output(calls->user_data);
        if (output != NULL)
            wire_frame_put(output, frame->type, frame->channel, call->guest, frame->payload,
                           frame->size);
        calls->ops->flush(calls->user_data);
    }
    if (frame->type == WIRE_FAILED)
        log_failed(calls, call, frame);
    if (over)
        forget(calls, call);
}

static const BerthHostAgentEvents agent_events = {on_agent_frame, on_agent_ended};

/* --- beginning -------------------------------------------------------------------------------- */

static char *put_gpg_connect(const BerthHostDesk *desk, const Call *call, WireBuffer *output)
{
    g_autofree char *runtime_dir = g_strdup_printf("/run/user/%u", (guint)getuid());
    g_autofree char *path = berth_host_service_gpg_socket(runtime_dir, g_get_home_dir(),
                                                          berth_host_desk_get(desk, "GNUPGHOME"));
    if (path != NULL && berth_host_call_put_connect(path, call->host, output))
        return NULL;
    return g_strdup("the gpg agent of the host is not there: start it on the host with "
                    "`gpgconf --launch gpg-agent`");
}

/* Put what begins @call. NULL, or why it cannot begin; free with g_free. */
static char *put_beginning(BerthHostCalls *calls, const Call *call, const BerthHostCall *read,
                           WireBuffer *output)
{
    if (read->service == WIRE_SERVICE_SSH_AGENT) {
        const char *path = berth_host_desk_get(calls->desk, "SSH_AUTH_SOCK");
        bool good = path != NULL && berth_host_call_put_connect(path, call->host, output);
        return good ? NULL : g_strdup("the last client of this distro has no SSH_AUTH_SOCK");
    }
    if (read->service == WIRE_SERVICE_GPG_AGENT)
        return put_gpg_connect(calls->desk, call, output);
    char *refusal = NULL;
    const char *const *desk = berth_host_desk_environment(calls->desk);
    g_auto(GStrv) argv = berth_host_service_command(read->service, read->argv, desk, &refusal);
    if (argv == NULL)
        return refusal;
    g_auto(GStrv) paths = calls->ops->share_paths(calls->user_data);
    g_autofree char *directory = berth_host_call_directory(read->cwd, paths);
    berth_host_call_put_open(read, directory, (const char *const *)argv, desk, call->host, output);
    return NULL;
}

static char *begin_session(BerthHostCalls *calls, Call *call, const BerthHostCall *read)
{
    g_autoptr(GError) error = NULL;
    char *refusal = berth_host_call_refusal(calls->machine, read->service);
    if (refusal != NULL)
        return refusal;
    WireBuffer *output = berth_host_agent_output(calls->agent, &error);
    if (output == NULL)
        return g_strdup(error->message);
    call->host = ++calls->last;
    g_hash_table_insert(calls->by_host, GUINT_TO_POINTER(call->host), call);
    refusal = put_beginning(calls, call, read, output);
    berth_host_agent_flush(calls->agent);
    return refusal;
}

/* CALL is complete. */
static void begin(BerthHostCalls *calls, Call *call)
{
    BerthHostCall read;
    const WireFrame whole = {.type = WIRE_CALL,
                             .stream = call->guest,
                             .payload = wire_buffer_head(&call->opening),
                             .size = (guint32)wire_buffer_size(&call->opening)};
    g_autofree char *refusal = NULL;
    if (berth_host_call_read(&whole, &read)) {
        call->service = read.service;
        refusal = begin_session(calls, call, &read);
        berth_host_call_clear(&read);
    } else {
        refusal = g_strdup("malformed request, or a word that is too long");
    }
    wire_buffer_clear(&call->opening);
    if (refusal == NULL)
        return;
    log_refusal(calls, call, refusal);
    put_failed(calls, call->guest, refusal);
    forget(calls, call);
}

static void add_opening(BerthHostCalls *calls, Call *call, const WireFrame *frame)
{
    WireReader reader;
    wire_buffer_append(&call->opening, frame->payload, frame->size);
    wire_reader_init(&reader, frame);
    bool more = frame->type == WIRE_CALL ? (wire_get_u32(&reader) & WIRE_OPEN_MORE) != 0
                                         : frame->size == WIRE_PAYLOAD_MAX;
    if (call->opening.failed || wire_buffer_size(&call->opening) > WIRE_CALL_MAX) {
        put_failed(calls, call->guest, "the command's arguments are too long");
        forget(calls, call);
    } else if (!more) {
        begin(calls, call);
    }
}

static void add_call(BerthHostCalls *calls, const WireFrame *frame)
{
    if (g_hash_table_size(calls->by_guest) >= CALLS_MAX) {
        put_failed(calls, frame->stream, "too many commands of the host at once");
        return;
    }
    Call *call = g_new0(Call, 1);
    call->guest = frame->stream;
    g_hash_table_insert(calls->by_guest, GUINT_TO_POINTER(call->guest), call);
    add_opening(calls, call, frame);
}

/* --- the guest's frames ----------------------------------------------------------------------- */

/* The rest of a call that the agent on the host understands; the agent checks the payload. */
static bool is_passed_on(guint8 type)
{
    static const WireType types[] = {WIRE_DATA,   WIRE_EOF,    WIRE_CREDIT,
                                     WIRE_SIGNAL, WIRE_RESIZE, WIRE_CLOSE};
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i] == type)
            return true;
    return false;
}

static void pass_on(BerthHostCalls *calls, const Call *call, const WireFrame *frame)
{
    WireBuffer *output = berth_host_agent_output(calls->agent, NULL);
    if (output == NULL)
        return;
    wire_frame_put(output, frame->type, frame->channel, call->host, frame->payload, frame->size);
    berth_host_agent_flush(calls->agent);
    if (wire_buffer_size(output) <= BACKLOG_MAX)
        return;
    berth_host_agent_stop(calls->agent);
    on_agent_ended(calls);
}

void berth_host_calls_frame(BerthHostCalls *calls, const WireFrame *frame)
{
    Call *call = find(calls->by_guest, frame->stream);
    if (call == NULL && frame->type == WIRE_CALL)
        add_call(calls, frame);
    else if (call != NULL && call->host != 0 && is_passed_on(frame->type))
        pass_on(calls, call, frame);
    else if (call != NULL && call->host == 0 && frame->type == WIRE_MORE)
        add_opening(calls, call, frame);
    else if (call != NULL && call->host == 0)
        forget(calls, call); /* CLOSE, or an error */
    else if (call != NULL)
        close_session(calls, call);
}

/* --- the public part -------------------------------------------------------------------------- */

BerthHostCalls *berth_host_calls_new(const BerthMachine *machine, const char *support_dir,
                                     const BerthHostCallsOps *ops, gpointer user_data)
{
    BerthHostCalls *calls = g_new0(BerthHostCalls, 1);
    calls->machine = machine;
    calls->ops = ops;
    calls->user_data = user_data;
    calls->agent = berth_host_agent_new(support_dir, &agent_events, calls);
    calls->desk = berth_host_desk_new();
    calls->by_guest = g_hash_table_new_full(NULL, NULL, NULL, free_call);
    calls->by_host = g_hash_table_new(NULL, NULL);
    return calls;
}

void berth_host_calls_follow(BerthHostCalls *calls, pid_t pid)
{
    berth_host_desk_follow(calls->desk, pid);
}

void berth_host_calls_reset(BerthHostCalls *calls)
{
    berth_host_agent_stop(calls->agent);
    g_hash_table_remove_all(calls->by_host);
    g_hash_table_remove_all(calls->by_guest);
}

void berth_host_calls_free(BerthHostCalls *calls)
{
    if (calls == NULL)
        return;
    berth_host_agent_free(calls->agent);
    berth_host_desk_free(calls->desk);
    g_hash_table_unref(calls->by_host);
    g_hash_table_unref(calls->by_guest);
    g_free(calls);
}

guint berth_host_calls_open(const BerthHostCalls *calls)
{
    return g_hash_table_size(calls->by_guest);
}
