/* SPDX-License-Identifier: MIT
 *
 * guest_use — what a distro uses by its own account, as members of a JSON object.
 */
#pragma once

#include "berth.h"
#include "json.h"

/* Those that the guest has never said are null. */
void guest_use_json(Json *json, const BerthDistroUse *use);
