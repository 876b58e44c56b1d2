/* SPDX-License-Identifier: MIT
 *
 * The carrier between a kernel and a guest that this program plays: a socket is its /dev/fuse.
 */
#include "mount/carrier.h"
#include "wire/mount.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID          "0123456789abcdef"
#define DISTRO_SIZE (sizeof(struct fuse_getxattr_in) + sizeof(WIRE_MOUNT_DISTRO))
#define WAIT_MSEC 20000
#define NODE      77u
#define HANDLE    5u

typedef struct {
    int kernel;               /* our end of its /dev/fuse */
    int requests, answers;    /* our ends of the guest's streams */
    int to_guest, from_guest; /* the carrier's */
    int connections;          /* that it gets; then none */
    pid_t pid;
} World;

static bool connect_to(gpointer data, int *ret_to, int *ret_from)
{
    World *world = data;
    *ret_to = world->to_guest;
    *ret_from = world->from_guest;
    return world->connections-- > 0;
}

static void disconnect(gpointer data)
{
    World *world = data;
    close(world->to_guest);
    close(world->from_guest);
}

static void begin(World *world, int connections)
{
    int fuse[2], to[2], from[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fuse), ==, 0);
    g_assert_cmpint(pipe(to), ==, 0);
    g_assert_cmpint(pipe(from), ==, 0);
    *world = (World){.kernel = fuse[0],
                     .requests = to[0],
                     .answers = from[1],
                     .to_guest = to[1],
                     .from_guest = from[0],
                     .connections = connections};
    const BerthMountGuest guest = {connect_to, disconnect, world, ID};
    world->pid = fork();
    if (world->pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(fuse[0]);
        close(to[0]);
        close(from[1]);
        berth_mount_carry(fuse[1], &guest);
    }
    close(fuse[1]);
    close(to[1]);
    close(from[0]);
}

/* The unmount ends it. */
static void end(World *world)
{
    int status;
    close(world->kernel);
    g_assert_cmpint(waitpid(world->pid, &status, 0), ==, world->pid);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(world->requests);
    close(world->answers);
}

static void ask(const World *world, guint32 opcode, guint64 unique, guint64 node, const void *body,
                gsize size)
{
    guint8 bytes[512];
    const struct fuse_in_header header = {.len = (guint32)(sizeof(header) + size),
                                          .opcode = opcode,
                                          .unique = unique,
                                          .nodeid = node};
    memcpy(bytes, &header, sizeof(header));
    if (size > 0)
        memcpy(bytes + sizeof(header), body, size);
    g_assert_cmpint(write(world->kernel, bytes, header.len), ==, header.len);
}

static void ask_read(const World *world, guint64 unique, guint64 offset, guint32 size)
{
    const struct fuse_read_in in = {.fh = HANDLE, .offset = offset, .size = size};
    ask(world, FUSE_READ, unique, NODE, &in, sizeof(in));
}

static void interrupt(const World *world, guint64 unique)
{
    const struct fuse_interrupt_in in = {.unique = unique};
    ask(world, FUSE_INTERRUPT, unique | 1, 0, &in, sizeof(in));
}

/* What the guest is asked next; its body goes to @body. */
static struct fuse_in_header asked(const World *world, void *body)
{
    struct fuse_in_header header;
    struct pollfd wait = {world->requests, POLLIN, 0};
    g_assert_cmpint(poll(&wait, 1, WAIT_MSEC), ==, 1);
    g_assert_cmpint(read(world->requests, &header, sizeof(header)), ==, sizeof(header));
    gsize size = header.len - sizeof(header);
    g_assert_cmpint(read(world->requests, body, size), ==, (gssize)size);
    return header;
}

static void reply(const World *world, guint64 unique, int error, const void *body, gsize size)
{
    const struct fuse_out_header header = {
        .len = (guint32)(sizeof(header) + size), .error = error, .unique = unique};
    g_assert_cmpint(write(world->answers, &header, sizeof(header)), ==, sizeof(header));
    g_assert_cmpint(write(world->answers, body, size), ==, (gssize)size);
}

