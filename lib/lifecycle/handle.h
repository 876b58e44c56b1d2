/* SPDX-License-Identifier: MIT
 *
 * handle — one user's registry, layout and settings: the context of every verb.
 *
 * The handle owns no process and opens the registry only when a verb needs it. It is for one
 * thread at a time; the threads of berth_handle_for_each use its environment and layout only.
 */
#pragma once

#include "instance/control/control.h"
#include "manage/claim.h"
#include "store/layout.h"
#include "store/registry.h"

G_BEGIN_DECLS

typedef struct Berth {
    char **environment;
    BerthLayout *layout;
    BerthRegistry *registry; /* NULL until it is needed */
    BerthWaiting waiting;
    void (*warn)(const char *line, gpointer user_data); /* NULL: not wanted, or called already */
    gpointer warn_data;
} Berth;

/* For the user and places @environment ("K=V" strings) describes; berth's other programs and data
 * are beside this program, or in @installed. Errors: "layout.home". */
Berth *berth_handle_new(const char *const *environment, const char *installed, GError **error);
/* Accepts NULL. */
void berth_handle_free(Berth *berth);

static inline const char *const *berth_handle_environment(const Berth *berth)
{
    return (const char *const *)berth->environment;
}

/* As berth_compose_settings; the first call that succeeds also warns of berth.conf's lines that
 * have no effect. Not for threads of berth_handle_for_each. */
BerthSettings *berth_handle_settings(Berth *berth, const char *distro, GError **error);

/* As berth_compose_machine, with the same warnings. */
BerthMachine *berth_handle_machine(Berth *berth, const BerthDistro *distro, GError **error);

/* The open registry, the handle's. Where there is none and none can be made, one without distros.
 */
BerthRegistry *berth_handle_registry(Berth *berth, GError **error);

/* The runtime directory, which must be nobody else's before anything in it is trusted; it need not
 * be there, and nothing runs then. Errors: "layout.*". */
const char *berth_handle_runtime(Berth *berth, GError **error);
/* The same, made if it is not there. */
const char *berth_handle_make_runtime(Berth *berth, GError **error);

/* With NULL the default distro. Errors: those of berth_registry_find. */
BerthDistro *berth_handle_find(Berth *berth, const char *name, GError **error);

/* The distros called @names, without repetition, BerthDistro*; all of them for NULL. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_handle_find_all(Berth *berth, const char *const *names, GError **error);

/* The distro @name for @work alone, with its row; and the same once it is known to be stopped,
 * which it stays while the claim is held. Errors: those of berth_claim_distro; "instance.running".
 */
BerthClaim *berth_handle_claim(Berth *berth, const char *name, BerthWork work,
                               BerthDistro **ret_distro, GError **error);
BerthClaim *berth_handle_claim_stopped(Berth *berth, const char *name, BerthWork work,
                                       BerthDistro **ret_distro, GError **error);

/* --- one thread for each of several distros --- */

typedef struct {
    Berth *berth; /* the environment and layout only */
    const BerthDistro *distro;
    gconstpointer data; /* of the verb */
    gpointer result;    /* the verb's to free */
    GError *error;
} BerthJob;

/* Run @work with a BerthJob for every distro of @distros at the same time. Returns the jobs, in
 * their order; free with g_ptr_array_unref. */
GPtrArray *berth_handle_for_each(Berth *berth, GPtrArray *distros, GThreadFunc work,
                                 gconstpointer data);

G_END_DECLS
