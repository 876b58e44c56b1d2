/* SPDX-License-Identifier: MIT */
#include "sockdiag.h"

#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors examined in one search for owners; owners beyond stay unknown. */
#define LINKS_MAX 20000

typedef struct {
    ListeningSocket *sockets;
    size_t max;
    size_t count;
    size_t part; /* index at which the dump in progress begins */
    uint8_t protocol;
    unsigned clients_first, clients_last; /* ip_local_port_range */
} Dump;

static const uint8_t any[16];
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */

static void add(Dump *dump, const struct inet_diag_msg *found, uint8_t family, const void *address)
{
    if (dump->count == dump->max)
        return;
    ListeningSocket *socket = &dump->sockets[dump->count++];
    *socket = (ListeningSocket){
        .listener = {.family = family,
                     .protocol = dump->protocol,
                     .port = ntohs(found->id.idiag_sport)},
        .inode = found->idiag_inode,
    };
    memcpy(socket->listener.address, address, family == 6 ? 16 : 4);
}

static bool serves(const Dump *dump, const struct inet_diag_msg *found)
{
    unsigned port = ntohs(found->id.idiag_sport);
    if (port == 0)
        return false;
    return dump->protocol == IPPROTO_TCP ||
           (found->id.idiag_dport == 0 &&
            (port < dump->clients_first || port > dump->clients_last));
}

/* The kernel sends this attribute for each socket that is listening or unconnected. */
static bool is_v6only(const struct nlmsghdr *header)
{
    NetlinkAttributes attributes = netlink_message_attributes(header, sizeof(struct inet_diag_msg));
    while (netlink_attribute(&attributes))
        if (attributes.type == INET_DIAG_SKV6ONLY && attributes.size > 0)
            return attributes.value[0] != 0;
    return false;
}

static void add_socket(Dump *dump, const struct nlmsghdr *header)
{
    const struct inet_diag_msg *found = NLMSG_DATA(header);
    const uint8_t *address = (const uint8_t *)found->id.idiag_src;
    if (!serves(dump, found))
        return;
    if (found->idiag_family != AF_INET6) {
        add(dump, found, 4, address);
    } else if (memcmp(address, mapped, sizeof(mapped)) == 0) {
        add(dump, found, 4, address + sizeof(mapped));
    } else {
        add(dump, found, 6, address);
        if (memcmp(address, any, sizeof(any)) == 0 && !is_v6only(header))
            add(dump, found, 4, any);
    }
}

static void begin_part(void *data)
{
    Dump *dump = data;
    dump->count = dump->part;
}

static void on_message(void *data, const struct nlmsghdr *header)
{
    if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
        header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        add_socket(data, header);
}

static int dump_family(Netlink *diag, uint8_t family, Dump *dump)
{
    static const NetlinkDump reader = {begin_part, on_message};
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
        .request = {.sdiag_family = family,
                    .sdiag_protocol = dump->protocol,
                    .idiag_states = 1u << (dump->protocol == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE)},
    };
    dump->part = dump->count;
    return netlink_dump(diag, &question.header, &reader, dump);
}

/* By port, protocol, family, address, then inode: the order of creation. */
static int compare(const void *left, const void *right)
{
    const ListeningSocket *a = left;
    const ListeningSocket *b = right;
    if (a->listener.port != b->listener.port)
        return a->listener.port < b->listener.port ? -1 : 1;
    if (a->listener.protocol != b->listener.protocol)
        return a->listener.protocol < b->listener.protocol ? -1 : 1;
    if (a->listener.family != b->listener.family)
        return a->listener.family < b->listener.family ? -1 : 1;
    int address = memcmp(a->listener.address, b->listener.address, 16);
    if (address != 0)
        return address;
    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

/* Several sockets on one address (SO_REUSEPORT) are one listener. */
static size_t without_repeats(ListeningSocket *sockets, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const WireListener *last = kept > 0 ? &sockets[kept - 1].listener : NULL;
        const WireListener *this = &sockets[i].listener;
        if (last != NULL && last->port == this->port && last->protocol == this->protocol &&
            last->family == this->family && memcmp(last->address, this->address, 16) == 0)
            continue;
        sockets[kept++] = sockets[i];
    }
    return kept;
}

