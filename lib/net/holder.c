/* SPDX-License-Identifier: MIT */
#include "holder.h"

#include "base/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_LISTEN 0x0au

/* A row of /proc/net/tcp or tcp6. The kernel prints each word of the address with %08X, in host
 * order. */
typedef struct {
    guint words;
    guint32 address[4];
    guint port;
    guint state;
    BerthHolder holder;
} Row;

static bool parse_row(const char *line, Row *ret_row)
{
    char local[33];
    guint uid;
    unsigned long long inode;
    *ret_row = (Row){0};
    if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*s %*s %*s %u %*s %llu",
               local, &ret_row->port, &ret_row->state, &uid, &inode) != 5)
        return false;

    gsize length = strlen(local);
    if (length != 8 && length != 32)
        return false;
    ret_row->words = (guint)length / 8;
    for (guint i = 0; i < ret_row->words; i++) {
        char word[9];
        g_strlcpy(word, local + (gsize)i * 8, sizeof(word));
        ret_row->address[i] = (guint32)strtoul(word, NULL, 16);
    }
    ret_row->holder = (BerthHolder){.inode = inode, .uid = uid};
    return inode != 0;
}

/* The row's address in network order; returns the family. */
static guint row_address(const Row *row, guint8 address[16])
{
    memset(address, 0, 16);
    memcpy(address, row->address, row->words * sizeof(guint32));
    return row->words == 1 ? 4 : 6;
}

/* Whether a socket bound there conflicts with @leg: the same address, or a wildcard on either side.
 * /proc does not show whether an IPv6 socket is dual-stack; ours never are. */
static bool conflicts(const Row *row, const BerthLeg *leg)
{
    static const guint8 any[16];
    static const guint8 mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */
    guint8 address[16];
    guint family = row_address(row, address);
    if (family == 6 && memcmp(address, mapped, sizeof(mapped)) == 0) {
        memmove(address, address + sizeof(mapped), 4);
        memset(address + 4, 0, sizeof(mapped));
        family = 4;
    }
    bool anywhere = memcmp(address, any, sizeof(any)) == 0;
    if (family != leg->family)
        return family == 6 && anywhere;
    return anywhere || memcmp(leg->host, any, sizeof(any)) == 0 ||
           memcmp(address, leg->host, sizeof(any)) == 0;
}

static void search_table(const char *proc, const char *name, const BerthLeg *leg, Row *best)
{
    g_autofree char *path = g_build_filename(proc, "net", name, NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return;

    char port[8]; /* cheap check first: few of many rows have the port */
    g_snprintf(port, sizeof(port), ":%04X ", leg->host_port);
    for (const char *hit = text; (hit = strstr(hit, port)) != NULL; hit++) {
        const char *start = hit;
        while (start > text && start[-1] != '\n')
            start--;
        g_autofree char *line = g_strndup(start, strcspn(start, "\n"));
        Row row;
        if (!parse_row(line, &row) || row.port != leg->host_port || !conflicts(&row, leg))
            continue;
        if (best->holder.inode == 0 || (row.state == STATE_LISTEN && best->state != STATE_LISTEN))
            *best = row;
    }
}

bool berth_holder_find(const char *proc, const BerthLeg *leg, BerthHolder *ret_holder)
{
    bool udp = leg->protocol == BERTH_UDP;
    Row best = {0};
    search_table(proc, udp ? "udp" : "tcp", leg, &best);
    search_table(proc, udp ? "udp6" : "tcp6", leg, &best);
    if (best.holder.inode == 0)
        return false;
    *ret_holder = best.holder;
    return true;
}

static bool is_link(const char *link, gconstpointer wanted)
{
    char target[64] = "";
    return readlink(link, target, sizeof(target) - 1) > 0 && strcmp(target, wanted) == 0;
}

char *berth_holder_describe(const char *proc, const BerthHolder *holder)
{
    g_autofree char *wanted = g_strdup_printf("socket:[%" G_GUINT64_FORMAT "]", holder->inode);
    g_autoptr(GDir) directory = g_dir_open(proc, 0, NULL);
    const char *pid;
    while ((pid = berth_process_next(directory)) != NULL) {
        g_autofree char *process = g_build_filename(proc, pid, NULL);
        if (!berth_process_any_fd(process, is_link, wanted))
            continue;
        g_autofree char *name = berth_process_name(process);
        return g_strdup_printf("%s (pid %s)", name, pid);
    }
    return holder->uid == getuid() ? g_strdup("another process")
                                   : g_strdup_printf("a process of user %u", holder->uid);
}
