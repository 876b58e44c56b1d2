/* SPDX-License-Identifier: MIT */
#include "doctor_private.h"

#include "base/error.h"
#include "instance/client/launch.h"
#include "versions.h"

#include <unistd.h>

/* In the support directory, and what does not work without them. */
static const char *const programs[] = {"berth-keeper", "berth-net",   "berth-image", "berth-share",
                                       "berth-fetch",  "berth-mount", "berth-guest"};

void berth_doctor_programs(BerthDoctor *doctor, BerthDoctorRow *row)
{
    const char *support = doctor->berth->layout->support;
    for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autofree char *path = g_build_filename(support, programs[i], NULL);
        if (access(path, X_OK) == 0)
            continue;
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM,
                         "berth is not installed completely; install it again", "%s is missing",
                         path);
        return;
    }
    berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "in %s", support);
}

void berth_doctor_kernel(BerthDoctor *doctor, BerthDoctorRow *row)
{
    const BerthMachine *machine = doctor->machine;
    if (machine == NULL) {
        berth_doctor_say_error(row, doctor->no_machine);
        return;
    }
    if (access(machine->kernel, R_OK) < 0) {
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM,
                         "build it with kernel/build, or name one with kernel= in berth.conf",
                         "there is no kernel %s", machine->kernel);
        return;
    }
    if (access(machine->initramfs, R_OK) < 0) {
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM,
                         "berth is not installed completely; install it again",
                         "there is no initramfs %s", machine->initramfs);
        return;
    }
    g_autofree char *version = berth_versions_kernel(machine->kernel);
    berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "Linux %s, %s",
                     version != NULL ? version : "of an unknown version", machine->kernel);
}

/* Warn of features that this QEMU lacks, after its @version. */
static void judge_features(BerthDoctorRow *row, const char *emulator, const char *version)
{
    static const char another[] = "name another QEMU with emulator= in berth.conf";
    bool ignore_shared = false, io_uring = false;
    g_autoptr(GError) problem = NULL;
    if (!berth_launch_features(emulator, &ignore_shared, &io_uring, &problem))
        berth_doctor_say_error(row, problem);
    else if (!ignore_shared)
        berth_doctor_say(
            row, BERTH_VERDICT_WARNING, another,
            "QEMU %s has no x-ignore-shared: it copies a distro's memory to suspend it", version);
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "QEMU %s, x-ignore-shared, %s", version,
                         io_uring ? "io_uring" : "no io_uring");
}

void berth_doctor_qemu(BerthDoctor *doctor, BerthDoctorRow *row)
{
    if (doctor->machine == NULL) {
        berth_doctor_say_error(row, doctor->no_machine);
        return;
    }
    const char *emulator = doctor->machine->emulator;
    g_autofree char *path = g_find_program_in_path(emulator);
    if (path == NULL) {
        g_autofree char *command = berth_doctor_install("qemu-system-x86");
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM, command, "%s: not found", emulator);
        return;
    }
    g_autofree char *version = berth_versions_emulator(emulator);
    judge_features(row, emulator, version != NULL ? version : "of an unknown version");
}

/* --- the accelerator --- */

/* What is known of the accelerator of a fresh machine. False with the row filled. */
static bool look(BerthDoctor *doctor, BerthDoctorRow *row, BerthLaunchReport *ret_report)
{
    g_autoptr(GError) problem = NULL;
    if (berth_launch_look(doctor->machine, doctor->berth->layout->cache, ret_report, &problem))
        return true;
    berth_doctor_say_error(row, problem);
    return false;
}

/* Resolve a copy of the machine's accelerator; BERTH_ACCEL_AUTO on error. */
static BerthAccel prove(BerthDoctor *doctor, bool known, GError **error)
{
    g_autoptr(BerthDistro) any = berth_distro_new("any");
    g_autoptr(BerthMachine) machine = berth_handle_machine(doctor->berth, any, error);
    if (machine == NULL)
        return BERTH_ACCEL_AUTO;
    machine->disk = g_strdup("/dev/null"); /* the trial uses none, but it must exist */
    if (!known && doctor->options->progress != NULL)
        doctor->options->progress("trying the kernel on this host, which takes a few seconds",
                                  doctor->options->user_data);
    return berth_launch_prove(machine, doctor->berth->layout->cache, error) ? machine->accel
                                                                            : BERTH_ACCEL_AUTO;
}

static void judge_accelerator(const BerthDoctor *doctor, BerthAccel accel,
                              const BerthLaunchReport *report, BerthDoctorRow *row)
{
    if (accel == BERTH_ACCEL_KVM)
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "KVM, proven with this kernel");
    else if (doctor->machine->accel == BERTH_ACCEL_TCG)
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "software emulation, as accel=tcg asks");
    else
        berth_doctor_say(row, BERTH_VERDICT_WARNING, report->hint,
                         "slow software emulation, since KVM does not work here: %s",
                         report->reason != NULL ? report->reason : "its trial failed");
}

/* With `fix`, forget an answer from the cache that is not the best: the host may have changed. */
static void forget(BerthDoctor *doctor, BerthLaunchReport *report, BerthDoctorRow *row)
{
    if (!doctor->options->fix || !report->known || report->reason == NULL)
        return;
    berth_launch_forget(doctor->berth->layout->cache);
    report->known = false;
    row->fixed = g_strdup("forgot the cached answer and tried again");
}

void berth_doctor_accelerator(BerthDoctor *doctor, BerthDoctorRow *row)
{
    g_autoptr(GError) problem = NULL;
    g_auto(BerthLaunchReport) before = {0}, after = {0};
    if (doctor->machine == NULL) {
        berth_doctor_say_error(row, doctor->no_machine);
        return;
    }
    if (!look(doctor, row, &before))
        return;
    forget(doctor, &before, row);
    BerthAccel accel = prove(doctor, before.known, &problem);
    doctor->kvm = accel == BERTH_ACCEL_KVM;
    if (accel == BERTH_ACCEL_AUTO)
        berth_doctor_say_error(row, problem);
    else if (look(doctor, row, &after))
        judge_accelerator(doctor, accel, &after, row);
}
