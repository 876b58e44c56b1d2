/* SPDX-License-Identifier: MIT
 *
 * resolver — looks up host names in a process of its own, for a caller that may open no file.
 *
 * libc's resolver reads files of /etc and loads plug-ins, and which ones depends on the host. The
 * resolver process is not confined, and sees nothing but host names; it ends with its socket.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Start the process: before the caller is confined and before any thread starts. Returns its
 * socket, owned by the caller; -1 on error. Errors: errno's, "fetch.resolver.*". */
int berth_fetch_resolver_start(GError **error);

/* The addresses of @host as "A,B,..."; NULL if it has none. Free with g_free. */
char *berth_fetch_resolver_ask(int fd, const char *host);

G_END_DECLS
