/* SPDX-License-Identifier: MIT
 *
 * berth_private — what the parts of the facade share: the handle, and how each begins. Not for
 * others.
 */
#pragma once

#include "berth.h"

#include "instance/control/control.h"
#include "manage/claim.h"
#include "manage/compose.h"
#include "manage/hold.h"
#include "store/layout.h"
#include "store/registry.h"

struct Berth {
    char **environment;
    BerthLayout *layout;
    BerthRegistry *registry; /* NULL until it is needed */
    BerthWaiting waiting;
    void (*warn)(const char *line, gpointer user_data); /* NULL: not wanted, or called already */
    gpointer warn_data;
};

static inline const char *const *environment_of(const Berth *berth)
{
    return (const char *const *)berth->environment;
}

/* As berth_compose_settings; the first call that succeeds also warns of berth.conf's lines that
 * have no effect. Not for threads of berth_private_for_each. */
BerthSettings *berth_private_settings(Berth *berth, const char *distro, GError **error);

/* As berth_compose_machine, with the same warnings. */
BerthMachine *berth_private_machine(Berth *berth, const BerthDistro *distro, GError **error);

/* The open registry. */
BerthRegistry *berth_private_registry(Berth *berth, GError **error);

/* The runtime directory, which must be nobody else's before anything in it is trusted. */
const char *berth_private_runtime(Berth *berth, GError **error);

BerthDistro *berth_private_find(Berth *berth, const char *name, GError **error);

/* The distros called @names, without repetition, BerthDistro*; all of them for NULL. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_private_find_all(Berth *berth, const char *const *names, GError **error);

/* The distro @name for @work alone, with its row; and the same once it is known to be stopped,
 * which it stays while the claim is held. Errors: those of berth_claim_distro; "instance.running".
 */
BerthClaim *berth_private_claim(Berth *berth, const char *name, BerthWork work,
                                BerthDistro **ret_distro, GError **error);
BerthClaim *berth_private_claim_stopped(Berth *berth, const char *name, BerthWork work,
                                        BerthDistro **ret_distro, GError **error);

/* A connection to the keeper of @distro, wherever its runtime directory is. -1 on error.
 * Errors: BERTH_ERROR_NOT_RUNNING; BERTH_ERROR_BUSY, "instance.unreachable". */
int berth_private_connect(const Berth *berth, const BerthDistro *distro, GError **error);
/* The directory of its keeper; free with g_free. */
char *berth_private_directory(const Berth *berth, const BerthDistro *distro);
bool berth_private_is_unreachable(const GError *error);

/* As berth_private_find_all; but where the registry cannot be read, those that a keeper's directory
 * names: it must be possible to end them. Their rows have a name, an id and a disk only. */
GPtrArray *berth_private_find_stoppable(Berth *berth, const char *const *names, GError **error);

/* Wait until a keeper of @distro that no longer listens has let go of the disk. */
void berth_private_wait_for_leaver(const BerthDistro *distro);

/* End the keeper of @distro without asking it: by signals, as berth_runtime_end. No error when
 * there is none. */
bool berth_private_end(const Berth *berth, const BerthDistro *distro, int grace_sec,
                       GError **error);

/* --- one thread for each of several distros --- */

typedef struct {
    Berth *berth; /* the environment and layout only */
    const BerthDistro *distro;
    const BerthStop *stop;
    const BerthClaimHolder *holder; /* who works on it, or NULL */
    gpointer result;
    GError *error;
} Job;

/* Run @work for every distro of @distros at the same time; @stop and @holders may be NULL. Returns
 * the jobs, in their order; free with g_ptr_array_unref. */
GPtrArray *berth_private_for_each(Berth *berth, GPtrArray *distros, GThreadFunc work,
                                  const BerthStop *stop, const GPtrArray *holders);

/* Until a keeper that should answer at once counts as stuck. */
#define ANSWER_TIMEOUT_SEC 3

/* Give an answer over @fd at most so long. */
void berth_private_limit_waiting(int fd, guint seconds);
