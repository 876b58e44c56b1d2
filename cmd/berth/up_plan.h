/* SPDX-License-Identifier: MIT
 *
 * up_plan — the steps that make a project's distro, as command lines of berth's own. Pure.
 */
#pragma once

#include "project.h"

typedef struct {
    char *title;      /* unique in a plan: "packages" */
    char *detail;     /* what is shown beside it; never a value of the environment */
    char **argv;      /* for berth, without its name; run in the project's directory */
    const char *done; /* codes of errors that say that it is so already, or NULL. Static. */
} UpStep;

/* The plan of @project for the distro @name, UpStep *: the installation is the first. Free with
 * g_ptr_array_unref. */
GPtrArray *up_plan(const Project *project, const char *name);

/* The SHA-256 of @step, as digits: another digest than at its last run makes the step run again.
 * Free with g_free. */
char *up_step_digest(const UpStep *step);