/* Check the kernel's next answer, and return the size of its body. */
static gsize answered(const World *world, guint64 unique, int error, void *body, gsize room)
{
    g_autofree guint8 *bytes = g_malloc(WIRE_MOUNT_MESSAGE);
    struct fuse_out_header header;
    struct pollfd wait = {world->kernel, POLLIN, 0};
    g_assert_cmpint(poll(&wait, 1, WAIT_MSEC), ==, 1);
    ssize_t size = read(world->kernel, bytes, WIRE_MOUNT_MESSAGE);
    g_assert_cmpint(size, >=, sizeof(header));
    memcpy(&header, bytes, sizeof(header));
    g_assert_cmpuint(header.unique, ==, unique);
    g_assert_cmpint(header.error, ==, error);
    g_assert_cmpuint(header.len, ==, size);
    if (room > 0)
        memcpy(body, bytes + sizeof(header), MIN(room, (gsize)size - sizeof(header)));
    return (gsize)size - sizeof(header);
}

static void answered_error(const World *world, guint64 unique, int error)
{
    g_assert_cmpuint(answered(world, unique, error, NULL, 0), ==, 0);
}

static void test_init(void)
{
    World world;
    struct fuse_init_out out = {0};
    const struct fuse_init_in in = {
        .major = FUSE_KERNEL_VERSION, .minor = 99, .max_readahead = 131072, .flags = ~0u};
    begin(&world, 0);
    ask(&world, FUSE_INIT, 2, 0, &in, sizeof(in));
    g_assert_cmpuint(answered(&world, 2, 0, &out, sizeof(out)), ==, sizeof(out));
    g_assert_cmpuint(out.minor, ==, WIRE_MOUNT_MINOR);
    g_assert_cmpuint(out.flags & (FUSE_WRITEBACK_CACHE | FUSE_POSIX_LOCKS | FUSE_EXPORT_SUPPORT),
                     ==, 0);
    ask(&world, FUSE_IOCTL, 4, NODE, NULL, 0);
    answered_error(&world, 4, -ENOSYS);
    end(&world);
}

/* Which distro it is: answered without the guest, which may wait for whoever asks. */
static void test_distro(void)
{
    World world;
    char id[sizeof(ID)] = "";
    struct {
        struct fuse_getxattr_in in;
        char name[sizeof(WIRE_MOUNT_DISTRO)];
    } request = {.name = WIRE_MOUNT_DISTRO};
    struct fuse_getxattr_out out = {0};
    begin(&world, 0);
    ask(&world, FUSE_GETXATTR, 2, FUSE_ROOT_ID, &request, DISTRO_SIZE);
    g_assert_cmpuint(answered(&world, 2, 0, &out, sizeof(out)), ==, sizeof(out));
    g_assert_cmpuint(out.size, ==, strlen(ID));
    request.in.size = out.size - 1;
    ask(&world, FUSE_GETXATTR, 4, FUSE_ROOT_ID, &request, DISTRO_SIZE);
    answered_error(&world, 4, -ERANGE);
    request.in.size = out.size;
    ask(&world, FUSE_GETXATTR, 6, FUSE_ROOT_ID, &request, DISTRO_SIZE);
    g_assert_cmpuint(answered(&world, 6, 0, id, sizeof(id)), ==, strlen(ID));
    g_assert_cmpstr(id, ==, ID);
    ask(&world, FUSE_GETXATTR, 8, NODE, &request, DISTRO_SIZE);
    answered_error(&world, 8, -ENOTCONN);
    end(&world);
}

