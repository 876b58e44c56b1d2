/* SPDX-License-Identifier: MIT
 *
 * docker — makes a distro's Docker daemon usable on the host.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* The path of a unix socket on the host that leads to the Docker daemon of @name, which is started
 * if necessary; free with g_free. @ret_notice as for berth_start_connect. Errors: those of
 * berth_start_connect; "docker.none". */
char *berth_docker_path(Berth *berth, const char *name, char **ret_notice, GError **error);

G_END_DECLS
