/* SPDX-License-Identifier: MIT
 *
 * wire — the protocol between the host and the guest agent, and its encoding.
 *
 * One virtio-serial port (org.berth.agent) carries one sequence of frames each way. Both sides
 * compile this file; it needs libc only. The control socket between `berth` and its keeper carries
 * the same frames (lib/instance/control/control.h adds a few types from 64 up), so that the keeper
 * forwards a session's frames with only the stream number changed.
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
 * size is at most WIRE_PAYLOAD_MAX. Stream 0 is the machine itself; each session has a stream
 * number, which the host chooses and never reuses on that connection.
 *
 * The frames of a session on its stream:
 *
 *     host   OPEN MORE* (DATA in | EOF in | CREDIT out/err | SIGNAL | RESIZE)*  [CLOSE]
 *     guest  OPENED (DATA out/err | EOF out/err | CREDIT in | SIGNAL)* [TAKEN] EXIT  or just FAILED
 *
 * EXIT and FAILED end the stream; EXIT follows the last DATA of all channels. On CLOSE the guest
 * hangs up the session (SIGHUP) and still sends EXIT. EOF on out or err from the host means that
 * its reader has closed: writers in the guest get EPIPE as with any pipe.
 *
 * The arguments and environment of a command may span several frames: with WIRE_OPEN_MORE the
 * payload of OPEN continues in the MORE frames that follow on its stream, with nothing but CLOSE
 * between them. Each but the last is WIRE_PAYLOAD_MAX long, the last is shorter and may be empty;
 * fields and strings may span two of them. The total is at most WIRE_OPEN_MAX. If the guest's
 * kernel rejects it as too long for a program, the answer is FAILED with WIRE_FAILED_TOO_LONG.
 *
 * With a terminal each stream is either the terminal or a pipe of its own (WireOpenFlags). The
 * terminal's output is sent on the channel of the first of out, err and in that is the terminal.
 *
 * With CONNECT in place of OPEN a stream ends at a unix socket of the distro; it has no SIGNAL, no
 * RESIZE, and nothing on err. EOF is then a half-close; EXIT, with code 0, follows when both halves
 * are closed. On CLOSE the guest delivers what was sent before, then closes the socket.
 *
 * The guest can begin a stream, too, if its host allows that: a call, which uses a service of the
 * host (WireService). The guest chooses the number, with WIRE_GUEST_STREAM set in it, and the roles
 * are exchanged:
 *
 *     guest  CALL MORE* (DATA in | EOF in | CREDIT out/err | SIGNAL | RESIZE)*  [CLOSE]
 *     host   OPENED (DATA out/err | EOF out/err | CREDIT in)* EXIT  or just FAILED
 *
 * A call's payload and its MORE are at most WIRE_CALL_MAX bytes.
 *
 * Flow control. Each channel of each stream starts with WIRE_WINDOW bytes of credit for its sender.
 * DATA consumes its payload's size; the receiver returns it with CREDIT once it has passed the
 * bytes on. DATA beyond the credit is a protocol error. Other frames need no credit, so a stalled
 * stream never blocks another, and each side buffers at most WIRE_WINDOW bytes per channel.
 *
 * Versions. The two sides may be of different versions of berth: a keeper outlives an upgrade, and
 * its guest may boot another initramfs. So CONFIG and HELLO begin with the sender's WIRE_VERSION in
 * all versions; from a peer of another version nothing else is read. The host ends the machine with
 * an error that names the older side; the guest powers off before it mounts the disk.
 *
 * Input is untrusted: a frame that violates the grammar is -EPROTO and ends the connection (a bad
 * payload ends only the session).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Increment it with each incompatible change; if it affects a session's frames, which `berth` reads
 * and writes, also the version in instance/control/hello.h. */
