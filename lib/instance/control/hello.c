/* SPDX-License-Identifier: MIT */
#include "hello.h"

#include "base/error.h"

#include <string.h>

#define MISMATCH     "instance.version"
#define HELLO_STREAM 1u

static void put(WireBuffer *buffer, guint type, guint32 stream)
{
    size_t begin = wire_frame_begin(buffer, (WireType)type, 0, stream);
    wire_put_u32(buffer, BERTH_CONTROL_VERSION);
    wire_frame_end(buffer, begin);
}

void berth_hello_put(WireBuffer *buffer)
{
    put(buffer, BERTH_HELLO_TYPE, HELLO_STREAM);
}

void berth_hello_put_answer(WireBuffer *buffer)
{
    put(buffer, BERTH_HELLO_IS_TYPE, 0);
}

guint32 berth_hello_version(const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    return wire_get_u32(&reader); /* later versions may add fields */
}

static bool check(guint32 keeper, guint32 berth, GError **error)
{
    if (keeper == berth)
        return true;
    bool older = keeper < berth;
    berth_error_set(error, BERTH_ERROR_PROTOCOL, MISMATCH,
                    older ? "end the distro, then try again: berth terminate NAME"
                          : "use the newer berth, or end the distro: berth terminate NAME",
                    "the distro was started by %s berth: its keeper has version %u of the control "
                    "protocol, this berth has %u",
                    older ? "an older" : "a newer", keeper, berth);
    return false;
}

bool berth_hello_check_keeper(const WireFrame *first, GError **error)
{
    bool answered = first->type == BERTH_HELLO_IS_TYPE;
    return check(answered ? berth_hello_version(first) : 0, BERTH_CONTROL_VERSION, error);
}

bool berth_hello_check_client(guint32 version, GError **error)
{
    return check(BERTH_CONTROL_VERSION, version, error);
}

bool berth_hello_is_mismatch(const GError *error)
{
    return error != NULL && strcmp(berth_error_id(error), MISMATCH) == 0;
}

void berth_hello_name_distro(GError **error, const char *name)
{
    if (!berth_hello_is_mismatch(*error))
        return;
    g_autofree char *message = g_strdup((*error)->message);
    g_autoptr(GString) hint = g_string_new(berth_error_hint(*error));
    g_string_replace(hint, "NAME", name, 1);
    g_clear_error(error);
    berth_error_set(error, BERTH_ERROR_PROTOCOL, MISMATCH, hint->str, "%s", message);
}
