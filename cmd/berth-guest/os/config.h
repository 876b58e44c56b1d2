/* SPDX-License-Identifier: MIT
 *
 * config — what the host tells a starting guest about itself (WIRE_CONFIG).
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* Strings are cut at nothing: one that does not fit makes the frame unreadable. */
typedef struct {
    char hostname[65];
    char user[65];    /* default user of sessions, or "" */
    char address[32]; /* "10.0.2.15/24", or "" for no network */
    char gateway[16];
    char nameserver[46];
    uint32_t mtu;           /* 0: the device's own */
    uint64_t realtime_nsec; /* when the host wrote the frame; 0: not known */
    char zone[65];          /* "Europe/Berlin", or "" to leave the distro's */
    char identity[65];      /* whose identity the distro is to have, or "": its own (renew.h) */
    uint32_t flags;         /* WireConfigFlags */
    char account[33];       /* whose account the distro is to have, or "" (account.h) */
    uint32_t account_uid;
    char address6[64];                /* "fd00::15/64", or "": no IPv6 */
    char gateway6[46];                /* "", while IPv6 has no way out of the host */
    char search[WIRE_SEARCH_MAX + 1]; /* domains, from NAMES like the next */
    char hosts[WIRE_NAMES_MAX + 1];   /* lines of hosts(5) */
} Config;

/* What a machine has when no host says anything: the addresses of user-mode networking. */
#define CONFIG_DEFAULT                                                                             \
    {                                                                                              \
        .address = "10.0.2.15/24", .gateway = "10.0.2.2", .nameserver = "10.0.2.3"                 \
    }

/* The version of the host that sent this WIRE_CONFIG; 0 when there is none. */
uint32_t config_version(const WireFrame *frame);

/* Decode a WIRE_CONFIG frame. False when it is malformed or of another protocol version. */
bool config_read(const WireFrame *frame, Config *ret_config);

/* Take what a WIRE_NAMES frame says into @config. False, and nothing changed, when it is malformed.
 */
bool config_read_names(const WireFrame *frame, Config *config);
