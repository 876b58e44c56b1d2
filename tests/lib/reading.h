/* SPDX-License-Identifier: MIT
 *
 * reading — formats an archive's entries as text, as the whole reader sees them.
 *
 * One line each: "f path >target u1:2 t-1.500000000 [name=value] (bob) acls1 flags2 nodump
 * sparse100 =@10:data", without absent parts; "[system...=]" is an ACL, "(bob)" an ACL line without
 * a numeric id. Warnings follow at the end, after "! ". The archive's name is "x.tar".
 */
#pragma once

#include <glib.h>

#define READING_DAMAGED "import.read.damaged"

/* NULL with @error. */
char *reading_text(const GByteArray *bytes, GError **error);

/* End the archive and expect it to read as @text. */
void reading_expect(GByteArray *tarball, const char *text);
void reading_expect_as_is(const GByteArray *tarball, const char *text);

/* End the archive and expect its rejection with this id and a message that contains @message. */
void reading_refused(GByteArray *tarball, const char *id, const char *message);
void reading_refused_as_is(const GByteArray *tarball, const char *id, const char *message);