#define WIRE_VERSION       7u
#define WIRE_PORT_NAME     "org.berth.agent"
#define WIRE_SHARE_NAME    "org.berth.share" /* the port of the shares; it carries FUSE's messages */
#define WIRE_HEADER_SIZE   12u
#define WIRE_PAYLOAD_MAX   65536u
#define WIRE_OPEN_MAX      8388608u    /* OPEN and its MORE; Linux accepts at most 6 MiB */
#define WIRE_CALL_MAX      2097152u    /* CALL and its MORE */
#define WIRE_DATA_MAX      32768u      /* per frame, so that streams alternate */
#define WIRE_WINDOW        262144u     /* initial credit of a channel, bytes */
#define WIRE_SEARCH_MAX    1024u       /* bytes of NAMES' search */
#define WIRE_NAMES_MAX     32768u      /* bytes of its hosts */
#define WIRE_LISTENERS_MAX 1024u       /* in one LISTENERS frame; the rest are its others */
#define WIRE_WATCHED_MAX   4096u       /* in one WATCHED frame */
#define WIRE_OTHERS_MAX    6144u       /* others in one frame */
#define WIRE_GUEST_STREAM  0x80000000u /* set in the stream numbers that the guest chooses */

/* With the agent's own program as argv[0], OPEN's argv[1] is one of its commands. An older agent
 * does not know them and exits with a status that is none of theirs. */
#define WIRE_GUEST_PROGRAM    "/proc/self/exe"
#define WIRE_GUEST_WHOAMI     "--whoami" /* print the name of the session's user */
#define WIRE_GUEST_COPY       "--copy"   /* cmd/berth-guest/copy/copy.h: an end of `berth cp` */
#define WIRE_GUEST_FILE       "--file" /* cmd/berth-guest/copy/file.h: a part of a file, or a new one */
#define WIRE_GUEST_MOUNT      "--mount" /* cmd/berth-guest/mount/mount.h: the files of a mount */
#define WIRE_GUEST_SSH_CHECK  "--ssh-check"  /* USER: 0, or a WireSshStatus */
#define WIRE_GUEST_SSH_UNPACK "--ssh-unpack" /* the ssh server to lend is on standard input */
#define WIRE_GUEST_SSH_SERVE  "--ssh-serve"  /* USER: be the ssh server for one connection */

/* The environment of the last one. */
#define WIRE_SSH_HOST_KEY     "BERTH_SSH_HOST_KEY"     /* private, as OpenSSH writes it */
#define WIRE_SSH_DROPBEAR_KEY "BERTH_SSH_DROPBEAR_KEY" /* the same as dropbear has it, in hex */
#define WIRE_SSH_CLIENT_KEY   "BERTH_SSH_CLIENT_KEY"   /* public: a line of authorized_keys */
#define WIRE_SSH_OFFERED      "BERTH_SSH_OFFERED" /* lines, as OPEN's offered; it may be missing */

