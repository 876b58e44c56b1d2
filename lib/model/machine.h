/* SPDX-License-Identifier: MIT
 *
 * machine — everything the keeper and QEMU must be told about one instance, as a pure value.
 *
 *     Distro + Settings + Host + template text -> Machine -> (vmm/qemu_args) QEMU's argv
 *
 * Making one touches nothing outside the arguments. Its text form is machine.conf in the runtime
 * directory; the keeper reads it and needs neither registry nor configuration.
 *
 * Sizes are bytes. Strings are owned by the struct; free with berth_machine_free.
 */
#pragma once

#include "access.h"
#include "distro.h"
#include "field.h"
#include "forward.h"
#include "settings.h"

G_BEGIN_DECLS

/* What a machine takes from the host it is to run on. All borrowed. */
typedef struct {
    guint64 memory;        /* physical memory, bytes */
    guint cpus;            /* processors this process may use */
    const char *kernel;    /* path of the uncompressed image that came with berth */
    const char *initramfs; /* path */
    const char *log;       /* path of the distro's console log */
    const char *time_zone; /* Olson name, or "" */
} BerthHost;

/* How QEMU is told to speak QMP. */
typedef enum {
    BERTH_MONITOR_MON,    /* -mon, which QEMU 11 calls deprecated */
    BERTH_MONITOR_OBJECT, /* -object monitor-qmp, which QEMU before 11 does not know */
} BerthMonitor;

typedef struct {
    /* who */
    char *id;       /* of the distro */
    guint slot;     /* of the distro, or 0 */
    char *name;     /* of the distro */
    char *hostname; /* in the guest */
    char *user;     /* default user, or NULL for root */
    char *time_zone;
    char *identity;    /* the guest's machine-id and host keys are to be this one's own; or NULL */
    char *account;     /* of a user the guest is to make if it has none, or NULL */
    guint account_uid; /* wanted */
    bool oobe;         /* the distro's own first-run command is wanted */
    bool rescue;       /* the guest is to touch nothing of the distro's */
    char *cloud;       /* cloud-init's name for the instance; or NULL: it is not to run */

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

    /* what to take instead, as text, where the emulator cannot do with the preferred; NULL: nothing
     * else, or decided */
    char *options_fallback;
    char *monitor_fallback;

    /* what runs */
    char *kernel;
    char *initramfs;
    char **kernel_arguments;
    char **tcg_kernel_arguments; /* more of them, under TCG */
    guint cpus;
    guint64 memory;
    char *disk; /* raw image, the root file system */
    char *mac;  /* of eth0 */
    guint mtu;
    bool ports;
    char *ports_ignore; /* as in BerthSettings; also these */
    char *ports_udp;
    bool ports_notify;
    char *publish;
    char *forwards;     /* rules of the distro's own, or NULL */
    char *host_ports;   /* as in settings */
    char *host_allowed; /* ports of the host as in the registry, or NULL */
    bool isolated;
    char *outbound;
    bool owner_only;

    /* the keeper */
    char *resolv_conf; /* path: the name servers that the guest asks, or NULL */
    char *log;
    guint64 log_size;
    guint boot_timeout_sec;
    guint init_timeout_sec;
    guint stop_timeout_sec;
} BerthMachine;

/* The machine of @distro. @template_text is templates/machines/<arch>.conf.
 * Errors: BERTH_ERROR_INVALID, "machine.template" for a template that cannot be read,
 * those of access.h. */
BerthMachine *berth_machine_new(const BerthDistro *distro, const BerthSettings *settings,
                                const BerthHost *host, const char *template_text, GError **error);
void berth_machine_free(BerthMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthMachine, berth_machine_free)

/* The ways in which the alternatives of @machine (x and x_fallback) can be combined, at least 1.
 * Variant 0 has all that is preferred. In the second half of the variants the machine's options are
 * the fallback; within each half the variants differ in what QEMU accepts, not in what boots. */
guint berth_machine_variants(const BerthMachine *machine);

/* Decide the alternatives: from now on @machine is variant @index and has no other.
 * Errors: BERTH_ERROR_INVALID, "config.value". */
bool berth_machine_settle(BerthMachine *machine, guint index, GError **error);

/* A copy of @machine, settled. Errors: as berth_machine_settle. */
BerthMachine *berth_machine_variant(const BerthMachine *machine, guint index, GError **error);

/* The instance's own IPv6 network, a /64: fd, then the first ten digits of @id, which is a
 * distro's. The rest of @ret_prefix, whose last byte is the host part, is zero. Source: RFC
 * 4193, 3.1. */
void berth_address_prefix6(const char *id, guint8 ret_prefix[16]);

/* What it says about forwards. */
BerthForwardPolicy *berth_machine_forward_policy(const BerthMachine *machine);

/* Where it may go, with @allowed in the place of host_allowed; the host's addresses are not in it.
 * Errors: those of access.h. */
bool berth_machine_access(const BerthMachine *machine, const char *allowed, BerthAccess *ret_access,
                          GError **error);

/* Its text form and back. Free the text with g_free.
 * Errors of from_text: BERTH_ERROR_INVALID, "config.*". */
char *berth_machine_to_text(const BerthMachine *machine);
BerthMachine *berth_machine_from_text(const char *text, GError **error);

/* The name, and in @ret_slot unless that is NULL the number (0: none), in the file @path of such
 * a text. Nothing else is read, so that one of another version of berth is understood. NULL when it
 * names none. Free with g_free. */
char *berth_machine_read_name(const char *path, guint *ret_slot);

G_END_DECLS
