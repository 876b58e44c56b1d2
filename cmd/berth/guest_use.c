/* SPDX-License-Identifier: MIT */
#include "guest_use.h"

void guest_use_json(Json *json, const BerthDistroUse *use)
{
    bool known = use->seen_usec != 0;
    json_add_time(json, "guest_seen", use->seen_usec);
    json_add_known(json, "guest_memory", known, use->memory);
    json_add_known(json, "guest_memory_used", known, use->memory_used);
    json_add_known(json, "guest_disk", known, use->disk);
    json_add_known(json, "guest_disk_used", known, use->disk_used);
    json_add_known(json, "net_received", known, use->received);
    json_add_known(json, "net_sent", known, use->sent);
}
