/* SPDX-License-Identifier: MIT
 *
 * commands — the rows of all commands; each is defined in the file of its name.
 */
#pragma once

#include "command.h"

extern const Command command_autostart;
extern const Command command_cache;
extern const Command command_clone;
extern const Command command_code;
extern const Command command_compact;
extern const Command command_complete;
extern const Command command_config;
extern const Command command_cp;
extern const Command command_console;
extern const Command command_docker_env;
extern const Command command_doctor;
extern const Command command_export;
extern const Command command_file;
extern const Command command_forward;
extern const Command command_help;
extern const Command command_host;
extern const Command command_share;
extern const Command command_changes;
extern const Command command_accept;
extern const Command command_diff;
extern const Command command_discard;
extern const Command command_import;
extern const Command command_import_in_place;
extern const Command command_install;
extern const Command command_list;
extern const Command command_logs;
extern const Command command_manage;
extern const Command command_mcp;
extern const Command command_mount;
extern const Command command_mount_disk;
extern const Command command_move;
extern const Command command_path;
extern const Command command_ports;
extern const Command command_rename;
extern const Command command_report;
extern const Command command_resize;
extern const Command command_restore;
extern const Command command_run;
extern const Command command_set;
extern const Command command_set_default;
extern const Command command_shell;
extern const Command command_shutdown;
extern const Command command_snapshot;
extern const Command command_snapshots;
extern const Command command_ssh_config;
extern const Command command_ssh_proxy;
extern const Command command_start;
extern const Command command_status;
extern const Command command_park;
extern const Command command_suspend;
extern const Command command_keep;
extern const Command command_templates;
extern const Command command_terminate;
extern const Command command_top;
extern const Command command_umount;
extern const Command command_undo;
extern const Command command_uninstall;
extern const Command command_unmount_disk;
extern const Command command_unregister;
extern const Command command_up;
extern const Command command_update;
extern const Command command_version;
