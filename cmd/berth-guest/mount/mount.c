/* SPDX-License-Identifier: MIT */
#include "mount.h"

#include "request.h"

#include "wire/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#define STATUS_USAGE 2
#define THREADS      8
#define PIPE_SIZE    1048576

static const RequestHandler handlers[] = {
    [FUSE_LOOKUP] = serve_lookup,
    [FUSE_FORGET] = serve_forget,
    [FUSE_BATCH_FORGET] = serve_forget_many,
    [FUSE_GETATTR] = serve_getattr,
    [FUSE_SETATTR] = serve_setattr,
    [FUSE_READLINK] = serve_readlink,
    [FUSE_SYMLINK] = serve_symlink,
    [FUSE_MKNOD] = serve_mknod,
    [FUSE_MKDIR] = serve_mkdir,
    [FUSE_UNLINK] = serve_unlink,
    [FUSE_RMDIR] = serve_rmdir,
    [FUSE_RENAME] = serve_rename,
    [FUSE_RENAME2] = serve_rename2,
    [FUSE_LINK] = serve_link,
    [FUSE_OPEN] = serve_open,
    [FUSE_READ] = serve_read,
    [FUSE_WRITE] = serve_write,
    [FUSE_STATFS] = serve_statfs,
    [FUSE_RELEASE] = serve_release,
    [FUSE_FSYNC] = serve_fsync,
    [FUSE_SETXATTR] = serve_setxattr,
    [FUSE_GETXATTR] = serve_getxattr,
    [FUSE_LISTXATTR] = serve_listxattr,
    [FUSE_REMOVEXATTR] = serve_removexattr,
    [FUSE_FLUSH] = serve_flush,
    [FUSE_OPENDIR] = serve_opendir,
    [FUSE_READDIR] = serve_readdir,
    [FUSE_READDIRPLUS] = serve_readdirplus,
    [FUSE_RELEASEDIR] = serve_release,
    [FUSE_FSYNCDIR] = serve_fsync,
    [FUSE_ACCESS] = serve_access,
    [FUSE_CREATE] = serve_create,
    [FUSE_FALLOCATE] = serve_fallocate,
    [FUSE_LSEEK] = serve_lseek,
    [FUSE_COPY_FILE_RANGE] = serve_copy,
};

static pthread_mutex_t input_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the body ---- */

const void *request_take(Request *request, size_t size)
{
    const uint8_t *taken = request->next;
    if (size > request->left)
        return NULL;
    request->next += size;
    request->left -= size;
    return taken;
}

const char *request_take_text(Request *request)
{
    const void *end = memchr(request->next, '\0', request->left);
    return end != NULL ? request_take(request, (size_t)((const uint8_t *)end - request->next) + 1)
                       : NULL;
}

const char *request_take_name(Request *request)
{
    const char *name = request_take_text(request);
    bool valid = name != NULL && *name != '\0' && strchr(name, '/') == NULL;
    return valid ? name : NULL;
}

/* ---- the streams ---- */

/* False at the end of the input. */
static bool read_all(uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(STDIN_FILENO, bytes + done, size - done);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* Read the next request, whole. 0: the end; -1: it is malformed. */
static int read_request(uint8_t *bytes)
{
    const struct fuse_in_header *header = (const struct fuse_in_header *)bytes;
    int result = 0;
    pthread_mutex_lock(&input_lock);
    if (read_all(bytes, sizeof(*header))) {
        bool valid = header->len >= sizeof(*header) && header->len <= WIRE_MOUNT_MESSAGE;
        result = !valid                                                             ? -1
                 : read_all(bytes + sizeof(*header), header->len - sizeof(*header)) ? 1
                                                                                    : 0;
    }
    pthread_mutex_unlock(&input_lock);
    return result;
}

/* The host has gone when this fails: then its input ends, too. */
static void write_answer(uint64_t unique, int result, uint8_t *body)
{
    struct fuse_out_header header = {.len = sizeof(header), .unique = unique};
    header.error = result < 0 ? result : 0;
    header.len += result > 0 ? (uint32_t)result : 0;
    struct iovec parts[] = {{&header, sizeof(header)}, {body, header.len - sizeof(header)}};
    struct iovec *next = parts, *end = parts + 2;
    pthread_mutex_lock(&output_lock);
    while (next < end) {
        ssize_t written = writev(STDOUT_FILENO, next, (int)(end - next));
        if (written < 0 && errno != EINTR)
            break;
        for (size_t left = written > 0 ? (size_t)written : 0; next < end; next++) {
            size_t part = left < next->iov_len ? left : next->iov_len;
            next->iov_base = (uint8_t *)next->iov_base + part;
            next->iov_len -= part;
            left -= part;
            if (next->iov_len > 0)
                break;
        }
    }
    pthread_mutex_unlock(&output_lock);
}

/* ---- the threads ---- */

static void answer(const uint8_t *bytes, uint8_t *body)
{
    const struct fuse_in_header *header = (const struct fuse_in_header *)bytes;
    Request request = {.header = header,
                       .next = bytes + sizeof(*header),
                       .left = header->len - sizeof(*header),
                       .answer = body};
    RequestHandler handler =
        header->opcode < sizeof(handlers) / sizeof(handlers[0]) ? handlers[header->opcode] : NULL;
    int result = handler != NULL ? handler(&request) : -ENOSYS;
    if (result != REQUEST_NO_ANSWER)
        write_answer(header->unique, result, body);
}

/* Returns NULL at the end of the input; the process ends when a request is malformed. */
static void *serve(void *unused)
{
    uint8_t *bytes = malloc(WIRE_MOUNT_MESSAGE), *body = malloc(WIRE_MOUNT_DATA);
    int result = bytes != NULL && body != NULL ? 1 : -1;
    while (result > 0 && (result = read_request(bytes)) > 0)
        answer(bytes, body);
    if (result < 0)
        _exit(EXIT_FAILURE);
    free(bytes);
    free(body);
    return unused;
}

static int serve_all(void)
{
    pthread_t threads[THREADS];
    int started = 0;
    while (started < THREADS && pthread_create(&threads[started], NULL, serve, NULL) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool read_number(const char *text, uint32_t *ret_number)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *ret_number = (uint32_t)number;
    return end != text && *end == '\0' && errno == 0 && number < UINT32_MAX;
}

int mount_main(char **argv)
{
    uint32_t uid, gid;
    struct rlimit files;
    if (argv[0] == NULL || argv[1] == NULL || argv[2] != NULL || !read_number(argv[0], &uid) ||
        !read_number(argv[1], &gid))
        return STATUS_USAGE;
    prctl(PR_SET_NAME, "berth-mount"); /* "exe" would name nothing in ps */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; /* for what the host has open */
        setrlimit(RLIMIT_NOFILE, &files);
    }
    umask(0); /* the host's kernel has applied the host's */
    fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_SIZE);
    attributes_begin(uid, gid);
    if (chdir("/") < 0 || nodes_begin() < 0)
        return EXIT_FAILURE;
    write_answer(WIRE_MOUNT_HELLO, -WIRE_MOUNT_VERSION, NULL);
    return serve_all();
}
