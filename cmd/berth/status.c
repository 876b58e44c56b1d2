/* SPDX-License-Identifier: MIT
 *
 * berth status — shows berth's own state and its use of this host.
 */
#include "commands.h"

#include "base/size.h"
#include "json.h"
#include "status_distro.h"

#include <stdio.h>

static const Option options[] = {{"json", 0, NULL, "For programs, as JSON"}, {NULL}};

static const char *or_missing(const char *path)
{
    return path != NULL ? path : "not found";
}

static void print_text(const BerthStatus *status)
{
    g_autofree char *disk = berth_size_format(status->disk_used);
    g_autofree char *used = berth_size_format(status->memory_used);
    g_autofree char *memory = berth_size_format(status->memory);
    printf("Default distro: %s\n",
           status->default_distro != NULL ? status->default_distro : "none");
    printf("Distros:        %u, %u running\n", status->distros, status->running);
    printf("In use:         %s of memory, %s of disk\n", used, disk);
    printf("A distro gets:  up to %s of memory, %u processors, accel=%s\n", memory, status->cpus,
           status->accel);
    printf("QEMU:           %s\n", or_missing(status->emulator));
    printf("Kernel:         %s\n", or_missing(status->kernel));
    printf("Data:           %s\n", status->data);
    printf("Configuration:  %s/berth.conf\n", status->config);
    printf("Runtime:        %s\n", status->runtime);
}

static void print_json(const BerthStatus *status)
{
    Json *json = json_begin(false);
    json_add_string(json, "version", berth_version());
    json_add_string(json, "default", status->default_distro);
    json_add_number(json, "distros", status->distros);
    json_add_number(json, "running", status->running);
    json_add_number(json, "disk_used", status->disk_used);
    json_add_number(json, "memory_used", status->memory_used);
    json_add_string(json, "accel", status->accel);
    json_add_number(json, "memory", status->memory);
    json_add_number(json, "cpus", status->cpus);
    json_add_string(json, "emulator", status->emulator);
    json_add_string(json, "kernel", status->kernel);
    json_add_string(json, "data_dir", status->data);
    json_add_string(json, "config_dir", status->config);
    json_add_string(json, "cache_dir", status->cache);
    json_add_string(json, "runtime_dir", status->runtime);
    json_add_string(json, "support_dir", status->support);
    json_print(json);
}

static int run_of_distro(Invocation *invocation, GError **error)
{
    g_autoptr(BerthIdleState) state =
        berth_idle_state(invocation->berth, invocation->subject, error);
    if (state == NULL)
        return -1;
    status_distro_print(state, invocation_flag(invocation, "json"));
    return 0;
}

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    if (invocation->subject != NULL)
        return run_of_distro(invocation, error);
    g_autoptr(BerthStatus) status = berth_status(invocation->berth, error);
    if (status == NULL)
        return -1;
    (invocation_flag(invocation, "json") ? print_json : print_text)(status);
    return 0;
}

const Command command_status = {
    .name = "status",
    .spellings = "--status",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "Show berth's version, settings and use of this host",
    .details = "With NAME, the command shows what keeps that distro awake, and when berth will\n"
               "suspend or stop it because it is idle.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
