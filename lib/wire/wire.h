/* SPDX-License-Identifier: MIT
 *
 * wire — the protocol between the host and the guest agent, and its encoding.
 *
 * One virtio-serial port (org.berth.agent) carries one sequence of frames each way. Both sides
 * compile this file; it needs libc only. The control socket between `berth` and its keeper carries
 * the same frames (lib/instance/control/control.h adds a few types from 64 up), so that a session's
 * frames pass through the keeper with no more than another stream number.
 *
 * Grammar. All integers are little-endian; `*` repeats.
 *
 *     connection = frame*
 *     frame      = size:u32  type:u8  channel:u8  zero:u16  stream:u32  payload:size bytes
 *     payload    = fields of the type, in the order given at WireType, nothing after them
 *     string     = length:u32  bytes:length  NUL      (no NUL inside; length excludes the last one)
 *     list       = count:u32  string*
 *     listener   = family:u8 (4, 6)  protocol:u8 (6 TCP, 17 UDP)  port:u16  address:16 bytes
 *                  (IPv4 in the first four, the rest zero)  owner:string (the process's name or "")
 *                  relay:u16 (0: none)  problem:u16 (Linux's errno, 0: none)
 *     service    = protocol:u8  port:u16
 *
 * size is at most WIRE_PAYLOAD_MAX. Stream 0 is the machine itself; a session has a stream number
 * of its own, chosen by the host, never used again on that connection.
 *
 * A session's life, as seen on its stream:
 *
 *     host   OPEN MORE* (DATA in | EOF in | CREDIT out/err | SIGNAL | RESIZE)*  [CLOSE]
 *     guest  OPENED (DATA out/err | EOF out/err | CREDIT in | SIGNAL)* [TAKEN] EXIT  or just FAILED
 *
 * EXIT and FAILED end the stream; EXIT comes after the last DATA of all channels. After CLOSE the
 * guest hangs the session up (SIGHUP) and still sends EXIT. EOF on out or err from the host means
 * that its reader has gone: writers in the guest get EPIPE as with any pipe.
 *
 * The words and the environment of a command may take several frames: with WIRE_OPEN_MORE the
 * payload of OPEN goes on in the MORE frames that follow on its stream, with nothing but CLOSE
 * between them. Each but the last is WIRE_PAYLOAD_MAX long, the last is shorter and may be empty;
 * fields and strings may lie across two of them. All together are at most WIRE_OPEN_MAX. What the
 * guest's kernel does not take for one program is FAILED with WIRE_FAILED_TOO_LONG. A sender of a
 * small OPEN needs to know nothing of this.
 *
 * With a terminal each stream is either the terminal or a pipe of its own (WireOpenFlags). What the
 * terminal shows comes on the channel of the first of out, err and in that is the terminal.
 *
 * A stream may end at a unix socket of the distro instead, with CONNECT in OPEN's place, no SIGNAL
 * and no RESIZE, and nothing on err. EOF is then a half of the connection that has ended; EXIT,
 * with code 0, comes when both halves have. After CLOSE, which takes back nothing that was sent,
 * the guest closes the socket.
 *
 * Flow control. Each channel of each stream starts with WIRE_WINDOW bytes of credit for its sender.
 * DATA spends its payload's size; CREDIT gives bytes back as the receiver has passed them on. More
 * DATA than credit is a protocol error. EOF and all else cost nothing, so that a stalled stream
 * never holds up another, and nobody buffers more than WIRE_WINDOW bytes a channel.
 *
 * Versions. The two sides may be of different versions of berth: a keeper outlives an upgrade, and
 * its guest may boot another initramfs. So CONFIG and HELLO begin with the sender's WIRE_VERSION in
 * all versions, and nothing more is read from a side with another one. The host ends the machine
 * with an error that names the older side; the guest powers off before it mounts the disk.
 *
 * Nothing here trusts its input: a frame that breaks the grammar is -EPROTO and the connection (or,
 * for a bad payload, the session) ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Increment it with each change that the other side would misread or not know; also the version in
 * instance/control/hello.h if the change is in a session's frames, which `berth` reads and writes.
 */
