/* SPDX-License-Identifier: MIT
 *
 * docker — a distro's Docker daemon, lent to the host.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* The path of a unix socket on the host behind which is the Docker daemon of @name, which is
 * started when it is not running; free with g_free. @ret_notice as berth_start_connect's. Errors:
 * those of berth_start_connect; "docker.none". */
char *berth_docker_path(Berth *berth, const char *name, char **ret_notice, GError **error);

G_END_DECLS
