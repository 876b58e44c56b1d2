/* SPDX-License-Identifier: MIT
 *
 * berth-guest without memory or descriptors: it leaks nothing, does not crash, and loses no file of
 * the distro. See tests/lib/failing.h.
 */
#include "../lib/distro_tree.h"
#include "../lib/failing.h"
#include "agent/host_channel.h"
#include "agent/opening.h"
#include "boot/fstab.h"
#include "boot/systemd_fstab.h"
#include "distro/account_files.h"
#include "distro/identity.h"
#include "distro/resolver.h"
#include "distro/user.h"
#include "distro/wsl_settings.h"
#include "ports/listeners.h"
#include "ports/loopback_proxies.h"
#include "ports/natports.h"
#include "ports/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const Config config = {
    .hostname = "box",
    .gateway = "10.0.2.2",
    .nameserver = "10.0.2.3",
    .zone = "Asia/Tokyo",
};

static void ignore_text(void *data, const char *text)
{
}

static void run_settings(gpointer data)
{
    static const char text[] =
        "[boot]\nsystemd=no\ncommand=date\ninitTimeout=5\n[boot]\ncommand=x\n"
        "[user]\ndefault=alice\n[network]\nhostname=my.host\n[x]\n"
        "[oobe]\ncommand=/setup\ndefaultUid=1000\nnothing\n";
    char copy[sizeof(text)];
    Settings settings;
    settings_init(&settings);
    for (int file = 0; file < 2; file++) {
        memcpy(copy, text, sizeof(text));
        settings_parse(&settings, "wsl.conf", copy, ignore_text, NULL);
    }
    settings_clear(&settings);
}

static void test_settings(void)
{
    g_assert_cmpuint(failing_each(run_settings, NULL), >=, 4);
}

static void ignore_line(void *data, const FstabLine *line)
{
}

static void run_fstab(gpointer data)
{
    DistroTree *tree = data;
    fstab_each(tree->fd, ignore_line, NULL);
    fstab_each_crypt(tree->fd, ignore_line, NULL);
    systemd_fstab_prepare(tree->fd);
}

static void test_fstab(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/fstab",
                    "UUID=1 / ext4\nUUID=2 /boot/efi vfat\nUUID=4 none swap sw\n", 0644);
    distro_tree_put(tree, "etc/crypttab", "my_disk-1 UUID=1 none luks\n", 0644);
    g_assert_cmpuint(failing_each(run_fstab, tree), >=, 8);
}

static void run_resolver(gpointer data)
{
    DistroTree *tree = data;
    Settings settings;
    settings_init(&settings);
    resolver_prepare(tree->fd, &config, &settings);
    resolver_update(tree->fd, &config, &settings);
    settings_clear(&settings);
}

static void test_resolver(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/resolv.conf", "nameserver 192.0.2.1\n", 0644);
    g_assert_cmpuint(failing_each(run_resolver, tree), >=, 4);
    g_autofree char *etc = distro_tree_list(tree, "etc");
    g_assert_cmpstr(etc, ==, "resolv.conf ");
}

static void run_identity(gpointer data)
{
    DistroTree *tree = data;
    Settings settings;
    settings_init(&settings);
    distro_tree_put(tree, "etc/hosts", "192.0.2.1 mine\n", 0644);
    identity_hosts(tree->fd, &config, &settings);
    g_autofree char *hosts = distro_tree_get(tree, "etc/hosts");
    g_assert_true(g_str_has_prefix(hosts, "192.0.2.1 mine\n"));
    identity_hosts(tree->fd, &config, &settings);
    g_autofree char *again = distro_tree_get(tree, "etc/hosts");
    const char *block = strstr(again, "# berth: written");
    g_assert_true(block == NULL || strstr(block + 1, "# berth: written") == NULL);
    identity_hostname(tree->fd, &config, &settings);
    identity_time_zone(tree->fd, &config, &settings);
    settings_clear(&settings);
}

