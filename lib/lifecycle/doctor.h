/* SPDX-License-Identifier: MIT
 *
 * doctor — examines the host, the installation and the user's data, and says what to do about each
 * problem.
 *
 * Works where nothing else does: without a home directory, a registry or a QEMU. Each check is a
 * row of the table in doctor.c. Without `fix` nothing of the user's is written but cached answers
 * of the accelerator's proof; with it only runtime files, temporary files and cached answers are
 * removed, never a disk or a row of the registry.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_VERDICT_OK,
    BERTH_VERDICT_WARNING, /* something works less well, or may stop working */
    BERTH_VERDICT_PROBLEM, /* something does not work */
} BerthVerdict;

typedef struct {
    const char *name; /* of the check; static */
    BerthVerdict verdict;
    char *text;    /* one line */
    char *command; /* that mends it, or what to do; NULL: nothing to do */
    char *fixed;   /* what was done about it; or NULL */
} BerthDoctorRow;

typedef struct {
    bool fix;
    /* Called before an examination that takes seconds; may be NULL. */
    void (*progress)(const char *line, gpointer user_data);
    gpointer user_data;
} BerthDoctorOptions;

/* Make every check for the user of @environment. @support as berth_handle_new's. Returns
 * BerthDoctorRow *, in the table's order; free with g_ptr_array_unref. Never fails. */
GPtrArray *berth_doctor_examine(const char *const *environment, const BerthLayoutSupport *support,
                                const BerthDoctorOptions *options);

/* "ok", "warning" or "problem". */
const char *berth_verdict_word(BerthVerdict verdict);

G_END_DECLS
