/* SPDX-License-Identifier: MIT
 *
 * watch — adapts lib/disk's progress reports to the caller's (work.h). For lib/manage only.
 */
#pragma once

#include "base/progress.h"
#include "work.h"

/* A BerthProgressFunc; @watch is a const BerthWatch *. */
bool berth_watch_progress(const BerthProgress *progress, gpointer watch);
