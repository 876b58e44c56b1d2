/* SPDX-License-Identifier: MIT
 *
 * compose — collects the inputs of a machine (berth.conf, the environment, this host, the template)
 * and calls model/machine.h to make it.
 */
#pragma once

#include "model/machine.h"
#include "store/layout.h"

G_BEGIN_DECLS

/* The settings of @distro, or of no particular distro if NULL. Errors: those of model/settings.h;
 * errno's, "config.*". */
BerthSettings *berth_compose_settings(const BerthLayout *layout, const char *distro,
                                      const char *const *environment, GError **error);

/* The same, and where each value comes from (berth_settings_trace). */
BerthSettings *berth_compose_trace(const BerthLayout *layout, const char *distro,
                                   const char *const *environment, BerthSettingOrigin *ret_origins,
                                   GError **error);

/* Warnings about berth.conf and @environment: lines as from model/settings_check.h; none if the
 * file cannot be read. Free with g_strfreev. */
char **berth_compose_warnings(const BerthLayout *layout, const char *const *environment);

/* The lines of berth_machine_over_ask for @settings on this host. */
char *berth_compose_over_ask(const BerthSettings *settings, const char *key);

/* Make the machine of @distro on this host. Errors: also those of store/template.h and
 * model/machine.h. */
BerthMachine *berth_compose_machine(const BerthLayout *layout, const BerthDistro *distro,
                                    const char *const *environment, GError **error);

G_END_DECLS
