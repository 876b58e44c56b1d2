/* SPDX-License-Identifier: MIT
 *
 * berth — the public interface: distros, each in a small virtual machine of its own.
 *
 * A Berth is a handle on one user's distros; it keeps no processes or threads. All functions block.
 * Distros are found by name, compared without case; a NULL name, where allowed, means the default
 * distro, or the only one. Unless stated otherwise, functions fail with a GError of domain
 * BERTH_ERROR (base/error.h), which has a stable id and often a hint, and write to their outputs
 * only on success.
 *
 * Sizes are bytes, times are microseconds of real time. Structs own their strings. A Berth is not
 * thread-safe. No ABI is promised before 1.0.
 *
 * This header includes the others, each about one noun. The functions of lib/lifecycle take structs
 * of their own, though they are alike: the public headers show nothing of lib but base/error.h, and
 * need not follow their changes.
 */
#pragma once

#include "base/error.h"
#include "berth_archive.h"
#include "berth_autostart.h"
#include "berth_cache.h"
#include "berth_change.h"
#include "berth_distro.h"
#include "berth_doctor.h"
#include "berth_file.h"
#include "berth_forward.h"
#include "berth_handle.h"
#include "berth_host.h"
#include "berth_idle.h"
#include "berth_instance.h"
#include "berth_mount.h"
#include "berth_online.h"
#include "berth_port.h"
#include "berth_run.h"
#include "berth_setting.h"
#include "berth_share.h"
#include "berth_snapshot.h"
#include "berth_ssh.h"
#include "berth_status.h"
#include "berth_template.h"
#include "berth_throwaway.h"
#include "berth_usage.h"
