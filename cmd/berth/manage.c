/* SPDX-License-Identifier: MIT
 *
 * berth manage — WSL's spelling of move and resize, and the choice of a distro's default user.
 */
#include "commands.h"
#include "move.h"
#include "resize.h"
#include "session_terminal.h"

static const Option options[] = {
    {"move", 'm', "DIR", "The same as berth move NAME DIR"},
    {"resize", 'r', "SIZE", "The same as berth resize NAME SIZE"},
    {"set-default-user", 0, "USER", "Make this user of the distro the default"},
    {"set-sparse", 's', "BOOL", "Only true: all disks are sparse", "true"},
    {NULL},
};

/* Disks are sparse files, and cannot be otherwise. */
static int set_sparse(Invocation *invocation, const char *name, const char *value, GError **error)
{
    g_autofree char *resolved = berth_resolve(invocation->berth, name, error);
    invocation->subject = name;
    if (resolved == NULL)
        return -1;
    if (g_ascii_strcasecmp(value, "true") == 0)
        return 0;
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                    "--set-sparse: only true is possible: each disk is a sparse file");
    return -1;
}

/* Runs as root in the distro with the user as $1. As in WSL, id checks it, and its error and status
 * are the command's. The guest reads the file for each session. */
static const char set_user_script[] =
    "id -u -- \"$1\" >/dev/null || exit\n"
    "mkdir -p /var/lib/berth && printf '%s\\n' \"$1\" >/var/lib/berth/user.new && sync &&\n"
    "mv -f /var/lib/berth/user.new /var/lib/berth/user || exit\n"
    "for file in /etc/berth.conf /etc/wsl.conf; do\n"
    "  if [ -f $file ] && sed -n '/^ *\\[user\\]/,/^ *\\[[^u]/p' $file | grep -q '^ *default *='; "
    "then\n"
    "    echo \"berth: user.default in $file of the distro is used instead\" >&2\n"
    "    break\n"
    "  fi\n"
    "done\n";

static int set_default_user(Invocation *invocation, const char *name, const char *user,
                            GError **error)
{
    const char *const argv[] = {"sh", "-c", set_user_script, "berth", user, NULL};
    const SessionCommand command = {
        .distro = name, .user = "root", .argv = argv, .terminal = TERMINAL_NEVER, .no_input = true};
    invocation->home = true; /* not this directory, which need not be in the distro */
    return session_run(invocation, &command, error);
}

static int run(Invocation *invocation, GError **error)
{
    const char *name = invocation->arguments[0];
    const char *directory = invocation_value(invocation, "move");
    const char *size = invocation_value(invocation, "resize");
    const char *sparse = invocation_value(invocation, "set-sparse");
    const char *user = invocation_value(invocation, "set-default-user");
    if (invocation->given->len != 1) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "\"berth manage --help\" lists its options",
                        "exactly one of its options is needed");
        return -1;
    }
    if (directory != NULL)
        return move_run(invocation, name, directory, error);
    if (user != NULL)
        return set_default_user(invocation, name, user, error);
    return size != NULL ? resize_run(invocation, name, size, error)
                        : set_sparse(invocation, name, sparse, error);
}

const Command command_manage = {
    .name = "manage",
    .spellings = "--manage",
    .synopsis = "NAME OPTION",
    .completes = "distro",
    .summary = "Move or resize a disk, set a default user: wsl.exe's spelling",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};