#define WIRE_VERSION       5u
#define WIRE_PORT_NAME     "org.berth.agent"
#define WIRE_HEADER_SIZE   12u
#define WIRE_PAYLOAD_MAX   65536u
#define WIRE_OPEN_MAX      8388608u /* OPEN and its MORE; Linux takes 6 MiB at most for a program */
#define WIRE_DATA_MAX      32768u   /* senders cut DATA at this, so that streams take turns */
#define WIRE_WINDOW        262144u  /* initial credit of a channel, bytes */
#define WIRE_SEARCH_MAX    1024u    /* bytes of NAMES' search */
#define WIRE_NAMES_MAX     32768u   /* bytes of its hosts */
#define WIRE_LISTENERS_MAX 1024u    /* listeners in one LISTENERS frame; more are others there */
#define WIRE_OTHERS_MAX    6144u    /* others in one */

typedef enum {
    /* stream 0, host to guest */
    WIRE_CONFIG = 1, /* version:u32 hostname:string user:string address:string ("10.0.2.15/24")
                        gateway:string nameserver:string mtu:u32 realtime_nsec:u64 zone:string
                        (an Olson name or "") identity:string (cmd/berth-guest/boot/renew.h, or "")
                        flags:u32 (WireConfigFlags) account:string account_uid:u32
                        (cmd/berth-guest/distro/account.h, or "" and 0)
                        address6:string ("fd00::15/64", or "") gateway6:string (or "");
                        the first frame, sent before the guest asks */
    WIRE_POWER = 2,  /* action:u8 (WirePower); the guest starts its orderly way down */
    WIRE_GROW = 3,   /* size:u64 bytes; the disk is being made so large, and the root file system is
                        to follow. One at a time */
    WIRE_CLOCK = 4,  /* realtime_nsec:u64 zone:string; the host's clock, which was set, or stood
                        still, and its time zone (or ""), which may have changed */
    WIRE_ROUTE = 5,  /* gateway6:string; IPv6's way out of the host has come, or gone ("") */
    WIRE_NAMES = 6,  /* search:string (domains with blanks between) hosts:string (lines "ADDRESS
                        NAME..."); what the host calls others by. Behind CONFIG, and on changes */

    /* stream 0, guest to host */
    WIRE_HELLO = 16, /* version:u32 kernel:string (uname -r); the guest's first frame */
    WIRE_STAGE = 17, /* name:string boottime_usec:u64 problem:string ("" when it went well) */
    WIRE_READY = 18, /* init:string ("systemd", "berth", ...) init_timeout_msec:u32 (what the distro
                        wants the host to wait for BOOTED, or 0); sessions are accepted */
    WIRE_BOOTED =
        19, /* status:string ("running", "degraded", ...); the init has finished starting */
    WIRE_LISTENERS = 20, /* count:u32 listener* others:u32 service*; all listening sockets now, on
                            every change; others are those that nothing is done about, since they
                            are too many */
    WIRE_GROWN = 21,     /* problem:string ("" when it went well); the answer to GROW */
    WIRE_NOTE = 22,      /* text:string; a line about the start for whoever started it */

    /* a session's stream, host to guest */
    WIRE_OPEN = 32,    /* flags:u32 (WireOpenFlags) user:string ("" default) cwd:string ("" home)
                          rows:u16 columns:u16 argv:list ([] the user's shell) environment:list
                          offered:list (of the client's terminal and locale: each is taken where the
                          distro knows it) */
    WIRE_SIGNAL = 33,  /* number:u32, Linux's. With WIRE_OPEN_ANSWERS it comes back once it was
                          taken, and once after OPENED with the number 0 */
    WIRE_RESIZE = 34,  /* rows:u16 columns:u16 */
    WIRE_CLOSE = 35,   /* nothing; the client is gone */
    WIRE_CONNECT = 36, /* path:string, absolute, of a stream socket */
    WIRE_MORE = 37,    /* bytes; the payload of OPEN goes on */

    /* a session's stream, guest to host */
    WIRE_OPENED =
        40, /* pid:u32 in the guest, 0 for CONNECT  warning:string (a line for the user, or "") */
    WIRE_FAILED = 41, /* status:u8 (125, 126, 127, WIRE_FAILED_TOO_LONG) message:string */
    WIRE_TAKEN = 43,  /* bytes:u64 of DATA in that the command has read, where its input is a pipe
                         and that is known; before EXIT, with WIRE_OPEN_ANSWERS */
    WIRE_EXIT = 42,   /* kind:u8 (WireExit) code:u8 exit status or signal number */

    /* a session's stream, both ways */
    WIRE_DATA = 48,   /* bytes; channel says which */
    WIRE_EOF = 49,    /* nothing; no more DATA on this channel */
    WIRE_CREDIT = 50, /* bytes:u32 more may be sent on this channel */
} WireType;

