/* SPDX-License-Identifier: MIT */
#include "start.h"

#include "reach.h"
#include "shares.h"
#include "throwaway.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "instance/client/launch.h"
#include "instance/client/request.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"
#include "instance/control/runtime_files.h"
#include "manage/cloud_seed.h"
#include "manage/compose.h"
#include "manage/hold.h"
#include "manage/repair.h"
#include "manage/rescue_initramfs.h"
#include "park/identity.h"
#include "park/park_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The id of the error that another command changed the distro's row. */
#define DISTRO_CHANGED "distro.changed"

/* The state of one start. */
typedef struct {
    Berth *berth;
    const BerthStartOptions *how;
    const BerthDistro *distro; /* the row that the machine is composed from */
    const BerthMachine *machine;
    char *busybox;   /* of the host, for rescue mode; NULL if it has none */
    bool check_disk; /* the guest could not mount the disk: run e2fsck */
    GString *notice; /* lines for the user */
} Start;

/* Add @text unless present, since retries may repeat it. */
static void add_notice(Start *start, const char *text)
{
    if (text != NULL && strstr(start->notice->str, text) == NULL)
        g_string_append_printf(start->notice, "%s%s", start->notice->len > 0 ? "\n" : "", text);
}

/* --- the machine --- */

static BerthDistro *find(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    if (distro == NULL)
        return NULL;
    distro->host_ports = berth_registry_host_ports(berth->registry, distro, error);
    distro->shares = distro->host_ports != NULL ? berth_shares_texts(berth, distro, error) : NULL;
    return distro->shares != NULL ? g_steal_pointer(&distro) : NULL;
}

static BerthMachine *prepare(Berth *berth, const BerthDistro *distro, bool rescue,
                             char **ret_notice, GError **error)
{
    g_autoptr(BerthMachine) machine = berth_handle_machine(berth, distro, error);
    const char *runtime = machine != NULL ? berth_handle_make_runtime(berth, error) : NULL;
    if (runtime == NULL || !berth_layout_make(berth->layout->cache, error) ||
        !berth_launch_prepare(machine, berth->layout->cache, ret_notice, error) ||
        (!rescue && !berth_cloud_seed_plan(berth->layout, runtime, machine, error)))
        return NULL;
    berth_park_identity_prepare(machine, berth->layout->cache);
    return g_steal_pointer(&machine);
}

BerthMachine *berth_start_machine(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autofree char *notice = NULL;
    return prepare(berth, distro, false, &notice, error);
}

/* Set the path of @machine's rescue initramfs, which write_initramfs() writes. */
static void plan_rescue(Start *start, const char *runtime, BerthMachine *machine)
{
    machine->rescue = true;
    if (start->busybox == NULL) {
        add_notice(start, "the rescue has only the distro's own shell: busybox-static is not "
                          "installed on this host");
        return;
    }
    g_free(machine->initramfs);
    machine->initramfs = g_build_filename(runtime, machine->id, BERTH_RUNTIME_RESCUE, NULL);
}

/* Write the rescue initramfs to the planned path. */
static bool write_initramfs(const Start *start, GError **error)
{
    const BerthLayout *layout = start->berth->layout;
    if (!start->how->rescue)
        return berth_cloud_seed_write(layout, start->machine, error);
    return start->busybox == NULL ||
           berth_rescue_initramfs_write(layout, start->busybox, start->machine->initramfs, error);
}

/* --- starting --- */

/* Connect to the distro if it is up or coming up; -1 without @error if it must be started. */
static int connect_running(const Start *start, GError **error)
{
    const BerthDistro *distro = start->distro;
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_reach_connect(start->berth, distro, &problem);
    if (fd >= 0 && (start->how->rescue || start->how->isolated)) {
        g_autofree char *hint = g_strdup_printf("stop it first: berth terminate %s", distro->name);
        berth_error_set(error, BERTH_ERROR_BUSY, "instance.running", hint, "it is running");
        return -1;
    }
    if (fd >= 0 && (start->how->early || berth_request_wait(fd, &start->berth->waiting, &problem)))
        return berth_fd_steal(&fd);
    if (!berth_runtime_is_gone(problem))
        g_propagate_error(error, g_steal_pointer(&problem));
    return -1;
}

