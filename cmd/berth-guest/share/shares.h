/* SPDX-License-Identifier: MIT
 *
 * shares — the host's directories, mounted in the distro.
 *
 * One FUSE file system for all of them, at automount.root with "host" behind it. Its carrier is a
 * process of its own (carrier.h), forked from PID 1 before the distro's init runs, so that services
 * find the files there.
 */
#pragma once

#include "carrier_link.h"

#include "wire/wire.h"

#include <stdbool.h>
#include <sys/types.h>

#define SHARES_NAME     "host"
#define SHARES_ROOT_MAX 512

/* The state that PID 1 hands to the agent. */
typedef struct {
    int carrier;  /* pidfd of the carrier, or -1: there are no shares */
    int link;     /* of carrier_link.h, to the carrier, or -1 */
    uint32_t uid; /* of the default user */
    uint32_t gid;
    char root[SHARES_ROOT_MAX];
    bool wants_server; /* SHARE was said, or is to be: the host has no server there yet */
} Shares;

#define SHARES_NONE                                                                                \
    {                                                                                              \
        .carrier = -1, .link = -1                                                                  \
    }

/* Mount below @directory ("/mnt/"), and fork the carrier, which calls @become(@data) first. 0, or
 * -errno with the failed step in *ret_what, a constant; nothing is left mounted then. */
int shares_mount(Shares *shares, const char *directory, void (*become)(void *data), void *data,
                 const char **ret_what);

/* SHARE, if the port is open and waits for a server. */
void shares_report(const Shares *shares, WireBuffer *out);

/* Send a word of carrier_link.h to the carrier. False: there is none. */
bool shares_say(const Shares *shares, CarrierWord word, uint32_t number);

/* End the file system: what uses it gets ENOTCONN, and its directory is empty. */
void shares_end(Shares *shares);
