/* SPDX-License-Identifier: MIT
 *
 * Hostile clients of the keeper: whatever they request, in any order, twice, truncated, or while
 * another request is pending, and whatever happens to the guest meanwhile, each session of the
 * guest is begun once, gets only its own frames, and is ended once.
 */
#include "base/error.h"
#include "fuzz.h"
#include "instance/control/hello.h"
#include "instance/keeper/server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS     3
#define PAYLOAD_MAX 40000u
#define FIRST_MORE  240u /* of the bytes: the types that came later */
/* The backlog, the answer that exceeds it, and the socket's buffer. */
#define TO_CLIENT_MAX (4u * WIRE_WINDOW + 2u * WIRE_PAYLOAD_MAX + 512u * 1024u)

typedef struct {
    bool opened; /* the guest has begun it */
    guint64 may_send;
} Stream;

typedef struct {
    BerthStreams *table;
    BerthServer *server;
    int clients[CLIENTS];
    GHashTable *streams; /* number -> Stream*: sessions that have not ended */
    guint32 last_stream;
    bool sync; /* answer synchronously where possible */
    BerthBootReport *report;
    GPtrArray *skipped;
} World;

typedef struct {
    const uint8_t *next;
    size_t left;
} Input;

static int listener = -1;

static uint8_t next_byte(Input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->next++;
}

/* --- the instance ---------------------------------------------------------------------------- */

/* The guest learns of a stream by its OPEN; numbers are consecutive. */
static Stream *begin_stream(World *world, guint32 number)
{
    Stream *stream = g_new0(Stream, 1);
    g_assert_cmpuint(number, ==, ++world->last_stream);
    stream->may_send = WIRE_WINDOW;
    g_hash_table_insert(world->streams, GUINT_TO_POINTER(number), stream);
    return stream;
}

static void send_frame(const WireFrame *frame, guint32 number, gpointer data)
{
    World *world = data;
    Stream *stream = frame->type == WIRE_OPEN
                         ? begin_stream(world, number)
                         : g_hash_table_lookup(world->streams, GUINT_TO_POINTER(number));
    g_assert_nonnull(stream);
    g_assert_true(frame->type == WIRE_OPEN || frame->type == WIRE_MORE ||
                  frame->type == WIRE_DATA || frame->type == WIRE_EOF ||
                  frame->type == WIRE_CREDIT || frame->type == WIRE_SIGNAL ||
                  frame->type == WIRE_RESIZE || frame->type == WIRE_CLOSE);
    if (frame->type == WIRE_DATA) {
        g_assert_cmpuint(frame->size, <=, stream->may_send);
        stream->may_send -= frame->size;
    }
}

static void hang_up(guint32 number, gpointer data)
{
    World *world = data;
    g_assert_true(g_hash_table_remove(world->streams, GUINT_TO_POINTER(number)));
}

static void stop(BerthStopHow how, guint grace_sec, gpointer data)
{
    World *world = data;
    if (world->sync)
        berth_server_set_up(world->server, false);
}

static void suspend(gpointer data)
{
    World *world = data;
    if (world->sync)
        berth_server_suspended(world->server, NULL);
}

static void hold(gpointer data)
{
    World *world = data;
    g_assert_true(berth_server_is_held(world->server));
    if (world->sync)
        berth_server_held(world->server, true);
}

static void release(gpointer data)
{
    World *world = data;
    berth_server_is_held(world->server);
}

static void wake(gpointer data)
{
    World *world = data;
    if (world->sync)
        berth_server_set_up(world->server, true);
}

static void grow(guint64 size, gpointer data)
{
    World *world = data;
    if (world->sync)
        berth_server_grown(world->server, NULL);
}

static BerthInstanceStatus *status(gpointer data)
{
    return g_new0(BerthInstanceStatus, 1);
}

static GPtrArray *ports(gpointer data)
{
    return g_ptr_array_new();
}

static void change_ports(World *world)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    berth_server_ports_changed(world->server, none);
}

static bool set_rule(const BerthRule *rule, bool wanted, gpointer data, GError **error)
{
    change_ports(data);
    return true;
}