/* Without a guest: errors at once, but the mount itself can be looked at. */
static void test_no_guest(void)
{
    World world;
    struct fuse_attr_out out = {0};
    const struct fuse_getattr_in in = {0};
    begin(&world, 0);
    ask(&world, FUSE_LOOKUP, 2, FUSE_ROOT_ID, "name", sizeof("name"));
    answered_error(&world, 2, -ENOTCONN);
    ask(&world, FUSE_GETATTR, 4, FUSE_ROOT_ID, &in, sizeof(in));
    g_assert_cmpuint(answered(&world, 4, 0, &out, sizeof(out)), ==, sizeof(out));
    g_assert_true(S_ISDIR(out.attr.mode) && out.attr_valid == 0);
    ask(&world, FUSE_GETATTR, 6, NODE, &in, sizeof(in));
    answered_error(&world, 6, -ENOTCONN);
    ask(&world, FUSE_STATFS, 8, FUSE_ROOT_ID, NULL, 0);
    g_assert_cmpuint(answered(&world, 8, 0, NULL, 0), ==, sizeof(struct fuse_statfs_out));
    end(&world);
}

static void test_guest_goes(void)
{
    World world;
    char body[256];
    begin(&world, 1);
    ask(&world, FUSE_LOOKUP, 2, FUSE_ROOT_ID, "name", sizeof("name"));
    ask(&world, FUSE_READLINK, 4, NODE, NULL, 0);
    asked(&world, body);
    g_assert_cmpstr(body, ==, "name");
    asked(&world, body);
    reply(&world, 4, 0, "target", 6);
    g_assert_cmpuint(answered(&world, 4, 0, body, sizeof(body)), ==, 6);
    close(world.answers);
    answered_error(&world, 2, -ENOTCONN);
    ask(&world, FUSE_READLINK, 6, NODE, NULL, 0);
    answered_error(&world, 6, -ENOTCONN);
    world.answers = dup(world.requests);
    end(&world);
}

/* What was not asked, or is no answer, does not reach the kernel. */
static void test_hostile(void)
{
    World world;
    char body[256];
    const struct fuse_notify_inval_inode_out inode = {.ino = NODE};
    begin(&world, 1);
    ask(&world, FUSE_READLINK, 2, NODE, NULL, 0);
    asked(&world, body);
    reply(&world, 0, FUSE_NOTIFY_INVAL_INODE, &inode, sizeof(inode));
    reply(&world, 4, 0, "other", 5);
    reply(&world, G_GUINT64_CONSTANT(1) << 63 | 1, 0, "ahead", 5);
    reply(&world, 2, -512, NULL, 0);
    answered_error(&world, 2, -EIO);
    ask(&world, FUSE_READLINK, 6, NODE, NULL, 0);
    asked(&world, body);
    reply(&world, 6, -ENOENT, "more", 4);
    answered_error(&world, 6, -EIO);
    ask(&world, FUSE_READLINK, 8, NODE, NULL, 0);
    asked(&world, body);
    const struct fuse_out_header endless = {.len = WIRE_MOUNT_MESSAGE + 1, .unique = 8};
    g_assert_cmpint(write(world.answers, &endless, sizeof(endless)), ==, sizeof(endless));
    answered_error(&world, 8, -ENOTCONN);
    end(&world);
}

/* The guest then learns that what it has opened and looked up is not used. */
static void test_interrupt(void)
{
    World world;
    char body[256];
    const struct fuse_open_in open = {0};
    const struct fuse_open_out opened = {.fh = HANDLE};
    const struct fuse_entry_out entry = {.nodeid = NODE};
    struct fuse_release_in released;
    begin(&world, 1);
    ask(&world, FUSE_OPEN, 2, NODE, &open, sizeof(open));
    ask(&world, FUSE_LOOKUP, 4, FUSE_ROOT_ID, "name", sizeof("name"));
    asked(&world, body);
    asked(&world, body);
    interrupt(&world, 2);
    answered_error(&world, 2, -EINTR);
    interrupt(&world, 4);
    answered_error(&world, 4, -EINTR);
    reply(&world, 2, 0, &opened, sizeof(opened));
    struct fuse_in_header undone = asked(&world, &released);
    g_assert_cmpuint(undone.opcode, ==, FUSE_RELEASE);
    g_assert_cmpuint(released.fh, ==, HANDLE);
    reply(&world, 4, 0, &entry, sizeof(entry));
    undone = asked(&world, body);
    g_assert_cmpuint(undone.opcode, ==, FUSE_FORGET);
    g_assert_cmpuint(undone.nodeid, ==, NODE);
    interrupt(&world, 4); /* too late */
    ask(&world, FUSE_READLINK, 6, NODE, NULL, 0);
    asked(&world, body);
    reply(&world, 6, 0, "end", 3);
    answered(&world, 6, 0, NULL, 0);
    end(&world);
}

