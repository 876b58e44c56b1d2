/* SPDX-License-Identifier: MIT
 *
 * shared_paths — translates paths between this host and a running distro, by the directories that
 * the distro sees at this moment.
 */
#pragma once

#include "paths/path_map.h"

#include <glib.h>

G_BEGIN_DECLS

/* Translate @path of side @from, relative to this process's working directory; @name is the distro
 * behind @connection, for messages. A path on this host is the file it leads to: its links are
 * followed, as they were in the sources of shares. A path in the guest is a text. Neither need
 * exist. The result is absolute; free with g_free. Errors: "path.unshared", "path.no-shares",
 * "path.working-directory.*", and those of request.h. */
char *berth_shared_paths_translate(int connection, const char *name, PathSide from,
                                   const char *path, GError **error);

G_END_DECLS