static bool set_host_ports(const char *text, gpointer data, GError **error)
{
    g_assert_true(g_utf8_validate(text, 0, NULL));
    return true;
}

static bool allow_host_port(guint16 port, gpointer data, GError **error)
{
    berth_error_set(error, BERTH_ERROR_DENIED, "instance.isolated", NULL, "isolated");
    return false;
}

static const BerthBootReport *boot(gpointer data)
{
    const World *world = data;
    return world->report;
}

static char **shares(gpointer data)
{
    static const char *const paths[] = {"/home/ann", "/mnt/host/home/ann", NULL};
    return g_strdupv((char **)paths);
}

static bool set_shares(const char *const *texts, BerthSharesEffect *ret_effect, bool *ret_waits,
                       gpointer data, GError **error)
{
    *ret_waits = texts[0] != NULL;
    for (; *texts != NULL; texts++)
        g_assert_true(g_str_has_prefix(*texts, "r"));
    return true;
}

static const GPtrArray *skipped_shares(gpointer data)
{
    const World *world = data;
    return world->skipped;
}

static const BerthServerOps ops = {
    .stop = stop,
    .grow = grow,
    .suspend = suspend,
    .park = suspend,
    .hold = hold,
    .release = release,
    .wake = wake,
    .status = status,
    .ports = ports,
    .set_rule = set_rule,
    .set_host_ports = set_host_ports,
    .allow_host_port = allow_host_port,
    .shares = shares,
    .set_shares = set_shares,
    .skipped_shares = skipped_shares,
    .boot = boot,
};

static const BerthStreamsOps streams_ops = {send_frame, hang_up};

/* --- the clients ----------------------------------------------------------------------------- */

static void turn(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static void connect_client(World *world, guint at)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);
    g_assert_cmpint(getsockname(listener, (struct sockaddr *)&address, &size), ==, 0);
    world->clients[at] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(connect(world->clients[at], (struct sockaddr *)&address, size), ==, 0);
    WireBuffer hello = {0};
    berth_hello_put(&hello);
    send(world->clients[at], wire_buffer_head(&hello), wire_buffer_size(&hello), MSG_NOSIGNAL);
    wire_buffer_clear(&hello);
    turn();
}

static void read_all(int fd)
{
    static char bytes[65536];
    gsize total = 0;
    for (ssize_t size; (size = recv(fd, bytes, sizeof(bytes), 0)) > 0; turn())
        total += (gsize)size;
    g_assert_cmpuint(total, <=, TO_CLIENT_MAX);
}

/* Fill in valid fields for each type, which random input would rarely hit. */
static void put_fields(WireBuffer *buffer, guint type, Input *input)
{
    static const uint8_t zeros[WIRE_PAYLOAD_MAX];
    switch (type) {
    case CONTROL_STOP:
        wire_put_u8(buffer, next_byte(input) % 3);
        wire_put_u32(buffer, next_byte(input));
        break;
    case CONTROL_GROW:
        wire_put_u64(buffer, next_byte(input));
        break;
    case CONTROL_FORWARD:
        wire_put_u8(buffer, next_byte(input) % 2);
        wire_put_string(buffer, next_byte(input) % 2 ? "80" : "x");
        break;
    case CONTROL_REACH:
        wire_put_string(buffer, "80");
        break;
    case CONTROL_SET_SHARES: {
        static const char *const lists[][2] = {{NULL}, {"rw:/a:/b"}, {"xx:/a:/b"}, {"ro:/a"}};
        wire_put_list(buffer, lists[next_byte(input) % G_N_ELEMENTS(lists)]);
        break;
    }
    case CONTROL_REACH_ONE:
        wire_put_u16(buffer, next_byte(input));
        break;
    case WIRE_OPEN:
        wire_put_u32(buffer, (guint32)next_byte(input) << next_byte(input) % 8u);
        break;
    case BERTH_HELLO_TYPE:
        wire_put_u32(buffer, BERTH_CONTROL_VERSION + (next_byte(input) % 4 == 0));
        break;
    case WIRE_SIGNAL:
        wire_put_u32(buffer, next_byte(input));
        break;
    case WIRE_CREDIT:
        wire_put_u32(buffer, (guint32)next_byte(input) << 10);
        break;
    case WIRE_MORE:
        wire_buffer_append(buffer, zeros,
                           next_byte(input) % 4 ? WIRE_PAYLOAD_MAX : next_byte(input));
        break;
    case WIRE_DATA:
        wire_buffer_append(buffer, zeros, next_byte(input) * PAYLOAD_MAX / 255);
        break;
    default:
        break;
    }
}

