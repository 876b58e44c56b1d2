/* SPDX-License-Identifier: MIT
 *
 * interfaces — what /etc/network/interfaces (ifupdown) of an image brings up that this machine does
 * not have: eth0 is its one interface, and is up already.
 */
#pragma once

/* The names that kernels and udev give to interfaces of hardware, but for eth0: what
 * EXCLUDE_INTERFACES of ifupdown takes, patterns with blanks between. */
#define INTERFACES_ABSENT "en[opsx]* eth[1-9]* wl[opsx]*"

/* @line counts from 1; @name is at most 15 bytes long, as an interface's is. */
typedef void (*InterfacesEach)(void *data, unsigned line, const char *name);

/* Call @each for the interfaces that match INTERFACES_ABSENT and are to be brought up at boot,
 * below the directory @root. Files that the file names are not read. */
void interfaces_each_absent(int root, InterfacesEach each, void *data);
