/* SPDX-License-Identifier: MIT */
#include "fsmonitor.h"

#include "monitor.h"
#include "watcher.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(FILE *to)
{
    fputs("usage: " FSMONITOR_NAME " 2 TOKEN\n"
          "Tell git what has changed in the current directory since TOKEN, on this distro's own\n"
          "file systems and on directories of the host. To use it in all repositories:\n"
          "  git config --global core.fsmonitor /run/berth/bin/" FSMONITOR_NAME "\n"
          "  git config --global core.untrackedCache true\n",
          to);
    return to == stdout ? EXIT_SUCCESS : 2;
}

int fsmonitor_run(int argc, char **argv)
{
    char *answer = NULL;
    size_t size = 0;
    Watcher watcher;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc != 3 || strcmp(argv[1], "2") != 0)
        return usage(stderr); /* git asks in version 1 then, and looks at everything at last */
    int root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0 && strlen(argv[2]) <= JOURNAL_TOKEN_MAX && watcher_init(&watcher, root) &&
        monitor_ask(root, argv[2], &answer, &size) == 0)
        fwrite(answer, 1, size, stdout);
    else
        watcher_answer_everything(stdout);
    free(answer);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
