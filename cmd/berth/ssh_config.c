/* SPDX-License-Identifier: MIT
 *
 * berth ssh-config — lets OpenSSH, and all that is built on it, reach distros.
 */
#include "commands.h"
#include "print.h"

#include <stdio.h>

static const Option options[] = {
    {"install", 0, NULL, "Write it for all distros, and include it in ~/.ssh/config"},
    {NULL},
};

static void warn_without_client(void)
{
    g_autofree char *program = g_find_program_in_path("ssh");
    if (program == NULL)
        fprintf(stderr, "berth: warning: there is no ssh on this host; install OpenSSH's client: "
                        "apt-get install openssh-client\n");
}

static int install(Invocation *invocation, GError **error)
{
    g_auto(BerthSshInstalled) installed = {0};
    if (invocation_first(invocation) != NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "leave the name out: berth ssh-config --install",
                        "--install is for all distros");
        return -1;
    }
    if (!berth_ssh_config_add(invocation->berth, &installed, error))
        return -1;
    g_autofree char *path = g_strescape(installed.path, NULL);
    g_autofree char *config = g_strescape(installed.config, NULL);
    printf("%s is written; %s %s it\n", path, config,
           installed.added ? "now includes" : "includes");
    return 0;
}

static int run(Invocation *invocation, GError **error)
{
    g_autofree char *notice = NULL;
    const char *name = invocation_first(invocation);
    invocation->subject = name;
    warn_without_client();
    if (invocation_flag(invocation, "install"))
        return install(invocation, error);
    g_autofree char *text = berth_ssh_config(invocation->berth, name, &notice, error);
    print_notice(notice);
    if (text == NULL)
        return -1;
    fputs(text, stdout);
    return 0;
}

const Command command_ssh_config = {
    .name = "ssh-config",
    .synopsis = "[NAME]",
    .completes = "distro",
    .summary = "Let ssh, scp, sftp, rsync and editors reach distros",
    .details =
        "Prints OpenSSH's configuration for NAME or, without it, for all distros. Once it is\n"
        "installed, \"ssh NAME.berth\" works, and what is built on ssh: scp, sftp, rsync, sshfs,\n"
        "VS Code, Gateway, TRAMP. The file then follows the distros. The connection is a\n"
        "session like that of berth run: no port, no service and no key in the distro. Its own\n"
        "sshd serves where it has one, else one that berth lends.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