typedef enum { WIRE_STDIN, WIRE_STDOUT, WIRE_STDERR, WIRE_CHANNELS } WireChannel;
typedef enum { WIRE_POWER_OFF, WIRE_POWER_REBOOT } WirePower;
typedef enum { WIRE_EXITED, WIRE_SIGNALED } WireExit;

#define WIRE_FAILED_TOO_LONG 7 /* E2BIG, as execve says it */

typedef enum {
    WIRE_CONFIG_RESCUE = 1 << 0, /* touch nothing the distro has, and start nothing of it */
    WIRE_CONFIG_OOBE = 1 << 1,   /* the distro's own first-run command is wanted */
} WireConfigFlags;

typedef enum {
    WIRE_OPEN_TTY = 1 << 0,        /* a pseudo-terminal, for the streams that are no pipes */
    WIRE_OPEN_LOGIN = 1 << 1,      /* start the shell as a login shell */
    WIRE_OPEN_SHELL = 1 << 2,      /* argv is a line for the user's shell (-c) and its $0, $1 ... */
    WIRE_OPEN_BARE = 1 << 3,       /* no login session: whatever state the distro is in */
    WIRE_OPEN_PIPE_STDIN = 1 << 4, /* with a terminal: this stream is a pipe nevertheless */
    WIRE_OPEN_PIPE_STDOUT = 1 << 5,
    WIRE_OPEN_PIPE_STDERR = 1 << 6,
    WIRE_OPEN_COOKED = 1 << 7, /* the client's own terminal edits lines: no echo, no returns */
    WIRE_OPEN_MORE = 1 << 8,   /* MORE frames follow */
    WIRE_OPEN_ANSWERS =
        1 << 9, /* the host wants to know of the signals and the input that were taken */
} WireOpenFlags;

/* Bytes in order, consumed at the front, appended at the end. Zero-initialise; wire_buffer_clear
 * frees. An append that finds no memory sets `failed` and later calls do nothing. */
typedef struct {
    uint8_t *data;
    size_t start; /* first byte not consumed */
    size_t end;   /* one past the last byte */
    size_t capacity;
    bool failed;
} WireBuffer;

static inline size_t wire_buffer_size(const WireBuffer *buffer)
{
    return buffer->end - buffer->start;
}
static inline const uint8_t *wire_buffer_head(const WireBuffer *buffer)
{
    return buffer->data + buffer->start;
}
void wire_buffer_append(WireBuffer *buffer, const void *bytes, size_t size);
/* Room for @size bytes at the end, to be filled and then kept with wire_buffer_added; NULL when
 * there is no memory. */
uint8_t *wire_buffer_reserve(WireBuffer *buffer, size_t size);
void wire_buffer_added(WireBuffer *buffer, size_t size);
void wire_buffer_consume(WireBuffer *buffer, size_t size);
void wire_buffer_clear(WireBuffer *buffer);

/* A frame as it lies in a buffer; payload is borrowed until the buffer changes. */
typedef struct {
    uint8_t type;
    uint8_t channel;
    uint32_t stream;
    const uint8_t *payload;
    uint32_t size; /* of payload, bytes */
} WireFrame;

/* The first frame of @buffer. 1: @ret_frame is set, consume WIRE_HEADER_SIZE + size when done with
 * it. 0: not all there yet. -EPROTO: never will be a frame. */
