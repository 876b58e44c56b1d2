/* SPDX-License-Identifier: MIT
 *
 * defaults — modes of device nodes and kernel limits that udev rules and sysctl files set
 * elsewhere, for images without them. The distro's own files are applied later and win.
 */
#pragma once

/* Failures are logged. */
void defaults_apply(void);
