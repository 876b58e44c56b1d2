/* SPDX-License-Identifier: MIT */
#include "cloud_init.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define SOURCE    "/cloud/user-data"
#define BERTH     "/run/berth"
#define USER_DATA CLOUD_SEED "/user-data"
#define META_DATA CLOUD_SEED "/meta-data"
#define DISABLED  "/etc/cloud/cloud-init.disabled"

int cloud_open(void)
{
    int data = open(SOURCE, O_RDONLY | O_CLOEXEC);
    if (data >= 0)
        unlink(SOURCE); /* frees its memory: the initramfs stays in RAM */
    return data;
}

int cloud_keep(int data)
{
    if (data < 0)
        return 0;
    int result = file_make_directories(BERTH, 0755); /* 0755: other modules keep files here */
    if (result == 0)
        result = file_make_directories(CLOUD_SEED, 0700);
    if (result == 0)
        result = file_copy(data, USER_DATA, 0600);
    close(data);
    return result;
}

static bool is_given(void)
{
    return access(USER_DATA, F_OK) == 0;
}

/* The instance id is on the kernel's command line. */
int cloud_describe(const char *hostname)
{
    char text[128];
    if (!is_given())
        return 0;
    snprintf(text, sizeof(text), "local-hostname: \"%s\"\n", hostname);
    return file_replace(META_DATA, text, 0600);
}

static bool has_program(void)
{
    static const char *const places[] = {"/usr/bin/cloud-init", "/bin/cloud-init",
                                         "/usr/local/bin/cloud-init"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], X_OK) == 0)
            return true;
    return false;
}

const char *cloud_obstacle(InitKind init)
{
    if (!is_given())
        return NULL;
    if (!has_program())
        return "the user-data was not used: the image has no cloud-init";
    if (access(DISABLED, F_OK) == 0)
        return "the user-data was not used: " DISABLED " is there";
    if (init == INIT_BERTH)
        return "the user-data was not used: the image's init, which would start cloud-init, does "
               "not run";
    return NULL;
}
