/* SPDX-License-Identifier: MIT
 *
 * wire_input — bytes of chance made into what a peer may send: now and then as they are, mostly as
 * frames that are well-formed outside, of known types on few streams, with fields inside.
 */
#pragma once

#include "wire/wire.h"

/* Append to @buffer, which may grow to some 100 kB. The same bytes give the same frames. */
void wire_input_put(WireBuffer *buffer, const uint8_t *data, size_t size);
