/* SPDX-License-Identifier: MIT
 *
 * wire_input — converts random bytes into frames of a peer: sometimes raw, mostly well-formed
 * frames of known types on few streams, with fields inside.
 */
#pragma once

#include "wire/wire.h"

/* Append to @buffer, which may grow to about 100 kB. Deterministic. */
void wire_input_put(WireBuffer *buffer, const uint8_t *data, size_t size);
