/* SPDX-License-Identifier: MIT
 *
 * The public functions about commands in distros, over lib/instance/client.
 */
#include "berth_run.h"

#include "instance/client/session_client.h"

int berth_run(int connection, const BerthRun *run, GError **error)
{
    const BerthCommand command = {.argv = run->argv,
                                  .environment = run->environment,
                                  .offered = run->offered,
                                  .user = run->user,
                                  .cwd = run->cwd,
                                  .login = run->login,
                                  .shell = run->shell,
                                  .bare = run->bare,
                                  .tty = run->tty,
                                  .pipe_input = run->pipe_input,
                                  .pipe_output = run->pipe_output,
                                  .pipe_errors = run->pipe_errors,
                                  .cooked = run->cooked,
                                  .rows = run->rows,
                                  .columns = run->columns,
                                  .input = run->input,
                                  .output = run->output,
                                  .errors = run->errors,
                                  .terminal = run->terminal,
                                  .begun = run->begun,
                                  .interrupted = run->interrupted,
                                  .get_size = run->get_size,
                                  .resumed = run->resumed,
                                  .warn = run->warn,
                                  .notice = run->notice,
                                  .user_data = run->user_data};
    return berth_session_client_run(connection, &command, error);
}
