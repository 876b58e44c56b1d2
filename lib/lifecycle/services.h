/* SPDX-License-Identifier: MIT
 *
 * services — the variables by which programs of a distro find services of this host.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* "NAME=value" for each service that the settings of the distro @name allow as of now. Free with
 * g_strfreev; empty if the settings cannot be read. */
char **berth_services_variables(Berth *berth, const char *name);

G_END_DECLS
