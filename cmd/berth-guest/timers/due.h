/* SPDX-License-Identifier: MIT
 *
 * due — what the distro wants to do next by itself, and when.
 */
#pragma once

#include <stdint.h>

#define DUE_NAME_SIZE 128

/* A job of cron's or at's, or a timer of systemd's. */
typedef struct {
    int64_t sec;       /* since 1970; 0: nothing is due */
    uint32_t lead_sec; /* how long before it the distro must be awake */
    uint32_t hold_sec; /* how long after it the job may begin */
    char name[DUE_NAME_SIZE];
} Due;

/* Replace @due by @other if that is earlier. */
void due_take_earlier(Due *due, const Due *other);
