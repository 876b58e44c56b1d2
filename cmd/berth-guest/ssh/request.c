/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

static const char *copy(const char *name)
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
    };
    clearenv();
    return ret_request->host_key != NULL && ret_request->dropbear_key != NULL &&
           ret_request->client_key != NULL;
}