size_t sockdiag_sort(ListeningSocket *sockets, size_t count)
{
    qsort(sockets, count, sizeof(*sockets), compare);
    return without_repeats(sockets, count);
}

static int compare_worth(const void *left, const void *right)
{
    bool a = ((const ListeningSocket *)left)->listener.protocol == IPPROTO_TCP;
    bool b = ((const ListeningSocket *)right)->listener.protocol == IPPROTO_TCP;
    return a != b ? (a ? -1 : 1) : compare(left, right);
}

size_t sockdiag_choose(ListeningSocket *sockets, size_t count, size_t max)
{
    if (count <= max)
        return count;
    qsort(sockets, count, sizeof(*sockets), compare_worth);
    qsort(sockets, max, sizeof(*sockets), compare);
    return max;
}

static void read_clients_range(Dump *dump)
{
    char line[64];
    if (!file_read_line("/proc/sys/net/ipv4/ip_local_port_range", line, sizeof(line)) ||
        sscanf(line, "%u %u", &dump->clients_first, &dump->clients_last) != 2) {
        dump->clients_first = 32768;
        dump->clients_last = 60999;
    }
}

int sockdiag_dump(Netlink *diag, ListeningSocket *sockets, size_t max)
{
    static const struct {
        uint8_t protocol;
        uint8_t family;
        bool may_lack; /* kernels other than berth's may answer ENOENT */
    } parts[] = {
        {IPPROTO_TCP, AF_INET, false},
        {IPPROTO_TCP, AF_INET6, true},
        {IPPROTO_UDP, AF_INET, true},
        {IPPROTO_UDP, AF_INET6, true},
    };
    Dump dump = {.sockets = sockets, .max = max};
    read_clients_range(&dump);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        dump.protocol = parts[i].protocol;
        int result = dump_family(diag, parts[i].family, &dump);
        if (result < 0 && !(parts[i].may_lack && result == -ENOENT))
            return result;
    }
    return (int)sockdiag_sort(sockets, dump.count);
}

/* ---- owners ---- */

typedef struct {
    ListeningSocket *sockets;
    size_t count;
    size_t unknown;
    unsigned links_left;
} Search;

static bool is_number(const char *name)
{
    return name[0] >= '0' && name[0] <= '9';
}

/* Descriptors of sockets link to "socket:[INODE]". */
static void match_link(Search *search, int directory, const char *name, const char *pid)
{
    char target[64];
    ssize_t size = readlinkat(directory, name, target, sizeof(target) - 1);
    unsigned long inode;
    if (size <= 0)
        return;
    target[size] = '\0';
    if (strncmp(target, "socket:[", 8) != 0)
        return;
    inode = strtoul(target + 8, NULL, 10);

    for (size_t i = 0; i < search->count; i++) {
        ListeningSocket *socket = &search->sockets[i];
        if (socket->inode != inode || socket->owner[0] != '\0')
            continue;
        char path[300];
        snprintf(path, sizeof(path), "/proc/%s/comm", pid);
        if (file_read_line(path, socket->owner, sizeof(socket->owner)) && socket->owner[0] != '\0')
            search->unknown--;
    }
}

static void search_process(Search *search, const char *pid)
{
    char path[300];
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return; /* gone, or not ours to see */
    const struct dirent *entry;
    while (search->unknown > 0 && search->links_left > 0 && (entry = readdir(directory)) != NULL) {
        if (!is_number(entry->d_name))
            continue;
        search->links_left--;
        match_link(search, dirfd(directory), entry->d_name, pid);
    }
    closedir(directory);
}

void sockdiag_find_owners(ListeningSocket *sockets, size_t count)
{
    Search search = {.sockets = sockets, .count = count, .links_left = LINKS_MAX};
    for (size_t i = 0; i < count; i++)
        search.unknown += sockets[i].owner[0] == '\0' && sockets[i].inode != 0;
    DIR *directory = search.unknown > 0 ? opendir("/proc") : NULL;
    if (directory == NULL)
        return;

    const struct dirent *entry;
    while (search.unknown > 0 && search.links_left > 0 && (entry = readdir(directory)) != NULL) {
        if (is_number(entry->d_name))
            search_process(&search, entry->d_name);
    }
    closedir(directory);
}
