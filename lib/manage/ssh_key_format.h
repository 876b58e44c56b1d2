/* SPDX-License-Identifier: MIT
 *
 * ssh_key_format — an ed25519 key as OpenSSH writes it, in dropbear's form.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The private key in @text, the content of a file of ssh-keygen's without a passphrase, as the
 * bytes of dropbear's file in hexadecimal digits; free with g_free. NULL: it is no such key. */
char *berth_ssh_key_for_dropbear(const char *text);

G_END_DECLS
