/* SPDX-License-Identifier: MIT
 *
 * machine — everything the keeper and QEMU need for one instance, as a plain value.
 *
 *     Distro + Settings + Host + template text -> Machine -> (vmm/qemu_args) QEMU's argv
 *
 * Pure: reads and writes its arguments only. Its text form is machine.conf in the runtime
 * directory; the keeper reads that and needs neither registry nor configuration.
 *
 * Sizes are bytes. Strings are owned by the struct; free with berth_machine_free.
 */
#pragma once

#include "access.h"
#include "distro.h"
#include "fields.h"
#include "forward.h"
#include "settings.h"

G_BEGIN_DECLS

/* The memory and the processors of a machine, and what its settings asked for: 0 stands for
 * automatic. Sizes are bytes. */
typedef struct {
    guint64 memory_wanted, memory;
    guint cpus_wanted, cpus;
} BerthMachineSize;

/* Properties of the host that a machine depends on. All borrowed. */
typedef struct {
    const BerthMachineSize *parked; /* of the distro's parked guest, which keeps its size while the
                                     * settings ask for the same; or NULL */
    guint64 memory;                 /* physical memory, bytes */
    guint cpus;                     /* processors available to this process */
    const char *kernel;             /* path of the uncompressed image that came with berth */
    const char *initramfs;          /* path */
    const char *log;                /* path of the distro's console log */
    const char *time_zone;          /* Olson name, or "" */
    const char *settings;           /* path of the user's settings (settings.h); or NULL */
    const char *data;               /* berth's data directory; or NULL */
    const char *home; /* the user's home directory, without links; NULL: it has none */
} BerthHost;

/* How QEMU is asked for a QMP monitor. */
typedef enum {
    BERTH_MONITOR_MON,    /* -mon, deprecated since QEMU 11 */
    BERTH_MONITOR_OBJECT, /* -object monitor-qmp, unknown before QEMU 11 */
} BerthMonitor;

typedef struct {
    /* identity */
    char *id;       /* of the distro */
    guint slot;     /* of the distro, or 0 */
    char *name;     /* of the distro */
    char *hostname; /* in the guest */
    char *template; /* a throw-away clone: the distro whose settings it uses; or NULL */
    char *owner;    /* the process with whose end it is stopped, as in base/process.h; or NULL */
    char *user;     /* default user, or NULL for root */
    char *time_zone;
    char *identity;    /* source of the guest's own machine-id and host keys; or NULL to keep the
                        * disk's */
    char *account;     /* user to create if the guest has none, or NULL */
    guint account_uid; /* its preferred uid */
    bool oobe;         /* run the distro's own first-run command */
    bool rescue;       /* rescue: leave the distro's files alone */
    char *cloud;       /* instance id for cloud-init; NULL: cloud-init does not run */

    /* QEMU */
    char *emulator;    /* name on PATH or path */
    char *type;        /* "microvm" */
    char **options;    /* of -machine, "key=value" */
    guint monitor;     /* BerthMonitor */
    char **globals;    /* of -global */
    guint accel;       /* BerthAccel; AUTO until vmm/accel has decided */
    char *cpu_kvm;     /* -cpu under KVM */
    char *cpu_tcg;     /* -cpu under TCG */
    char *tcg_options; /* after "-accel tcg", or NULL */

    /* fallbacks of the members above, as text, for an emulator that lacks the preferred; NULL:
     * none, or settled */
    char *options_fallback;
    char *monitor_fallback;

    /* guest */
    char *kernel;
    char *initramfs;
    char **digests; /* known ones of these two files: park/file_digest.h */
    char **kernel_arguments;
    char **tcg_kernel_arguments; /* appended under TCG */
    char *kernel_command_line;   /* the user's words, appended as they are; or NULL */
    guint cpus;
    guint cpus_wanted; /* as in settings; 0: automatic */
    guint64 memory;
    guint64 memory_wanted; /* the same */
    char *disk;            /* raw image, the root file system */
    char *mac;             /* of eth0 */
    guint mtu;
    bool ports;
    char *ports_ignore; /* these as in BerthSettings */
    char *ports_udp;
    bool ports_notify;
    char *publish;
    char *forwards;     /* the distro's own rules, or NULL */
    char *host_ports;   /* as in settings */
    char *host_allowed; /* allowed ports of the host as in the registry, or NULL */
    bool isolated;
    char *outbound;
    bool owner_only;
    char **shares; /* directories of the host that the guest sees: share.h */

    /* keeper */
    char *settings; /* path of the user's settings, for what a call is checked against; or NULL */
    char *resolv_conf; /* path: the upstream name servers, or NULL */
    char *log;
    guint64 log_size;
    guint boot_timeout_sec;
    guint init_timeout_sec;
    guint stop_timeout_sec;
    guint idle;   /* BerthIdleAction */
    guint64 swap; /* in the guest's memory, bytes; 0: none */
    guint idle_timeout_sec;
    guint park_after_sec; /* as in settings */
    char *checkpoint;     /* the same; or NULL */
    char *data;           /* berth's data directory, for what is done to the distro unasked */
} BerthMachine;