static void send_from_client(World *world, Input *input)
{
    static const guint8 types[] = {
        CONTROL_WAIT,   CONTROL_STATUS, CONTROL_PORTS, CONTROL_STOP,     CONTROL_GROW,
        CONTROL_BOOT,   CONTROL_WATCH,  WIRE_OPEN,     WIRE_OPEN,        CONTROL_FORWARD,
        CONTROL_REACH,  WIRE_DATA,      WIRE_EOF,      WIRE_CREDIT,      CONTROL_REACH_ONE,
        WIRE_SIGNAL,    WIRE_RESIZE,    WIRE_CLOSE,    WIRE_CONNECT,     WIRE_EXIT,
        WIRE_OPENED,    WIRE_POWER,     CONTROL_DONE,  CONTROL_ERROR,    0,
        CONTROL_NOTICE, WIRE_MORE,      255,           BERTH_HELLO_TYPE, CONTROL_SET_SHARES,
    };
    static const guint8 more_types[] = {CONTROL_HOLD, CONTROL_RELEASE};
    WireBuffer buffer = {0};
    guint8 byte = next_byte(input); /* the lower ones keep their meaning for the corpus */
    guint type = byte < FIRST_MORE ? types[byte % G_N_ELEMENTS(types)]
                                   : more_types[byte % G_N_ELEMENTS(more_types)];
    uint8_t where = next_byte(input);
    guint32 stream = where / 16 % 16 == 0 ? where % 3 : type < CONTROL_WAIT;
    size_t begin = wire_frame_begin(&buffer, (WireType)type, where % WIRE_CHANNELS, stream);
    if (where < 240)
        put_fields(&buffer, type, input);
    for (guint i = 0; where >= 224 && i < where % 8u; i++)
        wire_put_u8(&buffer, next_byte(input));
    wire_frame_end(&buffer, begin);
    gsize size = wire_buffer_size(&buffer);
    if (where == 255)
        size = next_byte(input) % size; /* half a frame: the following bytes are misaligned */
    send(world->clients[next_byte(input) % CLIENTS], wire_buffer_head(&buffer), size,
         MSG_NOSIGNAL | MSG_DONTWAIT);
    wire_buffer_clear(&buffer);
}

static void leave(World *world, Input *input)
{
    guint at = next_byte(input) % CLIENTS;
    close(world->clients[at]);
    turn();
    connect_client(world, at);
}

static void read_client(World *world, Input *input)
{
    read_all(world->clients[next_byte(input) % CLIENTS]);
}

/* --- the guest ------------------------------------------------------------------------------- */

static void send_from_guest(World *world, Input *input)
{
    static const uint8_t payload[PAYLOAD_MAX] = {0};
    static const guint8 types[] = {WIRE_OPENED, WIRE_OPENED, WIRE_DATA, WIRE_EOF,
                                   WIRE_CREDIT, WIRE_EXIT,   99,        WIRE_FAILED};
    guint32 number = world->last_stream - next_byte(input) % 4u;
    guint8 channel = next_byte(input) % WIRE_CHANNELS;
    const WireFrame frame = {.type = types[next_byte(input) % G_N_ELEMENTS(types)],
                             .channel = channel,
                             .stream = number,
                             .payload = payload,
                             .size = next_byte(input) * PAYLOAD_MAX / 255};
    Stream *stream = g_hash_table_lookup(world->streams, GUINT_TO_POINTER(number));
    if (stream != NULL)
        stream->opened |= frame.type == WIRE_OPENED;
    berth_streams_deliver(world->table, &frame);
    if (frame.type == WIRE_EXIT || frame.type == WIRE_FAILED)
        g_hash_table_remove(world->streams, GUINT_TO_POINTER(number));
}