int wire_frame_peek(const WireBuffer *buffer, WireFrame *ret_frame);

/* Append a whole frame with a ready payload. */
void wire_frame_put(WireBuffer *buffer, WireType type, uint8_t channel, uint32_t stream,
                    const void *payload, size_t size);

/* Append @payload, of any size, as a frame of @type and as many MORE as it takes. */
void wire_frames_put(WireBuffer *buffer, WireType type, uint32_t stream, const void *payload,
                     size_t size);

/* Append a frame field by field: begin, put fields, end. When the payload exceeds the maximum, end
 * rolls the whole frame back and returns false; the buffer stays well-formed. Only frames with
 * strings of unknown length can fail: cut those with wire_put_text, or check the result. */
size_t wire_frame_begin(WireBuffer *buffer, WireType type, uint8_t channel, uint32_t stream);
void wire_put_u8(WireBuffer *buffer, uint8_t value);
void wire_put_u16(WireBuffer *buffer, uint16_t value);
void wire_put_u32(WireBuffer *buffer, uint32_t value);
void wire_put_u64(WireBuffer *buffer, uint64_t value);
void wire_put_string(WireBuffer *buffer, const char *text); /* NULL is "" */
/* At most @max bytes of it, cut between two characters of UTF-8. For text that people read. */
void wire_put_text(WireBuffer *buffer, const char *text, size_t max);
void wire_put_list(WireBuffer *buffer,
                   const char *const *strings); /* NULL-terminated; NULL is [] */
bool wire_frame_end(WireBuffer *buffer, size_t begin);

/* Reads a payload's fields in order. After the first field that is not there or not well-formed
 * `failed` is set and every further get returns 0, "" or an empty list: check once, at the end,
 * with wire_reader_done. */
typedef struct {
    const uint8_t *next;
    const uint8_t *end;
    bool failed;
} WireReader;

void wire_reader_init(WireReader *reader, const WireFrame *frame);
uint8_t wire_get_u8(WireReader *reader);
uint16_t wire_get_u16(WireReader *reader);
uint32_t wire_get_u32(WireReader *reader);
uint64_t wire_get_u64(WireReader *reader);
/* Borrowed from the frame, NUL-terminated, never NULL. */
const char *wire_get_string(WireReader *reader);
/* A NULL-terminated array of strings borrowed from the frame; free() the array. NULL on failure. */
char **wire_get_list(WireReader *reader);
/* Whether every field was read well and nothing is left over. */
bool wire_reader_done(const WireReader *reader);

/* The name of a type for messages, or "?". */
const char *wire_type_name(uint8_t type);

typedef struct {
    uint8_t family;   /* 4 or 6 */
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint16_t port;
    uint8_t address[16];
    const char *owner; /* borrowed */
    uint16_t relay; /* the port of 10.0.2.14 and prefix::14 at which the agent hands connections on
                       to it, where it cannot be reached directly; or 0 */
    uint16_t problem; /* why there is no such port though there should be: an errno; or 0 */
} WireListener;

void wire_put_listener(WireBuffer *buffer, const WireListener *listener);
/* False on a malformed one; the reader has failed then. */
bool wire_get_listener(WireReader *reader, WireListener *ret_listener);

/* Credit of one channel, from the sender's or the receiver's side. */
typedef struct {
    uint32_t available; /* sender: may still send; receiver: the other side may still send */
    uint32_t owed;      /* receiver: passed on since the last CREDIT */
} WireCredit;

#define WIRE_CREDIT_INIT                                                                           \
    {                                                                                              \
        WIRE_WINDOW, 0                                                                             \
    }

/* Spend @size bytes; false, and nothing spent, when less is available. */
bool wire_credit_spend(WireCredit *credit, uint32_t size);
/* Sender: CREDIT came. False when it would exceed the window (the peer lies). */
bool wire_credit_grant(WireCredit *credit, uint32_t size);
/* Receiver: @size bytes were passed on. Returns the bytes to put in a CREDIT frame now, or 0 while
 * less than half a window is owed, so that credit costs few frames. */
uint32_t wire_credit_return(WireCredit *credit, uint32_t size);
