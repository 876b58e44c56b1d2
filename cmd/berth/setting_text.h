/* SPDX-License-Identifier: MIT
 *
 * setting_text — what `berth config` and `berth set` print of settings.
 */
#pragma once

#include "berth.h"
#include "json.h"

/* Where the value comes from: "default", "FILE:LINE" or "BERTH_MEMORY"; @path is berth.conf. Free
 * with g_free. */
char *setting_text_source(const BerthSetting *setting, const char *path);

/* Add @setting to an array, as an object. */
void setting_text_add(Json *json, const BerthSetting *setting);

/* Warn of a change that does less than what was asked for. */
void setting_text_warn(const BerthSettingChange *change);
