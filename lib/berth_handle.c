/* SPDX-License-Identifier: MIT
 *
 * The public functions about the handle, over lib/lifecycle.
 */
#include "berth_handle.h"

#include "instance/control/hello.h"
#include "lifecycle/handle.h"

Berth *berth_new(const char *const *environment, GError **error)
{
    const BerthLayoutSupport support = {.relative = BERTH_SUPPORT_RELATIVE,
                                        .installed = BERTH_SUPPORT_DIR};
    return berth_handle_new(environment, &support, error);
}

void berth_free(Berth *berth)
{
    berth_handle_free(berth);
}

void berth_set_waiting(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data)
{
    berth->waiting = (BerthWaiting){.line = line, .user_data = user_data};
}

void berth_set_warning(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data)
{
    berth->warn = line;
    berth->warn_data = user_data;
}

const char *berth_version(void)
{
    return BERTH_VERSION;
}

char *berth_mcp_program(const Berth *berth)
{
    return berth_layout_mcp_program(berth->layout);
}

guint berth_protocol_version(void)
{
    return WIRE_VERSION;
}

guint berth_control_version(void)
{
    return BERTH_CONTROL_VERSION;
}
