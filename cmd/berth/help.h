/* SPDX-License-Identifier: MIT
 *
 * help — prints help texts from the command table to standard output.
 */
#pragma once

#include "command.h"

void help_print_command(const Command *command);
