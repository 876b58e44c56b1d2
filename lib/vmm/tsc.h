/* SPDX-License-Identifier: MIT
 *
 * tsc — measures the frequency of the processor's time-stamp counter.
 *
 * A guest under TCG reads the host's counter. It would calibrate it against the emulated timer
 * chip, which fails on a busy host and leaves the guest without a clock: it hangs. So the host
 * measures the counter against its own clock and passes the frequency on.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* In kHz, accurate to a few millionths; 0 where there is no such counter. Takes about 5 ms. */
guint berth_tsc_khz(void);

/* Add the frequency to @machine's kernel arguments under TCG. */
void berth_tsc_add_argument(BerthMachine *machine);

G_END_DECLS
