/* SPDX-License-Identifier: MIT
 *
 * reading — what an archive means, entry by entry, as text: through the whole reader.
 *
 * A line each: "f path >target u1:2 t-1.500000000 [name=value] (bob) acls1 flags2 nodump sparse100
 * =@10:data", what is not there left out; "[system...=]" stands for an ACL, "(bob)" for a line of
 * one without a number. Warnings stand at the end, after "! ". The archive's name is "x.tar".
 */
#pragma once

#include <glib.h>

#define READING_DAMAGED "import.read.damaged"

/* NULL with @error. */
char *reading_text(const GByteArray *bytes, GError **error);

/* End the archive; it reads as @text. */
void reading_expect(GByteArray *tarball, const char *text);
void reading_expect_as_is(const GByteArray *tarball, const char *text);

/* End the archive; it is refused with this id, and with a message that contains @message. */
void reading_refused(GByteArray *tarball, const char *id, const char *message);
void reading_refused_as_is(const GByteArray *tarball, const char *id, const char *message);
