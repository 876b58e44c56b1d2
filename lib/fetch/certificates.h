/* SPDX-License-Identifier: MIT
 *
 * certificates — the host's trusted authorities, read before the process is confined.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The bundle in PEM that SSL_CERT_FILE names, or else the host's; NULL if there is none. Free with
 * g_bytes_unref. */
GBytes *berth_fetch_certificates_read(void);

G_END_DECLS
