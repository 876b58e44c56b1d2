/* SPDX-License-Identifier: MIT
 *
 * renew — gives a clone its own identity: new machine-id, new ssh host keys, no saved random seed.
 * It runs before the init, so that no process uses the old ones; or, in a clone that has the memory
 * of its source, while all processes are frozen.
 *
 * CONFIG names the identity the distro shall have; /var/lib/berth/identity names the present one.
 * While they differ the whole renewal runs; the file is written last, after a sync. So a crash
 * repeats the renewal, and the host need not be informed.
 */
#pragma once

#include "os/config.h"

/* 0, also when there is nothing to do; or -errno. When `ssh-keygen -A` fails the old keys stay, and
 * the next start retries. */
int renew_identity(const Config *config);