typedef enum {
    /* stream 0, host to guest */
    WIRE_CONFIG = 1, /* version:u32 hostname:string user:string address:string ("10.0.2.15/24")
                        gateway:string nameserver:string mtu:u32 realtime_nsec:u64 zone:string
                        (an Olson name or "") identity:string (cmd/berth-guest/boot/renew.h, or "")
                        flags:u32 (WireConfigFlags) account:string account_uid:u32
                        (cmd/berth-guest/distro/account.h, or "" and 0)
                        address6:string ("fd00::15/64", or "") gateway6:string (or "");
                        the first frame, sent before the guest asks. Again, from a host that has
                        taken a suspended guest over (the former one sent nothing after FREEZE):
                        the guest hangs up all streams, forgets what the former host asked for,
                        and says HELLO, READY, BOOTED and LISTENERS anew. It stays frozen */
    WIRE_POWER = 2,  /* action:u8 (WirePower); the guest begins to power off or reboot */
    WIRE_GROW = 3,   /* size:u64 bytes; the disk is being resized to this: grow the root file system
                        to it. One at a time */
    WIRE_CLOCK = 4,  /* realtime_nsec:u64 zone:string; the host's clock and time zone (or ""), sent
                        after a step, a suspend or a change of the zone */
    WIRE_ROUTE = 5,  /* gateway6:string; the host gained, or lost (""), its IPv6 route */
    WIRE_NAMES = 6,  /* search:string (domains with blanks between) hosts:string (lines "ADDRESS
                        NAME..."); the host's names. After CONFIG, and on changes */
    WIRE_SHARES = 8, /* paths:list, of each directory that the guest sees: the host's, the guest's;
                        the answer to SHARE, and on changes */
    WIRE_FREEZE = 9, /* no payload; write the file systems to the disk, freeze all processes of
                        the distro, and send berth-share nothing, until THAW: the machine is to be
                        suspended */
    WIRE_THAW = 10,  /* no payload; let them continue. After a wake CLOCK comes before it */
    WIRE_RELEASE =
        11,           /* no payload; send berth-share requests again, but let no process continue */
    WIRE_UNSHARE = 7, /* no payload; the shares will not be served any more */
    WIRE_SWAP = 15,   /* size:u64 bytes; add compressed swap in memory (zram). Once, right after the
                         first NAMES */
    WIRE_MEASURE = 12, /* no payload; say how much of memory and disk is used */
    WIRE_RECLAIM = 14, /* urgent:u8 (0, 1); give memory that the distro does not need back to the
                          host, unless it is busy; if urgent in any case, and more. One at a time */

    /* stream 0, guest to host */
    WIRE_HELLO = 16, /* version:u32 kernel:string (uname -r); the guest's first frame */
    WIRE_STAGE = 17, /* name:string boottime_usec:u64 problem:string ("" on success) */
    WIRE_READY = 18, /* init:string ("systemd", "berth", ...) init_timeout_msec:u32 (the distro's
                        limit for waiting for BOOTED, or 0); sessions are accepted */
    WIRE_BOOTED =
        19, /* status:string ("running", "degraded", ...); the init has finished starting */
    WIRE_LISTENERS = 20, /* count:u32 listener* others:u32 service*; all listening sockets now, on
                            every change; others are those beyond the limit: not forwarded */
    WIRE_GROWN = 21,     /* problem:string ("" on success); the answer to GROW */
    WIRE_FROZEN = 24,    /* problem:string ("" on success); the answer to FREEZE, unless THAW came
                            before. After a success the guest sends nothing until the host does */
    WIRE_DUE = 25, /* realtime_sec:u64 lead_sec:u32 hold_sec:u32 name:string; before FROZEN: the
                      distro wants to do @name then. It must be awake so long before, and may
                      begin so long after it. Not sent if nothing is due */
    WIRE_MEASURED = 26,  /* memory:u64 available:u64 disk:u64 disk_used:u64, bytes, of what the
                            kernel manages and of the root file system; the answer to MEASURE */
    WIRE_WATCHED = 28,   /* count:u32 watch*, each node:u64 mask:u32; before FROZEN: files of the
                            shares that processes of the distro watch, by FUSE's number, and
                            inotify's events. In frames of at most WIRE_WATCHED_MAX */
    WIRE_RECLAIMED = 27, /* busy:u8 (1: nothing was done) taken:u64 bytes  refaulted:u64 bytes of
                            the page cache that were taken before and read again since; the answer
                            to RECLAIM */
    WIRE_SHARE = 23,     /* uid:u32 gid:u32 (of the default user, to whom the host user's files
                            belong) root:string (where the shares are mounted); the port of the
                            shares is open and empty: a server may connect */
    WIRE_NOTE = 22,      /* text:string; a notice about the start */

    /* a session's stream, host to guest */
    WIRE_OPEN = 32,   /* flags:u32 (WireOpenFlags) user:string ("" default) cwd:string ("" home)
                         rows:u16 columns:u16 argv:list ([] the user's shell) environment:list
                         offered:list (the client's terminal and locale: each is set if the distro
                         supports it) */
    WIRE_SIGNAL = 33, /* number:u32, Linux's. With WIRE_OPEN_ANSWERS the guest returns it once it is
                         delivered, and sends the number 0 once after OPENED */
    WIRE_RESIZE = 34, /* rows:u16 columns:u16 */
    WIRE_CLOSE = 35,  /* no payload; the client has disconnected */
    WIRE_CONNECT = 36, /* path:string, absolute, of a stream socket */
    WIRE_MORE = 37,    /* bytes; the continued payload of OPEN */

    /* a session's stream, guest to host */
    WIRE_OPENED =
        40, /* pid:u32 in the guest, 0 for CONNECT  warning:string (a line for the user, or "") */
    WIRE_FAILED = 41, /* status:u8 (125, 126, 127, WIRE_FAILED_TOO_LONG) message:string */
    WIRE_TAKEN = 43,  /* bytes:u64 of DATA in that the command has read, if its input is a pipe and
                         the number is known; before EXIT, with WIRE_OPEN_ANSWERS */
    WIRE_EXIT = 42,   /* kind:u8 (WireExit) code:u8 exit status or signal number */

    /* a call's stream, guest to host */
    WIRE_CALL = 44, /* flags:u32 (WireOpenFlags: TTY, PIPE_*, COOKED, MORE) service:u8 (WireService)
                       cwd:string (in the guest) rows:u16 columns:u16 term:string argv:list */

    /* a session's stream, both ways */
    WIRE_DATA = 48,   /* bytes of the stream channel */
    WIRE_EOF = 49,    /* no payload; the end of DATA on this channel */
    WIRE_CREDIT = 50, /* bytes:u32 more may be sent on this channel */
} WireType;

