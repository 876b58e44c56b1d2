/* SPDX-License-Identifier: MIT
 *
 * fuzz — what libFuzzer calls, and standalone.c in its place.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
