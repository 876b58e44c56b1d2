/* SPDX-License-Identifier: MIT
 *
 * The public functions about throw-away clones, over lib/lifecycle.
 */
#include "berth_throwaway.h"

#include "lifecycle/throwaway.h"

BerthThrowaway *berth_throwaway_new(Berth *berth, const char *template, bool isolated,
                                    BerthWorkFunc progress, gpointer user_data, GError **error)
{
    return berth_throwaway_make(berth, template, isolated, progress, user_data, error);
}

const char *berth_throwaway_name(const BerthThrowaway *clone)
{
    return berth_throwaway_distro(clone)->name;
}

const char *berth_throwaway_template(const BerthThrowaway *clone)
{
    return berth_throwaway_distro(clone)->template;
}

bool berth_throwaway_remove(BerthThrowaway *clone, GError **error)
{
    return berth_throwaway_end(clone, error);
}