typedef enum { WIRE_STDIN, WIRE_STDOUT, WIRE_STDERR, WIRE_CHANNELS } WireChannel;
typedef enum { WIRE_POWER_OFF, WIRE_POWER_REBOOT } WirePower;
typedef enum { WIRE_EXITED, WIRE_SIGNALED } WireExit;

/* What a call is for. */
typedef enum {
    WIRE_SERVICE_COMMAND,   /* run argv */
    WIRE_SERVICE_URL,       /* open the URL that is argv's only word */
    WIRE_SERVICE_COPY,      /* put the input on the clipboard; argv is any word */
    WIRE_SERVICE_PASTE,     /* the clipboard is the output; argv is any word */
    WIRE_SERVICE_SSH_AGENT, /* in and out are a connection to the user's ssh agent; no argv */
    WIRE_SERVICE_GPG_AGENT, /* the same, to the restricted socket of the user's gpg agent */
    WIRE_SERVICES,
} WireService;

typedef enum {
    WIRE_SSH_NO_SERVER = 10, /* the distro has none, and none was lent yet */
    WIRE_SSH_NO_USER = 11,
} WireSshStatus;

#define WIRE_FAILED_TOO_LONG 7 /* E2BIG of execve */

typedef enum {
    WIRE_CONFIG_RESCUE = 1 << 0, /* change and run nothing of the distro */
    WIRE_CONFIG_OOBE = 1 << 1,   /* run the distro's own first-run command */
    WIRE_CONFIG_SHARES = 1 << 2, /* the host shares directories, none at first perhaps */
} WireConfigFlags;

typedef enum {
    WIRE_OPEN_TTY = 1 << 0,        /* a pseudo-terminal for the streams that are not pipes */
    WIRE_OPEN_LOGIN = 1 << 1,      /* start the shell as a login shell */
    WIRE_OPEN_SHELL = 1 << 2,      /* argv is a line for the user's shell (-c) and its $0, $1 ... */
    WIRE_OPEN_BARE = 1 << 3,       /* no login session; works in any state of the distro */
    WIRE_OPEN_PIPE_STDIN = 1 << 4, /* with a terminal: this stream is a pipe nevertheless */
    WIRE_OPEN_PIPE_STDOUT = 1 << 5,
    WIRE_OPEN_PIPE_STDERR = 1 << 6,
    WIRE_OPEN_COOKED = 1 << 7,  /* the client's own terminal edits lines: no echo, no returns */
    WIRE_OPEN_MORE = 1 << 8,    /* MORE frames follow */
    WIRE_OPEN_ANSWERS = 1 << 9, /* the guest reports delivered signals and consumed input */
} WireOpenFlags;

/* A byte queue: append at the end, consume at the front. Zero-initialise; wire_buffer_clear frees.
 * If an append runs out of memory it sets `failed`, and later calls do nothing. */
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
/* Reserve @size bytes at the end; fill them, then call wire_buffer_added. NULL: out of memory. */
uint8_t *wire_buffer_reserve(WireBuffer *buffer, size_t size);
void wire_buffer_added(WireBuffer *buffer, size_t size);
void wire_buffer_consume(WireBuffer *buffer, size_t size);
void wire_buffer_clear(WireBuffer *buffer);

