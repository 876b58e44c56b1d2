/* SPDX-License-Identifier: MIT */
#include "ssh.h"

#include "carried.h"
#include "request.h"
#include "sshd.h"

#include "distro/user.h"
#include "os/cgroup.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what, int result)
{
    fprintf(stderr, "berth: ssh server: %s: %s\n", what, strerror(-result));
    return EXIT_FAILURE;
}

/* Print the name of the user we run as. */
static int run_whoami(const char *unused)
{
    User user;
    char number[16];
    snprintf(number, sizeof(number), "%u", geteuid());
    if (!user_find(number, &user))
        return EXIT_FAILURE;
    bool printed = puts(user.name) >= 0 && fflush(stdout) == 0;
    user_clear(&user);
    return printed ? 0 : EXIT_FAILURE;
}

static int run_check(const char *name)
{
    User user;
    if (!user_find(name, &user))
        return WIRE_SSH_NO_USER;
    user_clear(&user);
    return sshd_find() != NULL || carried_is_there() ? 0 : WIRE_SSH_NO_SERVER;
}

static int run_unpack(const char *unused)
{
    int result = carried_unpack();
    return result < 0 ? fail(CARRIED, result) : 0;
}

static int run_serve(const char *user)
{
    SshRequest request;
    const char *what = "";
    const char *sshd = sshd_find();
    if (!request_read(user, &request))
        return fail("keys", -EINVAL);
    cgroup_join_distro(); /* what the server starts is the distro's */
    int result = sshd != NULL ? sshd_exec(sshd, &request, &what) : carried_serve(&request, &what);
    return result < 0 ? fail(what, result) : result;
}

static const struct {
    const char *word;
    int arguments;
    int (*run)(const char *argument);
} verbs[] = {
    {WIRE_GUEST_WHOAMI, 0, run_whoami},
    {WIRE_GUEST_SSH_CHECK, 1, run_check},
    {WIRE_GUEST_SSH_UNPACK, 0, run_unpack},
    {WIRE_GUEST_SSH_SERVE, 1, run_serve},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static size_t find(int argc, char **argv)
{
    for (size_t i = 0; argc >= 2 && i < VERB_COUNT; i++)
        if (strcmp(argv[1], verbs[i].word) == 0 && argc == 2 + verbs[i].arguments)
            return i;
    return VERB_COUNT;
}

bool ssh_is(int argc, char **argv)
{
    return find(argc, argv) < VERB_COUNT;
}

int ssh_run(int argc, char **argv)
{
    return verbs[find(argc, argv)].run(argv[2]);
}
