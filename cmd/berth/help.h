/* SPDX-License-Identifier: MIT
 *
 * help — help texts, made of the command table. To standard output.
 */
#pragma once

#include "command.h"

void help_print_command(const Command *command);
