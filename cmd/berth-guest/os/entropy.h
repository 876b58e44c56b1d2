/* SPDX-License-Identifier: MIT
 *
 * entropy — new random numbers for a kernel whose state another machine has, too.
 */
#pragma once

/* Have the kernel's generator begin anew with bytes of the host's: whoever reads from it later gets
 * other numbers than a copy of this machine. 0, or -errno. */
int entropy_renew(void);
