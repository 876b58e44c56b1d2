/* SPDX-License-Identifier: MIT
 *
 * container — hides marker files of container images, from which programs conclude that they run in
 * a container: docker export leaves /.dockerenv.
 *
 * Marks are renamed in place: /.dockerenv becomes /.dockerenv.berth. An export restores their names
 * (lib/disk/tree/marks.h). Marks below /run are hidden by its tmpfs.
 */
#pragma once

/* Hide the marks that are regular files in @root, the distro's /. Logs when a mark cannot be
 * renamed: its new name exists, or the disk is not writable. */
void container_hide_marks(int root);
