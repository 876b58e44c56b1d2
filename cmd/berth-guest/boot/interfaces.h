/* SPDX-License-Identifier: MIT
 *
 * interfaces — finds interfaces that /etc/network/interfaces (ifupdown) brings up and this machine
 * lacks: it has only eth0, which is already up.
 */
#pragma once

/* The names that the kernel and udev give to hardware interfaces, except eth0, in the syntax of
 * ifupdown's EXCLUDE_INTERFACES: patterns separated by blanks. */
#define INTERFACES_ABSENT "en[opsx]* eth[1-9]* wl[opsx]*"

/* @file is a path in the distro; @line counts from 1; @name has at most 15 bytes, as IFNAMSIZ
 * demands. */
typedef void (*InterfacesEach)(void *data, const char *file, unsigned line, const char *name);

/* Call @each for the interfaces below @root that are brought up at boot and match
 * INTERFACES_ABSENT. Reads the files that "source" and "source-directory" include, too; of a
 * pattern only the last part of the path may have wildcards. At most 256 regular files are read. */
void interfaces_each_absent(int root, InterfacesEach each, void *data);
