/* SPDX-License-Identifier: MIT
 *
 * mdoc — writes the man pages of the commands in mdoc(7), from the table of commands.
 *
 * Pages are appended to a GString of the caller.
 */
#pragma once

#include "command.h"

/* berth-NAME(1), or for the hidden command none. */
void mdoc_add_command(GString *page, const Command *command);

/* berth.conf(5): the user's settings. */
void mdoc_add_settings(GString *page);

/* berth(1), which lists the commands. */
void mdoc_add_overview(GString *page);
