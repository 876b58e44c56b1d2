/* SPDX-License-Identifier: MIT
 *
 * tsc — how fast the processor's time-stamp counter runs.
 *
 * A guest under software emulation reads the host's counter. It would measure the frequency against
 * the emulated timer chip, which fails when the host is busy, and then it has no clock at all and
 * hangs. The host knows better: it compares the counter with its own clock.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* In kHz, exact to a few millionths; 0 where there is no such counter. Takes about 5 ms. */
guint berth_tsc_khz(void);

/* Add that frequency to what @machine's kernel is told under TCG. */
void berth_tsc_add_argument(BerthMachine *machine);

G_END_DECLS
