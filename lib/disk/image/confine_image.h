/* SPDX-License-Identifier: MIT
 *
 * confine_image — berth-image gives up everything but its descriptors, before the first byte of an
 * archive or an image is read.
 *
 * Decompressors and parsers of file systems read what strangers made. Afterwards a mistake in them
 * can still read the input, write the output and say something; it can open no path, make no
 * socket, run no program, start no process, and take no more than a bounded amount of memory.
 *
 * For good, for the whole process. Must come before any thread is started. Errors: "import.lock.*".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Descriptors above @last_fd are closed. False when a wall could not be put up; then the process
 * must not go on. */
bool berth_disk_confine(int last_fd, GError **error);

G_END_DECLS
