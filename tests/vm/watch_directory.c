/* SPDX-License-Identifier: MIT
 *
 * watch_directory DIRECTORY... — prints a line "ready", then one for each event of inotify's:
 * the number of the directory, the mask and the cookie in hexadecimal, the name. For any distro:
 * it is linked statically.
 */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

int main(int argc, char **argv)
{
    static char bytes[1 << 16] __attribute__((aligned(8)));
    int fd = inotify_init1(IN_CLOEXEC);
    for (int i = 1; i < argc; i++)
        if (inotify_add_watch(fd, argv[i], EVENTS | IN_ONLYDIR) != i)
            return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        ssize_t size = read(fd, bytes, sizeof(bytes));
        if (size <= 0)
            return 1;
        for (char *at = bytes; at < bytes + size;) {
            const struct inotify_event *event = (void *)at;
            if (event->len > 0)
                printf("%d %x %x %s\n", event->wd, event->mask, event->cookie, event->name);
            at += sizeof(*event) + event->len;
        }
        fflush(stdout);
    }
}