/* A frame in a buffer; payload is borrowed until the buffer changes. */
typedef struct {
    uint8_t type;
    uint8_t channel;
    uint32_t stream;
    const uint8_t *payload;
    uint32_t size; /* of payload, bytes */
} WireFrame;

/* Parse the first frame of @buffer. 1: @ret_frame is set; consume WIRE_HEADER_SIZE + size after
 * use. 0: incomplete. -EPROTO: invalid. */
int wire_frame_peek(const WireBuffer *buffer, WireFrame *ret_frame);

/* Append a frame with the given payload. */
void wire_frame_put(WireBuffer *buffer, WireType type, uint8_t channel, uint32_t stream,
                    const void *payload, size_t size);

/* Append @payload, of any size, as a frame of @type and as many MORE as needed. */
void wire_frames_put(WireBuffer *buffer, WireType type, uint32_t stream, const void *payload,
                     size_t size);

/* Append a frame field by field: begin, put fields, end. When the payload exceeds the maximum, end
 * rolls the whole frame back and returns false; the buffer stays well-formed. Only frames with
 * strings of unknown length can fail: truncate those with wire_put_text, or check the result. */
size_t wire_frame_begin(WireBuffer *buffer, WireType type, uint8_t channel, uint32_t stream);
void wire_put_u8(WireBuffer *buffer, uint8_t value);
void wire_put_u16(WireBuffer *buffer, uint16_t value);
void wire_put_u32(WireBuffer *buffer, uint32_t value);
void wire_put_u64(WireBuffer *buffer, uint64_t value);
void wire_put_string(WireBuffer *buffer, const char *text); /* NULL is "" */
/* Truncates to @max bytes at a UTF-8 character boundary. For text for people. */
void wire_put_text(WireBuffer *buffer, const char *text, size_t max);
void wire_put_list(WireBuffer *buffer,
                   const char *const *strings); /* NULL-terminated; NULL is [] */
bool wire_frame_end(WireBuffer *buffer, size_t begin);

/* Reads a payload's fields in order. The first missing or malformed field sets `failed`, after
 * which every get returns 0, "" or an empty list: check once, at the end, with wire_reader_done. */
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
/* Whether all gets succeeded and the payload is used up. */
bool wire_reader_done(const WireReader *reader);

/* The name of a type for messages, or "?". */
const char *wire_type_name(uint8_t type);

typedef struct {
    uint8_t family;   /* 4 or 6 */
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint16_t port;
    uint8_t address[16];
    const char *owner; /* borrowed */
    uint16_t relay;    /* port of its loopback proxy on 10.0.2.14 and prefix::14; or 0 */
    uint16_t problem;  /* errno why it has no proxy although it needs one; or 0 */
} WireListener;

void wire_put_listener(WireBuffer *buffer, const WireListener *listener);
/* False if it is malformed; the reader has failed then. */
bool wire_get_listener(WireReader *reader, WireListener *ret_listener);

/* Credit of one channel, from the sender's or the receiver's side. */
typedef struct {
    uint32_t available; /* sender: may still send; receiver: the peer may still send */
    uint32_t owed;      /* receiver: passed on since the last CREDIT */
} WireCredit;

#define WIRE_CREDIT_INIT                                                                           \
    {                                                                                              \
        WIRE_WINDOW, 0                                                                             \
    }

/* Spend @size bytes; false, with nothing spent, if less is available. */
bool wire_credit_spend(WireCredit *credit, uint32_t size);
/* Sender: CREDIT was received. False if it would exceed the window, an error of the peer. */
bool wire_credit_grant(WireCredit *credit, uint32_t size);
/* Receiver: @size bytes were passed on. Returns the bytes to put in a CREDIT frame now, or 0 while
 * less than half a window is owed, to send few CREDIT frames. */
uint32_t wire_credit_return(WireCredit *credit, uint32_t size);