static bool is_unchanged(const BerthDistro *distro, Berth *berth, GError **error)
{
    g_autoptr(BerthDistro) now = berth_registry_find_by_id(berth->registry, distro->id, error);
    g_autofree char *ports =
        now != NULL ? berth_registry_host_ports(berth->registry, now, error) : NULL;
    g_auto(GStrv) shares = ports != NULL ? berth_shares_texts(berth, now, error) : NULL;
    if (shares == NULL)
        return false;
    if (g_str_equal(now->name, distro->name) && g_str_equal(now->disk, distro->disk) &&
        g_strcmp0(now->forwards, distro->forwards) == 0 && g_str_equal(ports, distro->host_ports) &&
        g_strv_equal((const char *const *)shares, (const char *const *)distro->shares))
        return true;
    berth_error_set(error, BERTH_ERROR_BUSY, DISTRO_CHANGED, "try again", "%s has just changed",
                    distro->name);
    return false;
}

/* If the distro is parked, *@ret_goes_on is whether the machine continues it. If it cannot, its
 * memory is removed, before anything writes the disk. */
static bool settle_parked(Start *start, bool *ret_goes_on, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const char *disk = start->machine->disk;
    *ret_goes_on = false;
    if (!berth_park_exists(disk))
        return true;
    *ret_goes_on = !start->how->rescue && berth_park_check(start->machine, &problem);
    if (*ret_goes_on)
        return true;
    if (start->how->rescue || start->how->isolated)
        return berth_hold_check_unparked(start->distro, error); /* its programs would be lost */
    if (!berth_park_remove(disk)) {
        berth_error_set_errno(error, errno, "park.remove", "%s.parked", disk);
        return false;
    }
    g_autofree char *text = g_strdup_printf(
        "%s was parked, but cannot continue: %s; it boots instead, and data that its "
        "programs had not saved is lost",
        start->distro->name, problem->message);
    add_notice(start, text);
    return true;
}

/* The callback of runtime.h before a start, while the start lock is held: checks that no command
 * works on the distro, that its row is unchanged and that its disk is locked and sound; writes its
 * initramfs. */
static bool may_start(gpointer user_data, int *ret_disk_fd, GError **error)
{
    Start *start = user_data;
    g_autofree char *note = NULL;
    if (!berth_claim_check(start->berth->layout, start->distro->id, error) ||
        !is_unchanged(start->distro, start->berth, error))
        return false;
    berth_autofd int disk = berth_hold_open(start->distro, BERTH_HOLD_START, "disk.open", error);
    bool goes_on = false;
    bool sound = disk >= 0 && settle_parked(start, &goes_on, error) &&
                 (start->how->rescue || goes_on ||
                  berth_manage_repair(start->distro, disk, start->check_disk, &note, error));
    add_notice(start, note);
    if (!sound || !write_initramfs(start, error) || !berth_hold_pass(&disk, start->distro, error))
        return false;
    *ret_disk_fd = berth_fd_steal(&disk);
    return true;
}

static int bring_up(Start *start, const BerthMachine *machine, const char *runtime, GError **error)
{
    bool is_clone = start->distro->template != NULL;
    const BerthRuntimeCheck check = {may_start, start, is_clone ? &start->berth->lent : NULL};
    berth_autofd int fd =
        berth_runtime_start(machine, runtime, start->berth->layout->support, &check, error);
    if (fd < 0 || start->how->early || berth_request_wait(fd, &start->berth->waiting, error))
        return berth_fd_steal(&fd);
    return -1;
}

/* Add the notices of the boot report, ignoring errors. */
static void collect_notices(Start *start, int fd)
{
    g_autoptr(BerthBootReport) report = berth_request_boot(fd, NULL);
    for (guint i = 0; report != NULL && i < report->notices->len; i++)
        add_notice(start, report->notices->pdata[i]);
    if (report == NULL || report->notices_left_out == 0)
        return;
    g_autofree char *more =
        g_strdup_printf("%u more lines about this start: \"berth logs %s\" shows them",
                        report->notices_left_out, start->distro->name);
    add_notice(start, more);
}

/* Warn if the name has become reserved since the distro was registered. */
static void warn_of_name(Start *start)
{
    const char *name = start->distro->name;
    const char *reserved = berth_distro_reserved(name);
    if (reserved == NULL)
        return;
    g_autofree char *text =
        g_strdup_printf("the name \"%s\" is reserved: %s; rename it: berth rename %s NEW-NAME",
                        name, reserved, name);
    add_notice(start, text);
}

/* Say what the settings ask for and the machine does not get. */
static void warn_of_limits(Start *start)
{
    g_autoptr(BerthSettings) settings =
        berth_handle_settings(start->berth, berth_distro_settings_name(start->distro), NULL);
    g_autofree char *lines = settings != NULL ? berth_compose_over_ask(settings, NULL) : NULL;
    add_notice(start, lines);
}

