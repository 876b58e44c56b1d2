/* SPDX-License-Identifier: MIT */
#include "host_desk.h"

#include <stdbool.h>
#include <string.h>

/* A client with this has an agent, too, which is no reason to forget a desktop. */
#define GPG_HOME "GNUPGHOME"

static const char *const names[] = {
    "DISPLAY",          "WAYLAND_DISPLAY",
    "XAUTHORITY",       "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP",
    "DESKTOP_SESSION",  "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",    "BROWSER",
    GPG_HOME,
};

/* A client with none of these has no desktop and no agent. */
static const char *const deciding[] = {"DISPLAY", "WAYLAND_DISPLAY", "SSH_AUTH_SOCK"};

struct BerthHostDesk {
    char **pairs;
};

BerthHostDesk *berth_host_desk_new(void)
{
    BerthHostDesk *desk = g_new0(BerthHostDesk, 1);
    desk->pairs = g_new0(char *, 1);
    return desk;
}

void berth_host_desk_free(BerthHostDesk *desk)
{
    if (desk == NULL)
        return;
    g_strfreev(desk->pairs);
    g_free(desk);
}

/* The variable @name in @text, whose strings end with NUL, as "NAME=value"; or NULL. Borrowed. */
static const char *find(const char *text, gsize size, const char *name)
{
    gsize length = strlen(name);
    for (const char *pair = text; pair < text + size; pair += strlen(pair) + 1)
        if (strncmp(pair, name, length) == 0 && pair[length] == '=' && pair[length + 1] != '\0')
            return pair;
    return NULL;
}

void berth_host_desk_follow(BerthHostDesk *desk, pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/environ", pid);
    g_autofree char *text = NULL;
    gsize size = 0;
    if (pid <= 0 || !g_file_get_contents(path, &text, &size, NULL))
        return;
    bool decides = desk->pairs[0] == NULL && find(text, size, GPG_HOME) != NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(deciding); i++)
        decides = decides || find(text, size, deciding[i]) != NULL;
    if (!decides)
        return;
    g_autoptr(GStrvBuilder) pairs = g_strv_builder_new();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *pair = find(text, size, names[i]);
        if (pair != NULL)
            g_strv_builder_add(pairs, pair);
    }
    g_strfreev(desk->pairs);
    desk->pairs = g_strv_builder_end(pairs);
}

const char *const *berth_host_desk_environment(const BerthHostDesk *desk)
{
    return (const char *const *)desk->pairs;
}

const char *berth_host_desk_get(const BerthHostDesk *desk, const char *name)
{
    return g_environ_getenv(desk->pairs, name);
}