static void test_identity(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/hostname", "other\n", 0644);
    distro_tree_put(tree, "usr/share/zoneinfo/Asia/Tokyo", "TZif", 0644);
    g_assert_cmpuint(failing_each(run_identity, tree), >=, 8);
    g_autofree char *etc = distro_tree_list(tree, "etc");
    g_assert_cmpstr(etc, ==, "hostname hosts localtime ");
}

#define PASSWD "root:x:0:0:root:/root:/bin/sh\n"
#define GROUP  "root:x:0:\nsudo:x:27:\n"

static void run_account(gpointer data)
{
    DistroTree *tree = data;
    char name[33];
    Account account = {.name = "alice", .home = "/home/alice", .admin = "sudo"};
    distro_tree_put(tree, "etc/passwd", PASSWD, 0644);
    distro_tree_put(tree, "etc/group", GROUP, 0644);
    account_files_prepare(tree->fd);
    account_files_have(tree->fd, "etc/passwd", "alice");
    account_files_person(tree->fd, name, sizeof(name));
    account_files_shell(tree->fd, account.shell, sizeof(account.shell));
    account.id = account_files_free_id(tree->fd, 1000);
    account_files_add(tree->fd, &account);
    g_autofree char *passwd = distro_tree_get(tree, "etc/passwd");
    g_autofree char *group = distro_tree_get(tree, "etc/group");
    g_assert_true(g_str_has_prefix(passwd, PASSWD));
    g_assert_true(g_str_has_prefix(group, "root:x:0:\nsudo:x:27:"));
}

static void test_account(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/skel/.profile", "", 0644);
    distro_tree_put(tree, "bin/sh", "", 0755);
    g_assert_cmpuint(failing_each(run_account, tree), >=, 12);
}

static void run_user(gpointer data)
{
    User user = {0};
    char message[256];
    const DefaultUsers defaults = {.configured = "nobody", .registered = ""};
    if (user_find("root", &user)) {
        g_assert_true(user.name != NULL && user.home != NULL && user.shell != NULL);
        user_clear(&user);
    }
    if (user_choose("", &defaults, &user, message, sizeof(message)))
        user_clear(&user);
    user_group("root", 0);
}

static void test_user(void)
{
    g_assert_cmpuint(failing_each(run_user, NULL), >=, 6);
}

static void run_channel(gpointer data)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    Channel channel = {0};
    Channel host = {0};
    WireFrame frame;
    g_assert_cmpint(channel_use_socket(&channel, pair[0]), ==, 0);
    g_assert_cmpint(channel_use_socket(&host, pair[1]), ==, 0);
    wire_frame_put(&channel.out, WIRE_HELLO, 0, 0, "0123456789", 10);
    channel_drain(&channel, 1000);
    channel_wait_frame(&host, 1, &frame);
    channel_reset(&channel);
    channel_reset(&host);
    close(pair[0]);
    close(pair[1]);
    wire_buffer_clear(&channel.in);
    wire_buffer_clear(&channel.out);
    wire_buffer_clear(&host.in);
    wire_buffer_clear(&host.out);
}

static void test_channel(void)
{
    g_assert_cmpuint(failing_each(run_channel, NULL), >=, 4);
}

static void run_openings(gpointer data)
{
    Openings openings = {0};
    static const uint8_t first[1000] = {0, WIRE_OPEN_MORE >> 8}; /* flags, little-endian */
    for (guint32 stream = 1; stream < 4; stream++) {
        WireFrame frame = {
            .type = WIRE_OPEN, .stream = stream, .payload = first, .size = sizeof(first)};
        WireFrame open;
        OpeningResult result = openings_handle(&openings, &frame, &open);
        g_assert_true(result == OPENING_PART || result == OPENING_BROKEN);
        frame.type = WIRE_MORE;
        if (stream == 2 && result == OPENING_PART)
            openings_handle(&openings, &frame, &open);
        if (stream == 2)
            openings_forget(&openings, stream);
    }
    openings_clear(&openings);
}

static void test_openings(void)
{
    g_assert_cmpuint(failing_each(run_openings, NULL), >=, 4);
}

