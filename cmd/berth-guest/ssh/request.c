/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? strdup(value) : NULL;
}

bool request_read(const char *user, SshRequest *ret_request)
{
    *ret_request = (SshRequest){
        .user = user,
        .host_key = copy(WIRE_SSH_HOST_KEY),
        .dropbear_key = copy(WIRE_SSH_DROPBEAR_KEY),
        .client_key = copy(WIRE_SSH_CLIENT_KEY),
        .offered = copy(WIRE_SSH_OFFERED),
    };
    clearenv();
    return ret_request->host_key != NULL && ret_request->dropbear_key != NULL &&
           ret_request->client_key != NULL;
}

char **request_lines(char *text)
{
    size_t count = 0;
    for (const char *c = text; c != NULL && *c != '\0'; c++)
        count += *c == '\n';
    char **lines = text != NULL ? calloc(count + 2, sizeof(char *)) : NULL;
    for (size_t i = 0; lines != NULL && text != NULL; i++)
        lines[i] = strsep(&text, "\n");
    return lines;
}
