/* SPDX-License-Identifier: MIT */
#include "streams.h"

typedef struct {
    BerthStreamHandler handle;
    gpointer data;
} Owner;

struct BerthStreams {
    const BerthStreamsOps *ops;
    gpointer user_data;
    guint32 last;
    GHashTable *owners; /* number -> Owner*, owned; of the guest's all at WIRE_GUEST_STREAM */
};

BerthStreams *berth_streams_new(const BerthStreamsOps *ops, gpointer user_data)
{
    BerthStreams *streams = g_new0(BerthStreams, 1);
    streams->ops = ops;
    streams->user_data = user_data;
    streams->owners = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return streams;
}

void berth_streams_free(BerthStreams *streams)
{
    if (streams == NULL)
        return;
    g_hash_table_unref(streams->owners);
    g_free(streams);
}

static void set_owner(BerthStreams *streams, guint32 stream, BerthStreamHandler handler,
                      gpointer owner)
{
    Owner *entry = g_new(Owner, 1);
    *entry = (Owner){handler, owner};
    g_hash_table_insert(streams->owners, GUINT_TO_POINTER(stream), entry);
}

guint32 berth_streams_open(BerthStreams *streams, BerthStreamHandler handler, gpointer owner)
{
    set_owner(streams, ++streams->last, handler, owner);
    return streams->last;
}

void berth_streams_accept(BerthStreams *streams, BerthStreamHandler handler, gpointer owner)
{
    set_owner(streams, WIRE_GUEST_STREAM, handler, owner);
}

void berth_streams_close(BerthStreams *streams, guint32 stream)
{
    g_hash_table_remove(streams->owners, GUINT_TO_POINTER(stream));
}

void berth_streams_hang_up(BerthStreams *streams, guint32 stream)
{
    berth_streams_close(streams, stream);
    streams->ops->hang_up(stream, streams->user_data);
}

void berth_streams_send(BerthStreams *streams, const WireFrame *frame, guint32 stream)
{
    streams->ops->send(frame, stream, streams->user_data);
}

void berth_streams_deliver(BerthStreams *streams, const WireFrame *frame)
{
    bool begun_by_guest = (frame->stream & WIRE_GUEST_STREAM) != 0;
    guint32 key = begun_by_guest ? WIRE_GUEST_STREAM : frame->stream;
    const Owner *owner = g_hash_table_lookup(streams->owners, GUINT_TO_POINTER(key));
    if (owner != NULL)
        owner->handle(frame, owner->data);
}
