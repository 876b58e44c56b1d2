/* SPDX-License-Identifier: MIT
 *
 * renew — a clone becomes somebody of its own: another machine-id, other ssh host keys, no saved
 * random seed. Before the init starts, so that nobody has seen the old ones.
 *
 * The host says whose identity the distro is to have; /var/lib/berth/identity says whose it has.
 * While they differ the work is done, as a whole, again; the file is written last and after a sync.
 * So a crash repeats it and nothing loses it, and the host need not be told.
 */
#pragma once

#include "os/config.h"

/* 0, also when nothing is to be done; or -errno. A distro whose `ssh-keygen -A` fails keeps its
 * keys and tries again at the next start. */
int renew_identity(const Config *config);