static void grant(World *world, Input *input)
{
    guint32 number = world->last_stream - next_byte(input) % 4u;
    guint32 bytes = GUINT32_TO_LE((guint32)next_byte(input) << 8);
    Stream *stream = g_hash_table_lookup(world->streams, GUINT_TO_POINTER(number));
    const WireFrame frame = {.type = WIRE_CREDIT,
                             .stream = number,
                             .payload = (const uint8_t *)&bytes,
                             .size = sizeof(bytes)};
    if (stream != NULL && stream->may_send + bytes <= WIRE_WINDOW)
        stream->may_send += bytes;
    berth_streams_deliver(world->table, &frame);
}

static void come_up(World *world, Input *input)
{
    switch (next_byte(input) % 4) {
    case 0:
        berth_server_set_ready(world->server);
        break;
    case 1:
        berth_server_set_up(world->server, false);
        break;
    default:
        berth_server_set_up(world->server, true);
        break;
    }
}

static gboolean is_unopened(gpointer number, gpointer stream, gpointer data)
{
    return !((const Stream *)stream)->opened;
}

static void end(World *world, Input *input)
{
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_GUEST, "fuzz", NULL, "it ended");
    guint8 how = next_byte(input);
    if (how % 3 == 0) {
        berth_server_grown(world->server, how % 2 ? error : NULL);
        berth_server_shares_settled(world->server,
                                    how % 2 ? BERTH_SHARES_SLOW : BERTH_SHARES_CURRENT);
    } else if (how % 3 == 1) {
        berth_server_fail(world->server, error, how % 2);
        g_hash_table_remove_all(world->streams);
    } else {
        berth_server_release(world->server, error, how % 2);
        if (how % 2)
            g_hash_table_foreach_remove(world->streams, is_unopened, NULL);
    }
}

static void notify(World *world, Input *input)
{
    if (next_byte(input) % 2)
        change_ports(world);
    else
        berth_server_notify_terminals(world->server, "a line");
}

static void set_sync(World *world, Input *input)
{
    world->sync = next_byte(input) % 2;
}

static void (*const actions[])(World *world, Input *input) = {
    send_from_client,
    send_from_client,
    send_from_client,
    send_from_client,
    send_from_guest,
    send_from_guest,
    come_up,
    end,
    notify,
    leave,
    read_client,
    set_sync,
    grant,
};

static void set_up(void)
{
    struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&nobody, sizeof(sa_family_t)), ==, 0);
    g_assert_cmpint(listen(listener, 8), ==, 0);
}

static void tear_down(World *world)
{
    for (guint i = 0; i < CLIENTS; i++)
        read_all(world->clients[i]); /* so that the server's last frames are sent at once */
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_NOT_RUNNING, "instance.stopped", NULL, "it has stopped");
    berth_server_finish(world->server, error);
    g_hash_table_remove_all(world->streams);
    g_assert_cmpuint(berth_server_sessions(world->server), ==, 0);
    berth_server_free(world->server);
    berth_streams_free(world->table);
    for (guint i = 0; i < CLIENTS; i++)
        close(world->clients[i]);
    g_hash_table_unref(world->streams);
    berth_boot_report_free(world->report);
    g_ptr_array_unref(world->skipped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (listener < 0)
        set_up();
    Input input = {data, size};
    World world = {.report = berth_boot_report_new(),
                   .skipped = g_ptr_array_new(),
                   .streams = g_hash_table_new_full(NULL, NULL, NULL, g_free)};
    world.table = berth_streams_new(&streams_ops, &world);
    world.server = berth_server_new(dup(listener), world.table, &ops, &world);
    for (guint i = 0; i < CLIENTS; i++)
        connect_client(&world, i);
    while (input.left > 0) {
        uint8_t what = next_byte(&input);
        actions[what % G_N_ELEMENTS(actions)](&world, &input);
        if (what < 128)
            turn(); /* otherwise the next one follows in the same turn */
        g_assert_cmpuint(berth_server_sessions(world.server), ==, g_hash_table_size(world.streams));
    }
    turn();
    tear_down(&world);
    return 0;
}
