/* SPDX-License-Identifier: MIT
 *
 * report — frames on stream 0 that both PID 1 and the agent send to the host.
 */
#pragma once

#include "wire/wire.h"

/* HELLO, with the kernel's release. */
void report_hello(WireBuffer *out);

/* STAGE: @name ended now; an empty @problem means success. */
void report_stage(WireBuffer *out, const char *name, const char *problem);

/* As report_stage, for a stage that ended @usec after boot. */
void report_stage_at(WireBuffer *out, const char *name, uint64_t usec, const char *problem);

/* READY, of @init. */
void report_ready(WireBuffer *out, const char *init, uint32_t init_timeout_msec);

/* BOOTED, NOTE: one string. */
void report_text(WireBuffer *out, WireType type, const char *text);
