/* SPDX-License-Identifier: MIT
 *
 * flush — how berth-share says for which files it must see the guest's FLUSH, a request at each
 * close(). For all others the carrier answers it in the guest.
 *
 *     host -> guest   fuse_out_header {unique 0, error WIRE_FLUSH_CODE}, uint64_t node
 *
 * It comes before the answer to the request that is the reason. FUSE has no such message; its
 * notify codes are below 100.
 */
#pragma once

#define WIRE_FLUSH_CODE 0x6273
