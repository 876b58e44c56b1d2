/* SPDX-License-Identifier: MIT
 *
 * watch — between the progress of lib/disk and the caller's (work.h). For lib/manage only.
 */
#pragma once

#include "base/progress.h"
#include "work.h"

/* A BerthProgressFunc; @watch is a const BerthWatch *. */
bool berth_watch_progress(const BerthProgress *progress, gpointer watch);
