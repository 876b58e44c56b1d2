/* SPDX-License-Identifier: MIT
 *
 * container — marks that an image of a container comes with, and by which programs believe that
 * they are in one: docker export leaves /.dockerenv.
 *
 * They are renamed in their directory: /.dockerenv becomes /.dockerenv.berth. An export gives them
 * their names back (lib/disk/tree/marks.h). Marks below /run need nothing: a tmpfs is mounted
 * there.
 */
#pragma once

/* Hide the marks that are regular files in the directory @root, a distro's /. A mark stays where it
 * is if its new name is taken or the disk cannot be written; the log says so. */
void container_hide_marks(int root);
