/* SPDX-License-Identifier: MIT
 *
 * defaults — what udev's rules and a distribution's sysctl files set on other machines, for images
 * that come without: device nodes everybody may use, limits that editors and containers run into.
 * The distro's own files come after it and win.
 */
#pragma once

/* Whatever cannot be set is logged. */
void defaults_apply(void);
