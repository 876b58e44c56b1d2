/* SPDX-License-Identifier: MIT
 *
 * berth ssh-config — lets OpenSSH, and all that is built on it, reach distros.
 */
#include "commands.h"
#include "print.h"

#include <stdio.h>

static const Option options[] = {
    {"install", 0, NULL, "Write it to a file that ~/.ssh/config includes"},
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
    .summary = "Let ssh, scp, sftp, rsync and editors connect to distros",
    .details = "The command prints a configuration for OpenSSH, for NAME or for all distros.\n"
               "With --install, it writes the configuration to a file that ~/.ssh/config\n"
               "includes, and berth then keeps that file up to date. After that, \"ssh\n"
               "NAME.berth\" works, and so do programs that use ssh: scp, sftp, rsync, sshfs, VS\n"
               "Code, Gateway and TRAMP.\n"
               "\n"
               "A connection is a session like that of \"berth run\"; it opens no port and\n"
               "installs no service and no key in the distro. berth starts the distro's own sshd\n"
               "for it or, if the distro has none, a copy of dropbear from this host.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
