/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "clock.h"

#include <sys/utsname.h>

#define TEXT_MAX 4096 /* it may quote a line of a distro's file */

void report_hello(WireBuffer *out)
{
    struct utsname name;
    uname(&name);
    size_t begin = wire_frame_begin(out, WIRE_HELLO, 0, 0);
    wire_put_u32(out, WIRE_VERSION);
    wire_put_string(out, name.release);
    wire_frame_end(out, begin);
}

void report_stage(WireBuffer *out, const char *name, const char *problem)
{
    report_stage_at(out, name, clock_boottime_usec(), problem);
}

void report_stage_at(WireBuffer *out, const char *name, uint64_t usec, const char *problem)
{
    size_t begin = wire_frame_begin(out, WIRE_STAGE, 0, 0);
    wire_put_string(out, name);
    wire_put_u64(out, usec);
    wire_put_text(out, problem, TEXT_MAX);
    wire_frame_end(out, begin);
}

void report_ready(WireBuffer *out, const char *init, uint32_t init_timeout_msec)
{
    size_t begin = wire_frame_begin(out, WIRE_READY, 0, 0);
    wire_put_string(out, init);
    wire_put_u32(out, init_timeout_msec);
    wire_frame_end(out, begin);
}

void report_text(WireBuffer *out, WireType type, const char *text)
{
    size_t begin = wire_frame_begin(out, type, 0, 0);
    wire_put_text(out, text, TEXT_MAX);
    wire_frame_end(out, begin);
}
