/* SPDX-License-Identifier: MIT
 *
 * distro — a registered distro: one row of the registry, as a value.
 *
 * Sizes are bytes. Strings are owned by the struct; free with berth_distro_free, which accepts
 * NULL.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_DISTRO_ID_LENGTH   16 /* lower-case hexadecimal digits */
#define BERTH_DISTRO_NAME_LENGTH 64 /* at most, characters */
#define BERTH_DISTRO_SLOT_MAX    254

typedef struct {
    char *id;          /* names its directories; never changes, never reused */
    char *name;        /* as the user wrote it; compared without case */
    guint slot;        /* from 1 to BERTH_DISTRO_SLOT_MAX, no other's; or 0: there was none left */
    char *disk;        /* absolute path of the raw ext4 image */
    guint64 disk_size; /* apparent size of the image */
    char *account;     /* of a user to be made in it at its first start, if it has none; or NULL */
    guint account_uid; /* wanted for that */
    bool oobe;         /* its own first-run command is to be run, and makes the user */
    char *forwards;    /* rules (rule.h) of its own, parted by ";"; or NULL */
    gint64 created_usec; /* real time */
    bool own_identity;   /* a clone: the guest gives itself a machine-id and host keys of its own */
    bool keep_disk;      /* the disk is the user's own file: it stays when the distro goes */
    char *host_ports;    /* of the host, that "berth host allow" opened to it; or NULL */
    bool is_default;     /* the distro that is meant when none is named */
} BerthDistro;

/* A distro with a fresh random id and creation time; the caller fills the rest. */
BerthDistro *berth_distro_new(const char *name);
BerthDistro *berth_distro_copy(const BerthDistro *distro);
void berth_distro_free(BerthDistro *distro);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDistro, berth_distro_free)

/* The loopback address of the host that is the distro's with this slot alone, 127.0.@slot.1;
 * NULL for 0. Free with g_free. */
char *berth_distro_address(guint slot);

/* Whether @name is [A-Za-z0-9][A-Za-z0-9._-]{0,63} and not reserved.
 * Errors: BERTH_ERROR_INVALID, "name.invalid", "name.reserved". */
bool berth_distro_check_name(const char *name, GError **error);

/* Why no distro may have this name, since its host name means something else: a text for messages;
 * or NULL. An old registry may have one nevertheless. */
const char *berth_distro_reserved(const char *name);

/* The name of the account in a distro for who is called @user here: [a-z_][a-z0-9_-]{0,31}, which
 * every distro takes. Free with g_free. */
char *berth_distro_account(const char *user);

/* A host name made of a distro's name: lower case, no dots or underscores, at most 63 characters.
 * Free with g_free. Source: RFC 1123 section 2.1. */
char *berth_distro_hostname(const char *name);

G_END_DECLS