static void run_sockdiag(gpointer data)
{
    static ListeningSocket sockets[64];
    Netlink netlink;
    if (netlink_open(&netlink, NETLINK_SOCK_DIAG, 0) < 0)
        return;
    int count = sockdiag_dump(&netlink, sockets, G_N_ELEMENTS(sockets));
    if (count > 0)
        sockdiag_find_owners(sockets, MIN((gsize)count, G_N_ELEMENTS(sockets)));
    close(netlink.fd);
}

static void run_natports(gpointer data)
{
    Loop loop;
    NatPortsSockets rules;
    if (loop_init(&loop) < 0)
        return;
    NatPorts *ports = natports_open(&rules) ? natports_new(&loop, &rules, NULL, NULL) : NULL;
    ListeningSocket sockets[8];
    if (ports != NULL)
        natports_merge(ports, sockets, 0, G_N_ELEMENTS(sockets));
    natports_free(ports);
    close(loop.epoll);
}

static void ignore_change(void *data)
{
    *(bool *)data = true;
}

/* Runs up to the first snapshot, which a timer triggers; if the timer failed, there is none. */
static void run_listeners(gpointer data)
{
    Loop loop;
    bool changed = false;
    if (loop_init(&loop) < 0)
        return;
    Listeners *listeners = listeners_new(&loop, false, "lo", NULL, ignore_change, &changed);
    listeners_free(listeners);
    close(loop.epoll);
}

static void test_netlink(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    g_assert_cmpuint(failing_each(run_sockdiag, NULL), >=, 2);
    g_assert_cmpuint(failing_each(run_natports, NULL), >=, 3);
    g_assert_cmpuint(failing_each(run_listeners, NULL), >=, 6);
    close(listener);
}

/* A service on 127.0.0.1, whose proxy a client uses. */
typedef struct {
    int service;
    ListeningSocket socket;
} Proxied;

static int connect_to(guint16 port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        g_error("connect: %s", g_strerror(errno));
    return fd;
}

static void run_proxies(gpointer data)
{
    Proxied *proxied = data;
    Loop loop;
    if (loop_init(&loop) < 0)
        return;
    LoopbackProxies *proxies = loopback_proxies_new(&loop, "lo", NULL);
    ListeningSocket socket = proxied->socket;
    if (proxies != NULL)
        loopback_proxies_follow(proxies, &socket, 1);
    guint16 port = socket.listener.relay;
    int client = port != 0 ? connect_to(port) : -1;
    if (client >= 0)
        loop_turn(&loop);
    if (proxies != NULL)
        loopback_proxies_sweep(proxies);
    loopback_proxies_free(proxies);
    if (client >= 0)
        close(client);
    close(loop.epoll);
}

static void test_loopback_proxies(void)
{
    Proxied proxied = {.service = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    g_assert_cmpint(bind(proxied.service, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(listen(proxied.service, 1000), ==, 0);
    g_assert_cmpint(getsockname(proxied.service, (struct sockaddr *)&address, &size), ==, 0);
    proxied.socket.listener = (WireListener){.family = 4,
                                             .protocol = IPPROTO_TCP,
                                             .port = ntohs(address.sin_port),
                                             .address = {127, 0, 0, 1}};
    g_assert_cmpuint(failing_each(run_proxies, &proxied), >=, 8);
    close(proxied.service);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func("/berth-guest/failing/" name, function)
#define ADD_IN_TREE(name, function)                                                                \
    g_test_add("/berth-guest/failing/" name, DistroTree, NULL, distro_tree_set_up, function,       \
               distro_tree_tear_down)
    ADD("settings", test_settings);
    ADD("user", test_user);
    ADD("channel", test_channel);
    ADD("openings", test_openings);
    ADD("netlink", test_netlink);
    ADD("loopback_proxies", test_loopback_proxies);
    ADD_IN_TREE("fstab", test_fstab);
    ADD_IN_TREE("resolver", test_resolver);
    ADD_IN_TREE("identity", test_identity);
    ADD_IN_TREE("account", test_account);
    return g_test_run();
}
