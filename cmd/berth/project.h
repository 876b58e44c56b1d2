/* SPDX-License-Identifier: MIT
 *
 * project — the berth.conf of a project's directory: what its distro is made of.
 *
 *     [project]
 *     distro = Debian
 *     packages = git python3-venv
 *     [environment]
 *     DEBUG = 1
 *     [step requirements]
 *     user = python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
 *
 * The grammar is that of the user's berth.conf. The file comes with somebody's project, so it may
 * share nothing outside of its directory and forward nothing to other hosts. Pure.
 *
 * Errors: BERTH_ERROR_INVALID, "project.syntax", "project.group", "project.key", "project.value",
 * "project.source", each with "FILE:LINE: " in front.
 */
#pragma once

#include "base/error.h"

typedef struct {
    char *name; /* "requirements" */
    bool as_root;
    char *command; /* a line for sh */
} ProjectStep;

typedef struct {
    char *name;                    /* of the distro; NULL: the directory's */
    char *distro, *image, *source; /* exactly one: as berth install has it, a container image, or
                                      the path of an archive */
    char *user;                    /* of the user's steps; NULL: the default one */
    char *memory, *cpus;           /* or NULL */
    char **packages, **forwards;   /* never NULL */
    char **shares;                 /* words of share_word.h, below the directory */
    GPtrArray *environment;        /* char *, "NAME=VALUE" */
    GPtrArray *steps;              /* ProjectStep *, in order */
    GPtrArray *notices;            /* char *, lines for the user about what has no effect */
} Project;

/* An empty one; all but the name of the source may be set in it. */
Project *project_new(void);
void project_free(Project *project);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Project, project_free)

/* Parse @text; @origin names it in messages. */
Project *project_parse(const char *text, const char *origin, GError **error);

void project_add_step(Project *project, const char *name, bool as_root, const char *command);

/* Whether @text may be among forwards, or shares. */
bool project_is_forward(const char *text);
bool project_is_share(const char *text);

/* Whether @name may be that of a variable. */
bool project_is_variable(const char *name);

/* The rows of the manual. */
typedef struct {
    const char *key, *value, *help;
} ProjectKey;

extern const ProjectKey project_keys[]; /* terminated by a row without a key */