/* Create the machine of @distro. It gets at most the memory and the processors of @host.
 * @template_text is templates/machines/<arch>.conf. Errors:
 * BERTH_ERROR_INVALID, "machine.template" for an invalid template, those of access.h. */
BerthMachine *berth_machine_new(const BerthDistro *distro, const BerthSettings *settings,
                                const BerthHost *host, const char *template_text, GError **error);

BerthMachineSize berth_machine_size(const BerthMachine *machine);

/* A line for each value of @settings that the machine does not get, since @host has less or the
 * value is too little; only that of @key, unless it is NULL. NULL: it gets all of them. Free with
 * g_free. */
char *berth_machine_over_ask(const BerthSettings *settings, const BerthHost *host, const char *key);

void berth_machine_free(BerthMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthMachine, berth_machine_free)

/* The number of variants, at least 1: the combinations of @machine's alternatives (x and
 * x_fallback). Variant 0 has all preferred values. The second half uses the fallback of the
 * machine's options; within each half the variants differ in what QEMU accepts, not in what
 * boots. */
guint berth_machine_variants(const BerthMachine *machine);

/* Turn @machine into variant @index, without alternatives. Errors: BERTH_ERROR_INVALID,
 * "config.value". */
bool berth_machine_settle(BerthMachine *machine, guint index, GError **error);

/* A copy of @machine, settled. Errors: as berth_machine_settle. */
BerthMachine *berth_machine_variant(const BerthMachine *machine, guint index, GError **error);

/* The instance's private IPv6 network, a /64: fd, then the first ten digits of @id, a distro's. The
 * rest of @ret_prefix is zero; its last byte is the host part. Source: RFC 4193, 3.1. */
void berth_machine_prefix6(const char *id, guint8 ret_prefix[16]);

/* The forward policy of @machine. */
BerthForwardPolicy *berth_machine_forward_policy(const BerthMachine *machine);

/* The access policy of @machine, with @allowed in place of host_allowed and without the host's
 * addresses. Errors: those of access.h. */
bool berth_machine_access(const BerthMachine *machine, const char *allowed, BerthAccess *ret_access,
                          GError **error);

/* The text form and back. Free the text with g_free. Errors of from_text: BERTH_ERROR_INVALID,
 * "config.*". */
char *berth_machine_to_text(const BerthMachine *machine);
BerthMachine *berth_machine_from_text(const char *text, GError **error);

/* Read the name and, unless @ret_slot is NULL, the slot (0: none) from the file @path of such a
 * text. Nothing else is parsed, so that files of other versions of berth work. NULL when there is
 * no name. Free with g_free. */
char *berth_machine_read_name(const char *path, guint *ret_slot);

G_END_DECLS
