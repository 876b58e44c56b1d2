/* SPDX-License-Identifier: MIT
 *
 * ssh_keys — the keys of a distro's ssh connections, on this host's disk.
 *
 *     distros/<id>/ssh/    0700
 *         client_key       this user's, for this distro alone; and client_key.pub
 *         host_key         the distro's, which is given to the server of each connection
 *         known_hosts      the distro's name with that key, so that ssh never asks
 *         user             the distro's default user, as far as it is known
 *
 * They are made at the first use, by ssh-keygen. The directory carries the distro's id: it stays
 * through rename and move, and goes when the distro is unregistered. A clone makes its own.
 *
 * Blocking; two processes may call these at once. Errors: errno's, "ssh.keys.*".
 */
#pragma once

#include "model/distro.h"
#include "store/layout.h"

G_BEGIN_DECLS

typedef struct {
    char *client_key;   /* path */
    char *known_hosts;  /* path */
    char *public_key;   /* a line of authorized_keys */
    char *host_key;     /* private, as OpenSSH writes it */
    char *dropbear_key; /* the same, see ssh_key_format.h */
} BerthSshKeys;

/* The keys of @distro, made where there are none. Errors: BERTH_ERROR_NOT_FOUND, "ssh.no-keygen";
 * BERTH_ERROR_FAILED, "ssh.keygen"; BERTH_ERROR_INVALID, "ssh.keys" when they are damaged. */
BerthSshKeys *berth_ssh_keys_make(const BerthLayout *layout, const BerthDistro *distro,
                                  GError **error);
void berth_ssh_keys_free(BerthSshKeys *keys);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSshKeys, berth_ssh_keys_free)

/* The default user of the distro @id as it was last recorded; NULL: never. Free with g_free. */
char *berth_ssh_keys_user(const BerthLayout *layout, const char *id);

/* Record it, where there are keys. Errors are ignored: it is asked for again then. */
void berth_ssh_keys_set_user(const BerthLayout *layout, const char *id, const char *user);

G_END_DECLS
