/* SPDX-License-Identifier: MIT
 *
 * compose — what lies around a machine (berth.conf, the environment, this host, the template) is
 * gathered, so that model/machine.h can make it.
 */
#pragma once

#include "model/machine.h"
#include "store/layout.h"

G_BEGIN_DECLS

/* The settings of @distro, or with NULL those of none in particular.
 * Errors: those of model/settings.h; errno's, "config.*". */
BerthSettings *berth_compose_settings(const BerthLayout *layout, const char *distro,
                                      const char *const *environment, GError **error);

/* What to warn the user about in berth.conf and @environment: lines as of model/settings_check.h,
 * none of a file that cannot be read. Free with g_strfreev. */
char **berth_compose_warnings(const BerthLayout *layout, const char *const *environment);

/* The machine of @distro on this host.
 * Errors: also those of store/template.h and model/machine.h. */
BerthMachine *berth_compose_machine(const BerthLayout *layout, const BerthDistro *distro,
                                    const char *const *environment, GError **error);

G_END_DECLS
