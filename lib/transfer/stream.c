/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <string.h>

#define WRITE_AT  65536u /* bytes at which the writer's buffer is written out */
#define READ_SIZE 262144u

size_t transfer_begin(TransferWriter *writer, TransferType type)
{
    return wire_frame_begin(&writer->buffer, (WireType)type, 0, 0);
}

int transfer_flush(TransferWriter *writer)
{
    WireBuffer *buffer = &writer->buffer;
    if (buffer->failed)
        return -ENOMEM;
    size_t size = wire_buffer_size(buffer);
    int result = size > 0 ? writer->write(writer->data, wire_buffer_head(buffer), size) : 0;
    wire_buffer_consume(buffer, size);
    return result;
}

int transfer_end(TransferWriter *writer, size_t begin)
{
    wire_frame_end(&writer->buffer, begin);
    bool full = writer->buffer.failed || wire_buffer_size(&writer->buffer) >= WRITE_AT;
    return full ? transfer_flush(writer) : 0;
}

int transfer_put(TransferWriter *writer, TransferType type)
{
    return transfer_end(writer, transfer_begin(writer, type));
}

int transfer_put_begin(TransferWriter *writer)
{
    size_t begin = transfer_begin(writer, TRANSFER_BEGIN);
    wire_put_u32(&writer->buffer, TRANSFER_VERSION);
    return transfer_end(writer, begin);
}

int transfer_put_problem(TransferWriter *writer, const TransferProblem *problem)
{
    size_t begin = transfer_begin(writer, TRANSFER_PROBLEM);
    wire_put_u8(&writer->buffer, (uint8_t)problem->step);
    wire_put_u32(&writer->buffer, (uint32_t)problem->error);
    wire_put_text(&writer->buffer, problem->path, TRANSFER_PATH_MAX);
    return transfer_end(writer, begin);
}

void transfer_writer_clear(TransferWriter *writer)
{
    wire_buffer_clear(&writer->buffer);
}

void transfer_put_meta(TransferWriter *writer, const struct stat *info)
{
    WireBuffer *buffer = &writer->buffer;
    wire_put_u32(buffer, info->st_mode & 01777);
    wire_put_u64(buffer, (uint64_t)info->st_atim.tv_sec);
    wire_put_u32(buffer, (uint32_t)info->st_atim.tv_nsec);
    wire_put_u64(buffer, (uint64_t)info->st_mtim.tv_sec);
    wire_put_u32(buffer, (uint32_t)info->st_mtim.tv_nsec);
}

static struct timespec get_time(WireReader *reader)
{
    struct timespec time = {.tv_sec = (time_t)wire_get_u64(reader)};
    uint32_t nsec = wire_get_u32(reader);
    time.tv_nsec = nsec < 1000000000u ? (long)nsec : 0; /* larger ones mean UTIME_NOW and OMIT */
    return time;
}

TransferMeta transfer_get_meta(WireReader *reader)
{
    TransferMeta meta = {.mode = wire_get_u32(reader) & 01777};
    meta.times[0] = get_time(reader);
    meta.times[1] = get_time(reader);
    return meta;
}

bool transfer_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= TRANSFER_NAME_MAX && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int transfer_next(TransferReader *reader, WireFrame *ret_frame)
{
    int found;
    wire_buffer_consume(&reader->buffer, reader->taken);
    reader->taken = 0;
    while ((found = wire_frame_peek(&reader->buffer, ret_frame)) == 0) {
        uint8_t *room = wire_buffer_reserve(&reader->buffer, READ_SIZE);
        ptrdiff_t size = room != NULL ? reader->read(reader->data, room, READ_SIZE) : -ENOMEM;
        if (size <= 0)
            return size < 0 ? (int)size : -ENODATA;
        wire_buffer_added(&reader->buffer, (size_t)size);
    }
    if (found < 0 || ret_frame->channel != 0 || ret_frame->stream != 0)
        return -EPROTO;
    reader->taken = WIRE_HEADER_SIZE + ret_frame->size;
    return 0;
}

int transfer_check_begin(const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    uint32_t version = wire_get_u32(&reader);
    if (frame->type != TRANSFER_BEGIN || reader.failed)
        return -EPROTO;
    return version == TRANSFER_VERSION ? 0 : -EPROTONOSUPPORT;
}

int transfer_get_problem(const WireFrame *frame, TransferProblem *ret_problem)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    uint8_t step = wire_get_u8(&reader);
    uint32_t error = wire_get_u32(&reader);
    const char *path = wire_get_string(&reader);
    if (!wire_reader_done(&reader) || step >= TRANSFER_STEPS || error > 4095)
        return -EPROTO;
    *ret_problem = (TransferProblem){(TransferStep)step, (int)error, path};
    return 0;
}

void transfer_reader_clear(TransferReader *reader)
{
    wire_buffer_clear(&reader->buffer);
}
