/* SPDX-License-Identifier: MIT
 *
 * config — the host's configuration of a starting guest (WIRE_CONFIG).
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* Strings are never truncated: one that does not fit makes the frame malformed. */
typedef struct {
    char hostname[65];
    char user[65];    /* default user of sessions, or "" */
    char address[32]; /* "10.0.2.15/24", or "" for no network */
    char gateway[16];
    char nameserver[46];
    uint32_t mtu;           /* 0: the device's own */
    uint64_t realtime_nsec; /* when the host wrote the frame; 0: not known */
    char zone[65];          /* "Europe/Berlin", or "" to leave the distro's */
    char identity[65];      /* the identity the distro shall have; "": keep its own (renew.h) */
    uint32_t flags;         /* WireConfigFlags */
    char account[33];       /* name of the account to create, or "" (account.h) */
    uint32_t account_uid;
    char address6[64];                /* "fd00::15/64", or "": no IPv6 */
    char gateway6[46];                /* "": the host has no IPv6 route */
    char search[WIRE_SEARCH_MAX + 1]; /* search domains; set by NAMES, as hosts is */
    char hosts[WIRE_NAMES_MAX + 1];   /* lines of hosts(5) */
} Config;

/* Used when no CONFIG arrives: the addresses of QEMU's user-mode network. */
#define CONFIG_DEFAULT                                                                             \
    {                                                                                              \
        .address = "10.0.2.15/24", .gateway = "10.0.2.2", .nameserver = "10.0.2.3"                 \
    }

/* The version of the host that sent this WIRE_CONFIG; 0 when there is none. */
uint32_t config_version(const WireFrame *frame);

/* Decode a WIRE_CONFIG frame. False when it is malformed or of another protocol version. */
bool config_read(const WireFrame *frame, Config *ret_config);

/* Store the names of a WIRE_NAMES frame in @config. False, and nothing changed: it is malformed. */
bool config_read_names(const WireFrame *frame, Config *config);
