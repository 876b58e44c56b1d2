/* SPDX-License-Identifier: MIT
 *
 * devcontainer — the simple part of a devcontainer.json as a project. Pure.
 *
 * Taken are name, image, remoteUser, containerUser, containerEnv, remoteEnv, forwardPorts, the
 * commands that prepare it (onCreateCommand, updateContentCommand, postCreateCommand), bind mounts
 * below the project, and hostRequirements. What else is there is a notice. The project's directory
 * is shared.
 *
 * Errors: BERTH_ERROR_INVALID, "project.json", "project.value", "project.source", with "FILE:LINE:
 * " in front.
 */
#pragma once

#include "project.h"

/* Parse @text; @origin names it in messages. */
Project *devcontainer_parse(const char *text, const char *origin, GError **error);
