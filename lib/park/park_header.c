/* SPDX-License-Identifier: MIT */
#include "park_header.h"

#include "base/le.h"
#include "park_sum.h"

#include <string.h>

#define MAGIC    "berthprk"
#define VERSION  1u
#define LIFE_MAX (64u << 20) /* bytes */

/* Offsets in the header. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_FLAGS = 12,
    AT_MEMORY_SIZE = 16,
    AT_STATE_SIZE = 24,
    AT_LIFE_SIZE = 32,
    AT_RUNS = 40,
    AT_DATA_SIZE = 48,
    AT_BODY_SUM = 56, /* of state, life and runs */
    AT_IDENTITY = 64,
    AT_MEMORY_WANTED = AT_IDENTITY + sizeof(BerthParkIdentity),
    AT_MEMORY = AT_MEMORY_WANTED + 8,
    AT_CPUS_WANTED = AT_MEMORY + 8,
    AT_CPUS = AT_CPUS_WANTED + 4,
    AT_HEADER_SUM = BERTH_PARK_HEADER_SIZE - 8,
};

void berth_park_header_put(const BerthParkHeader *header, guint8 bytes[BERTH_PARK_HEADER_SIZE])
{
    memset(bytes, 0, BERTH_PARK_HEADER_SIZE);
    memcpy(bytes + AT_MAGIC, MAGIC, strlen(MAGIC));
    berth_le_put32(bytes + AT_VERSION, VERSION);
    berth_le_put32(bytes + AT_FLAGS, header->flags);
    berth_le_put64(bytes + AT_MEMORY_SIZE, header->memory_size);
    berth_le_put64(bytes + AT_STATE_SIZE, header->state_size);
    berth_le_put64(bytes + AT_LIFE_SIZE, header->life_size);
    berth_le_put64(bytes + AT_RUNS, header->runs);
    berth_le_put64(bytes + AT_DATA_SIZE, header->data_size);
    berth_le_put64(bytes + AT_BODY_SUM, header->body_sum);
    memcpy(bytes + AT_IDENTITY, header->identity.digests, sizeof(header->identity.digests));
    berth_le_put64(bytes + AT_MEMORY_WANTED, header->machine.memory_wanted);
    berth_le_put64(bytes + AT_MEMORY, header->machine.memory);
    berth_le_put32(bytes + AT_CPUS_WANTED, header->machine.cpus_wanted);
    berth_le_put32(bytes + AT_CPUS, header->machine.cpus);
    berth_le_put64(bytes + AT_HEADER_SUM, berth_park_sum(0, bytes, AT_HEADER_SUM));
}

static bool is_consistent(const BerthParkHeader *header, guint64 file_size)
{
    guint64 room = file_size - BERTH_PARK_HEADER_SIZE;
    return header->memory_size <= G_MAXINT64 && header->memory_size % BERTH_PARK_PAGE_SIZE == 0 &&
           header->data_size <= room && header->state_size <= room - header->data_size &&
           header->life_size <= LIFE_MAX &&
           header->life_size <= room - header->data_size - header->state_size &&
           header->runs <= header->data_size / BERTH_PARK_PAGE_SIZE &&
           header->runs * BERTH_PARK_RUN_SIZE ==
               room - header->data_size - header->state_size - header->life_size;
}

static void get_fields(const guint8 *bytes, BerthParkHeader *header)
{
    header->flags = berth_le_get32(bytes + AT_FLAGS);
    header->memory_size = berth_le_get64(bytes + AT_MEMORY_SIZE);
    header->state_size = berth_le_get64(bytes + AT_STATE_SIZE);
    header->life_size = berth_le_get64(bytes + AT_LIFE_SIZE);
    header->runs = berth_le_get64(bytes + AT_RUNS);
    header->data_size = berth_le_get64(bytes + AT_DATA_SIZE);
    header->body_sum = berth_le_get64(bytes + AT_BODY_SUM);
    header->machine.memory_wanted = berth_le_get64(bytes + AT_MEMORY_WANTED);
    header->machine.memory = berth_le_get64(bytes + AT_MEMORY);
    header->machine.cpus_wanted = berth_le_get32(bytes + AT_CPUS_WANTED);
    header->machine.cpus = berth_le_get32(bytes + AT_CPUS);
    memcpy(header->identity.digests, bytes + AT_IDENTITY, sizeof(header->identity.digests));
}

BerthParkHeaderResult berth_park_header_get(const guint8 bytes[BERTH_PARK_HEADER_SIZE],
                                            guint64 file_size, BerthParkHeader *ret_header)
{
    BerthParkHeader header;
    if (memcmp(bytes, MAGIC, strlen(MAGIC)) != 0 ||
        berth_le_get64(bytes + AT_HEADER_SUM) != berth_park_sum(0, bytes, AT_HEADER_SUM))
        return BERTH_PARK_HEADER_DAMAGED;
    if (berth_le_get32(bytes + AT_VERSION) != VERSION)
        return BERTH_PARK_HEADER_OTHER_VERSION;
    get_fields(bytes, &header);
    if (!is_consistent(&header, file_size))
        return BERTH_PARK_HEADER_DAMAGED;
    *ret_header = header;
    return BERTH_PARK_HEADER_GOOD;
}
