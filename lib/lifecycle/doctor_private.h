/* SPDX-License-Identifier: MIT
 *
 * doctor_private — what the checks share. One file a topic:
 *
 *     doctor.c          the table, and the home directory
 *     doctor_machine.c  what starts a distro: programs, kernel, QEMU, accelerator
 *     doctor_host.c     what the host's kernel allows: limits, sandboxes, ports, FUSE
 *     doctor_data.c     what the user has: settings, disk space, registry, disks, shares, ssh
 *     doctor_stale.c    what killed processes left, and its removal
 */
#pragma once

#include "doctor.h"

G_BEGIN_DECLS

typedef struct {
    Berth *berth;     /* NULL: there is no home directory */
    GError *no_home;  /* why */
    const char *root; /* before /proc, /sys and /dev; "" but in tests */
    guint uid;        /* of the user */
    const BerthDoctorOptions *options;
    GPtrArray *distros;    /* BerthDistro *, with their shares; NULL: not readable */
    GError *no_registry;   /* why */
    BerthMachine *machine; /* of a distro without a section in berth.conf; NULL: none */
    GError *no_machine;    /* why */
    bool kvm;              /* the accelerator check found that KVM works */
} BerthDoctor;

/* Set what a check found. The text is formatted; @command is copied and may be NULL. */
void berth_doctor_say(BerthDoctorRow *row, BerthVerdict verdict, const char *command,
                      const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Set the row to a problem with the message and hint of @error. */
void berth_doctor_say_error(BerthDoctorRow *row, const GError *error);

/* How to install what Debian calls @package, with this host's package manager. Free with g_free. */
char *berth_doctor_install(const char *package);

/* The first word of the file @path below the root; NULL: it cannot be read. Free with g_free. */
char *berth_doctor_read(const BerthDoctor *doctor, const char *path);

/* The file's number; @otherwise if there is none. */
guint64 berth_doctor_number(const BerthDoctor *doctor, const char *path, guint64 otherwise);

void berth_doctor_programs(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_kernel(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_qemu(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_accelerator(BerthDoctor *doctor, BerthDoctorRow *row);

void berth_doctor_limits(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_inotify(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_huge_pages(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_ports(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_sandbox(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_fuse(BerthDoctor *doctor, BerthDoctorRow *row);

/* Read the registry into @doctor; the check of the same name reports it. */
void berth_doctor_load_registry(BerthDoctor *doctor);
void berth_doctor_settings(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_data(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_registry(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_disks(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_shares(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_ssh(BerthDoctor *doctor, BerthDoctorRow *row);

void berth_doctor_runtime(BerthDoctor *doctor, BerthDoctorRow *row);
void berth_doctor_temporary(BerthDoctor *doctor, BerthDoctorRow *row);

G_END_DECLS
