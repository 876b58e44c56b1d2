/* SPDX-License-Identifier: MIT
 *
 * report — what both PID 1 and the agent tell the host of the machine: frames on stream 0.
 */
#pragma once

#include "wire/wire.h"

/* HELLO, with the kernel's release. */
void report_hello(WireBuffer *out);

/* STAGE @name ended now; @problem is "" when it went well. */
void report_stage(WireBuffer *out, const char *name, const char *problem);

/* The same for one that ended @usec after the start. */
void report_stage_at(WireBuffer *out, const char *name, uint64_t usec, const char *problem);

/* READY, of @init. */
void report_ready(WireBuffer *out, const char *init, uint32_t init_timeout_msec);

/* BOOTED, NOTE: one string. */
void report_text(WireBuffer *out, WireType type, const char *text);
