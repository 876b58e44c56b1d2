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
    char *id;            /* names its directories; never changes, never reused */
    char *name;          /* as the user wrote it; compared without case */
    guint slot;          /* unique, 1 to BERTH_DISTRO_SLOT_MAX; 0 when none was free */
    char *disk;          /* absolute path of the raw ext4 image */
    guint64 disk_size;   /* apparent size of the image */
    char *account;       /* user to create at the first start if the distro has none; or NULL */
    guint account_uid;   /* its preferred uid */
    bool oobe;           /* run the distro's own first-run command, which creates the user */
    char *forwards;      /* its rules (rule.h), separated by ";"; or NULL */
    gint64 created_usec; /* real time */
    bool own_identity;   /* a clone: the guest creates its own machine-id and host keys */
    bool keep_disk;      /* the disk is the user's own file: unregister keeps it */
    char *template;      /* a throw-away clone: the distro whose settings it uses; or NULL */
    char *host_ports;    /* ports of the host opened by "berth host allow"; or NULL */
    char **shares;       /* directories of the host it sees, as texts (share.h); or NULL */
    bool is_default;     /* used when no distro is named */
} BerthDistro;

/* A distro with a fresh random id and creation time; the caller fills in the rest. */
BerthDistro *berth_distro_new(const char *name);
BerthDistro *berth_distro_copy(const BerthDistro *distro);
void berth_distro_free(BerthDistro *distro);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDistro, berth_distro_free)

/* The distro's own loopback address on the host, 127.0.@slot.1; NULL for 0. Free with g_free. */
char *berth_distro_address(guint slot);

/* The name below which the settings have those of @distro; borrowed. */
const char *berth_distro_settings_name(const BerthDistro *distro);

/* A name for a throw-away clone of @template with the id @id: "debian-3f2a9c1e". Free with
 * g_free. */
char *berth_distro_clone_name(const char *template, const char *id);

/* The hint of an error for a name that berth_distro_is_name refuses. */
#define BERTH_DISTRO_NAME_HINT                                                                     \
    "a name is 1 to 64 letters, digits, dots, underscores and hyphens, and starts with a letter "  \
    "or digit"

/* Whether @text is [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
bool berth_distro_is_name(const char *text);

/* Whether @name is such a text and not reserved. Errors: BERTH_ERROR_INVALID,
 * "name.invalid", "name.reserved". */
bool berth_distro_check_name(const char *name, GError **error);

/* Why @name is reserved (its host name has another meaning), as text for messages; or NULL. Distros
 * in old registries may have one. */
const char *berth_distro_reserved(const char *name);

/* The account name in a distro for the host's user @user: [a-z_][a-z0-9_-]{0,31}, valid in every
 * distro. Free with g_free. */
char *berth_distro_account(const char *user);

/* The host name for a distro's name: lower case, no dots or underscores, at most 63 characters.
 * Free with g_free. Source: RFC 1123 section 2.1. */
char *berth_distro_hostname(const char *name);

G_END_DECLS