static int connect_or_start(Start *start, const char *runtime, GError **error)
{
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = connect_running(start, &problem);
    if (fd >= 0)
        return berth_fd_steal(&fd);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return -1;
    }
    /* Fail before the slow probe of the accelerator; may_start() checks again. */
    if (!berth_claim_check(start->berth->layout, start->distro->id, error))
        return -1;

    g_autofree char *notice = NULL;
    g_autoptr(BerthMachine) machine =
        prepare(start->berth, start->distro, start->how->rescue, &notice, error);
    if (machine == NULL)
        return -1;
    machine->isolated |= start->how->isolated;
    if (start->distro->template != NULL)
        machine->owner = g_strchomp(berth_process_format());
    berth_layout_record_runtime(start->berth->layout);
    g_autofree char *busybox =
        start->how->rescue ? berth_rescue_initramfs_busybox(start->berth->layout) : NULL;
    start->busybox = busybox;
    if (start->how->rescue)
        plan_rescue(start, runtime, machine);
    add_notice(start, notice);
    warn_of_name(start);
    warn_of_limits(start);
    g_autofree char *left_out = machine->isolated ? NULL : berth_shares_leave_out(machine);
    add_notice(start, left_out);
    start->machine = machine;
    fd = bring_up(start, machine, runtime, error);
    if (fd >= 0 && !start->how->early)
        collect_notices(start, fd);
    return berth_fd_steal(&fd);
}

/* Connect; if the disk is missing, explain that a command is moving it or has moved it. */
static int connect_or_explain(Start *start, const char *runtime, GError **error)
{
    g_autoptr(GError) problem = NULL;
    int fd = connect_or_start(start, runtime, &problem);
    if (problem == NULL || !g_str_equal(berth_error_id(problem), "machine.no-disk") ||
        (berth_claim_check(start->berth->layout, start->distro->id, error) &&
         is_unchanged(start->distro, start->berth, error))) {
        if (problem != NULL)
            g_propagate_error(error, g_steal_pointer(&problem));
        return fd;
    }
    return -1;
}

static int connect_once(Berth *berth, const char *name, const Start *start, GError **error)
{
    g_autoptr(BerthDistro) distro = find(berth, name, error);
    const char *runtime = distro != NULL ? berth_handle_runtime(berth, error) : NULL;
    if (runtime == NULL)
        return -1;
    Start once = *start;
    once.distro = distro;
    int fd = connect_or_explain(&once, runtime, error);
    berth_hello_name_distro(error, distro->name);
    return fd;
}

/* Failures so far, by kind. */
typedef struct {
    guint changed; /* another command moved or renamed the distro */
    guint gone;    /* it was powered off or its keeper killed during the boot */
    guint no_disk; /* the guest could not mount the disk */
} Failures;

/* Whether another attempt may succeed after @problem. */
static bool may_retry(Failures *failures, const GError *problem, const BerthStartOptions *how)
{
    const guint retries_max = 2;
    if (g_str_equal(berth_error_id(problem), DISTRO_CHANGED))
        return failures->changed++ < retries_max;
    if (g_str_equal(berth_error_id(problem), "instance.disk"))
        return !how->rescue && failures->no_disk++ == 0;
    return berth_runtime_is_gone(problem) && failures->gone++ < retries_max;
}

void berth_start_forget(Berth *berth, const GError *problem)
{
    berth_launch_failed(problem, berth->layout->cache);
}

int berth_start_connect(Berth *berth, const char *name, const BerthStartOptions *how,
                        char **ret_notice, GError **error)
{
    berth_throwaway_clean(berth);
    g_autoptr(GString) notice = g_string_new(NULL);
    g_autoptr(GError) problem = NULL;
    Failures failures = {0};
    int fd = -1;
    do {
        g_clear_error(&problem);
        const Start start = {
            .berth = berth, .how = how, .check_disk = failures.no_disk > 0, .notice = notice};
        fd = connect_once(berth, name, &start, &problem);
    } while (fd < 0 && may_retry(&failures, problem, how));

    *ret_notice = notice->len > 0 ? g_strdup(notice->str) : NULL;
    if (fd < 0) {
        berth_start_forget(berth, problem);
        g_propagate_error(error, g_steal_pointer(&problem));
    }
    return fd;
}

char *berth_start_command_line(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    g_autoptr(BerthDistro) distro = find(berth, name, error);
    g_autoptr(BerthMachine) machine =
        distro != NULL ? prepare(berth, distro, false, ret_notice, error) : NULL;
    return machine != NULL ? berth_launch_command_line(machine, error) : NULL;
}
