/* SPDX-License-Identifier: MIT
 *
 * cpio — unpacks an archive of the newc format: directories and regular files, nothing else.
 */
#pragma once

/* Unpack the archive that is read from @fd into @directory, an open and empty one. Sizes are
 * checked against @size_max, the bytes of all files. 0; -EBADMSG: malformed, of another kind or too
 * large; or -errno. A failure leaves what was unpacked. */
int cpio_unpack(int fd, int directory, unsigned long size_max);
