/* SPDX-License-Identifier: MIT
 *
 * The public functions about autostart, over lib/lifecycle.
 */
#include "berth_autostart.h"

#include "lifecycle/autostart.h"
#include "manage/autostart.h"

bool berth_autostart(Berth *berth, const char *name, bool on, char **ret_notice, GError **error)
{
    return berth_autostart_set(berth, name, on, ret_notice, error);
}

bool berth_is_autostarted(Berth *berth, const char *name, bool *ret_on, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    if (distro != NULL)
        *ret_on = berth_autostart_is_on(berth->layout, distro->name);
    return distro != NULL;
}
