/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

static void get_string(WireReader *reader, char *to, size_t size)
{
    const char *text = wire_get_string(reader);
    if (strlen(text) >= size) {
        reader->failed = true;
        return;
    }
    strcpy(to, text);
}

bool config_read_names(const WireFrame *frame, Config *config)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    const char *search = wire_get_string(&reader);
    const char *hosts = wire_get_string(&reader);
    if (!wire_reader_done(&reader) || strlen(search) > WIRE_SEARCH_MAX ||
        strlen(hosts) > WIRE_NAMES_MAX)
        return false;
    strcpy(config->search, search);
    strcpy(config->hosts, hosts);
    return true;
}

uint32_t config_version(const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    return wire_get_u32(&reader);
}

bool config_read(const WireFrame *frame, Config *ret_config)
{
    Config config = {0};
    WireReader reader;
    wire_reader_init(&reader, frame);
    uint32_t version = wire_get_u32(&reader);
    get_string(&reader, config.hostname, sizeof(config.hostname));
    get_string(&reader, config.user, sizeof(config.user));
    get_string(&reader, config.address, sizeof(config.address));
    get_string(&reader, config.gateway, sizeof(config.gateway));
    get_string(&reader, config.nameserver, sizeof(config.nameserver));
    config.mtu = wire_get_u32(&reader);
    config.realtime_nsec = wire_get_u64(&reader);
    get_string(&reader, config.zone, sizeof(config.zone));
    get_string(&reader, config.identity, sizeof(config.identity));
    config.flags = wire_get_u32(&reader);
    get_string(&reader, config.account, sizeof(config.account));
    config.account_uid = wire_get_u32(&reader);
    get_string(&reader, config.address6, sizeof(config.address6));
    get_string(&reader, config.gateway6, sizeof(config.gateway6));
    if (!wire_reader_done(&reader) || version != WIRE_VERSION)
        return false;

    *ret_config = config;
    return true;
}
