/* SPDX-License-Identifier: MIT
 *
 * ssh_agent — sockets at which programs of the distro reach the host's agents of ssh and of gpg.
 *
 * Each connection becomes the standard input and output of a process of this program, which runs as
 * the user at the other end and makes the call (host/berth_host.h): so the user may do no more than
 * with calls.h. The sockets are the default user's once a session of that user has begun.
 */
#pragma once

#include "os/loop.h"

#include <sys/types.h>

#define SSH_AGENT_SUFFIX  "-ssh-agent"      /* behind the path of calls.h */
#define SSH_AGENT_PROGRAM "berth-ssh-agent" /* argv[0] of such a process */
#define GPG_AGENT_SUFFIX  "-gpg-agent"
#define GPG_AGENT_PROGRAM "berth-gpg-agent"

/* Initialise loop, which is borrowed. */
typedef struct {
    Loop *loop;
    Source listener;
    const char *calls;   /* borrowed: the socket of calls.h */
    const char *program; /* one of the two */
    char path[108];      /* "": it does not listen */
} SshAgent;

/* Listen beside @calls, at the same path with @suffix behind, for connections that @program serves.
 * 0, or -errno. */
int ssh_agent_listen(SshAgent *agent, const char *calls, const char *suffix, const char *program);

/* Make the socket @uid's. @agent may be NULL. */
void ssh_agent_give(const SshAgent *agent, uid_t uid, gid_t gid);
