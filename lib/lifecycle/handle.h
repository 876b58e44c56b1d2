/* SPDX-License-Identifier: MIT
 *
 * handle — one user's registry, layout and settings: the context of every verb.
 *
 * The handle owns no process and opens the registry on first use. It is not thread-safe; the
 * threads of berth_handle_for_each may use only its environment and layout.
 */
#pragma once

#include "instance/client/request.h"
#include "manage/claim.h"
#include "model/machine.h"
#include "model/settings.h"
#include "store/layout.h"
#include "store/registry.h"

G_BEGIN_DECLS

typedef struct Berth {
    char **environment;
    BerthLayout *layout;
    BerthRegistry *registry; /* NULL until first used */
    BerthWaiting waiting;
    void (*warn)(const char *line, gpointer user_data); /* NULL: not wanted, or already called */
    gpointer warn_data;
    int lent; /* the memory that this process' throw-away clone begins with (throwaway.h); or -1 */
} Berth;

/* Make a handle for the user and directories of @environment ("K=V" strings). berth's other
 * programs and data are found by @support, whose code is this program, or the shared library with
 * this function, if NULL. Errors: "layout.home". */
Berth *berth_handle_new(const char *const *environment, const BerthLayoutSupport *support,
                        GError **error);
/* NULL is allowed. */
void berth_handle_free(Berth *berth);

static inline const char *const *berth_handle_environment(const Berth *berth)
{
    return (const char *const *)berth->environment;
}

/* As berth_compose_settings; the first success also warns of unknown lines in berth.conf. Not for
 * threads of berth_handle_for_each. */
BerthSettings *berth_handle_settings(Berth *berth, const char *distro, GError **error);

/* The same, as berth_compose_trace. */
BerthSettings *berth_handle_trace(Berth *berth, const char *distro, BerthSettingOrigin *ret_origins,
                                  GError **error);

/* As berth_compose_machine, with the same warnings. */
BerthMachine *berth_handle_machine(Berth *berth, const BerthDistro *distro, GError **error);

/* The open registry, owned by the handle; an empty one if none exists and none can be created. */
BerthRegistry *berth_handle_registry(Berth *berth, GError **error);

/* The runtime directory, checked to be owned by this user only. It may not exist; then no distro
 * runs. Errors: "layout.*". */
const char *berth_handle_runtime(Berth *berth, GError **error);
/* As berth_handle_runtime, but creates it if missing. */
const char *berth_handle_make_runtime(Berth *berth, GError **error);

/* Find the distro @name; NULL: the default distro. Errors: those of berth_registry_find. */
BerthDistro *berth_handle_find(Berth *berth, const char *name, GError **error);

/* Find the distros @names, without duplicates, BerthDistro*; NULL: all distros. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_handle_find_all(Berth *berth, const char *const *names, GError **error);

/* Claim the distro @name exclusively for @work and read its row. The second form also requires that
 * it is stopped, which the claim ensures for as long as it is held. Errors: those of
 * berth_claim_distro; "instance.running". */
BerthClaim *berth_handle_claim(Berth *berth, const char *name, BerthWork work,
                               BerthDistro **ret_distro, GError **error);
BerthClaim *berth_handle_claim_stopped(Berth *berth, const char *name, BerthWork work,
                                       BerthDistro **ret_distro, GError **error);

/* Claim the stopped distro @name for reading its disk. In a read-only or full data directory no
 * command can make claims, so the disk's lock suffices: then *@ret_claim is NULL. */
bool berth_handle_claim_to_read(Berth *berth, const char *name, BerthWork work,
                                BerthClaim **ret_claim, BerthDistro **ret_distro, GError **error);

/* --- a thread for each of several distros --- */

typedef struct {
    Berth *berth; /* environment and layout only */
    const BerthDistro *distro;
    gconstpointer data; /* the verb's */
    gpointer result;    /* freed by the verb */
    GError *error;
} BerthJob;

/* Run @work with a BerthJob for each of @distros in parallel, and wait for all. Returns the jobs in
 * the order of @distros; free with g_ptr_array_unref. */
GPtrArray *berth_handle_for_each(Berth *berth, GPtrArray *distros, GThreadFunc work,
                                 gconstpointer data);

/* Whether no job of @jobs has an error. False with a copy of the first; of several jobs with its
 * distro's name in front. */
bool berth_handle_all_succeeded(const GPtrArray *jobs, GError **error);

G_END_DECLS
