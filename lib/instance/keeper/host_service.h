/* SPDX-License-Identifier: MIT
 *
 * host_service — the command of the host that serves a call of the guest: the guest's own, the
 * desktop's program that opens a URL, or one that reads or writes its clipboard.
 *
 * The guest is not trusted. It chooses which URL is opened, of http, https and mailto, and what is
 * copied; never the program, except for WIRE_SERVICE_COMMAND.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

/* The words to run for @service with @argv, which is not empty. @desk: variables of the desktop
 * ("NAME=value"), of host_desk. Free with g_strfreev. NULL: @ret_refusal, a line for the user, says
 * why; free it with g_free. */
char **berth_host_service_command(WireService service, char *const *argv, const char *const *desk,
                                  char **ret_refusal);

/* The socket of the user's gpg agent for other machines ("extra": it shows no secret key), where
 * gpg has it for @gpg_home (GNUPGHOME; NULL: .gnupg in @home): below @runtime_dir (/run/user/UID),
 * else in that directory. NULL: it is not there. Free with g_free. */
char *berth_host_service_gpg_socket(const char *runtime_dir, const char *home,
                                    const char *gpg_home);

G_END_DECLS
