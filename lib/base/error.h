/* SPDX-License-Identifier: MIT
 *
 * error — the one error domain of berth.
 *
 * Every failure that a caller can see is a GError of domain BERTH_ERROR. It has four parts:
 *
 *   code     a BerthErrorCode: what the caller can do about it;
 *   message  one line without a final full stop, from the operation inwards
 *            ("import debian: unpack usr/bin/sudo: no space left on device");
 *   id       a stable name for scripts, dotted, never translated ("import.unpack.no-space");
 *   hint     what to do next; without one of its own, an error gets that of error_hints.h, or NULL.
 *
 * Set the error where it occurs with the most specific id; callers add context with
 * g_prefix_error(), which keeps code, id and hint. Success never touches @error; failure always
 * sets it. The library never prints: cmd/berth/main.c does, once.
 *
 * Ownership: ids are static strings; hints and messages are copied.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_ERROR_FAILED,      /* none of the others */
    BERTH_ERROR_NOT_FOUND,   /* a distro, file or program that was named does not exist */
    BERTH_ERROR_EXISTS,      /* the name is taken */
    BERTH_ERROR_INVALID,     /* invalid input: a name, an archive, a setting */
    BERTH_ERROR_BUSY,        /* in use; the same call may work later */
    BERTH_ERROR_NOT_RUNNING, /* needs a running instance */
    BERTH_ERROR_NO_SPACE,    /* disk, quota or file size limit */
    BERTH_ERROR_DENIED,      /* permission */
    BERTH_ERROR_NO_KVM,      /* hardware virtualisation was demanded and does not work */
    BERTH_ERROR_GUEST,       /* the guest failed: no boot, no agent, no such user */
    BERTH_ERROR_PROTOCOL,    /* the peer broke the protocol */
    BERTH_ERROR_CANCELLED,   /* the user asked to stop */
} BerthErrorCode;

#define BERTH_ERROR (berth_error_quark())
GQuark berth_error_quark(void);

/* Set @error. @id must be a static string; @hint NULL: that of error_hints.h for @id. */
void berth_error_set(GError **error, BerthErrorCode code, const char *id, const char *hint,
                     const char *format, ...) G_GNUC_PRINTF(5, 6);

/* Set @error from @errnum: the message is the formatted text, ": " and strerror() in lower case;
 * @errnum determines the code. The id is @step plus a kind, as in "import.unpack" + ".no-space";
 * kinds are no-space, denied, missing, exists, busy, read-only, too-big and io. */
void berth_error_set_errno(GError **error, int errnum, const char *step, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* Set @error as received from a peer: a @code outside the enum becomes FAILED, the id is
 * interned. */
void berth_error_set_remote(GError **error, guint code, const char *id, const char *hint,
                            const char *message);

/* The stable name, or "failed" for an error of another domain. Never NULL. */
const char *berth_error_id(const GError *error);

/* The hint, which tells the user what to do next; or NULL. Borrowed from @error. */
const char *berth_error_hint(const GError *error);

/* Whether @error is of our domain with this code. @error may be NULL. */
bool berth_error_is(const GError *error, BerthErrorCode code);

G_END_DECLS
