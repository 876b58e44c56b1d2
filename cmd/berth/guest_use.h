/* SPDX-License-Identifier: MIT
 *
 * guest_use — what a distro uses by its own account, as members of a JSON object.
 */
#pragma once

#include "berth.h"
#include "json.h"

/* Write the figures of @use; null for each that the guest has not reported yet. */
void guest_use_json(Json *json, const BerthDistroUse *use);