/* ---- reading ahead ---- */

enum { BLOCK = 131072 };

static guint8 byte_at(guint64 offset)
{
    return (guint8)(offset / BLOCK + 1);
}

/* Answer a READ that the guest gets; returns its offset. */
static guint64 serve_read(const World *world, guint8 change)
{
    struct fuse_read_in in;
    struct fuse_in_header header = asked(world, &in);
    g_autofree guint8 *data = g_malloc(BLOCK);
    g_assert_cmpuint(header.opcode, ==, FUSE_READ);
    memset(data, byte_at(in.offset) + change, BLOCK);
    reply(world, header.unique, 0, data, BLOCK);
    return in.offset;
}

static void check_read(const World *world, guint64 unique, guint64 offset, guint8 change)
{
    g_autofree guint8 *data = g_malloc(BLOCK);
    g_assert_cmpuint(answered(world, unique, 0, data, BLOCK), ==, BLOCK);
    g_assert_cmpuint(data[0], ==, (guint8)(byte_at(offset) + change));
}

static void grow(const World *world)
{
    const int size = 4 * BLOCK;
    setsockopt(world->kernel, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* Three reads in a row, and the eight blocks after them. */
static void read_in_a_row(const World *world)
{
    for (guint64 i = 0; i < 3; i++) {
        ask_read(world, 2 + 2 * i, i * BLOCK, BLOCK);
        g_assert_cmpuint(serve_read(world, 0), ==, i * BLOCK);
        check_read(world, 2 + 2 * i, i * BLOCK, 0);
    }
    for (guint64 i = 3; i < 11; i++)
        g_assert_cmpuint(serve_read(world, 0), ==, i * BLOCK);
}

static void test_ahead(void)
{
    World world;
    begin(&world, 1);
    grow(&world);
    read_in_a_row(&world);
    ask_read(&world, 10, 3 * BLOCK, BLOCK); /* from what has come, or comes */
    check_read(&world, 10, 3 * BLOCK, 0);
    g_assert_cmpuint(serve_read(&world, 0), ==, 11 * BLOCK);
    end(&world);
}

static void test_a_change_drops_what_was_read(void)
{
    World world;
    guint8 body[512];
    struct fuse_write_in in = {.fh = HANDLE};
    const struct fuse_write_out out = {0};
    begin(&world, 1);
    grow(&world);
    read_in_a_row(&world);
    ask(&world, FUSE_WRITE, 20, NODE, &in, sizeof(in));
    g_assert_cmpuint(asked(&world, body).opcode, ==, FUSE_WRITE);
    reply(&world, 20, 0, &out, sizeof(out));
    answered(&world, 20, 0, NULL, 0);
    ask_read(&world, 22, 3 * BLOCK, BLOCK);
    g_assert_cmpuint(serve_read(&world, 100), ==, 3 * BLOCK);
    check_read(&world, 22, 3 * BLOCK, 100);
    end(&world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/mount/carrier/init", test_init);
    g_test_add_func("/mount/carrier/distro", test_distro);
    g_test_add_func("/mount/carrier/no-guest", test_no_guest);
    g_test_add_func("/mount/carrier/guest-goes", test_guest_goes);
    g_test_add_func("/mount/carrier/hostile", test_hostile);
    g_test_add_func("/mount/carrier/interrupt", test_interrupt);
    g_test_add_func("/mount/carrier/ahead", test_ahead);
    g_test_add_func("/mount/carrier/change", test_a_change_drops_what_was_read);
    return g_test_run();
}
