# SPDX-License-Identifier: MIT
"""The host-guest protocol, written a second time from lib/wire/wire.h alone.

Frames, fields, credit, and a Host that speaks to an agent over a socket: enough to ask any question
of it and to check every byte of the answer. Nothing here shares code with the C side.
"""

import collections
import selectors
import socket
import struct
import time

from waiting import LIMIT

VERSION = 7
HEADER = struct.Struct("<IBBHI")
PAYLOAD_MAX = 65536
OPEN_MAX = 8388608
DATA_MAX = 32768
WINDOW = 262144

CONFIG, POWER, GROW, CLOCK = 1, 2, 3, 4
FREEZE, THAW, RELEASE, MEASURE, RECLAIM = 9, 10, 11, 12, 14
HELLO, STAGE, READY, BOOTED, LISTENERS, GROWN, NOTE, SHARE = 16, 17, 18, 19, 20, 21, 22, 23
FROZEN, DUE, MEASURED, RECLAIMED, WATCHED = 24, 25, 26, 27, 28
OPEN, SIGNAL, RESIZE, CLOSE, CONNECT, MORE = 32, 33, 34, 35, 36, 37
OPENED, FAILED, EXIT, TAKEN = 40, 41, 42, 43
DATA, EOF, CREDIT = 48, 49, 50
STDIN, STDOUT, STDERR = 0, 1, 2
POWER_OFF, POWER_REBOOT = 0, 1
EXITED, SIGNALED = 0, 1
TTY, LOGIN, SHELL, BARE = 1, 2, 4, 8
PIPE_STDIN, PIPE_STDOUT, PIPE_STDERR, COOKED, MORE_FOLLOW, ANSWERS = 16, 32, 64, 128, 256, 512
TOO_LONG = 7  # status of FAILED

Frame = collections.namedtuple("Frame", "type channel stream payload")
Listener = collections.namedtuple("Listener", "family protocol port address owner relay problem")


class ProtocolError(Exception):
    pass


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<I", len(raw)) + raw + b"\0"


def strings(items):
    return struct.pack("<I", len(items)) + b"".join(string(item) for item in items)


def frame(type_, payload=b"", stream=0, channel=0):
    return HEADER.pack(len(payload), type_, channel, 0, stream) + payload


def frames(type_, payload, stream):
    """Build a payload of any size: one frame of the type, then MORE frames, the last one not full."""
    parts = [payload[at:at + PAYLOAD_MAX] for at in range(0, len(payload) + 1, PAYLOAD_MAX)]
    return [frame(MORE if n else type_, part, stream) for n, part in enumerate(parts)]


def open_payload(*argv, flags=0, user="", cwd="", rows=24, columns=80, env=(), offered=()):
    return (struct.pack("<I", flags) + string(user) + string(cwd) + struct.pack("<HH", rows, columns)
            + strings(argv) + strings(env) + strings(offered))


class Fields:
    """Reads the fields of a payload in order."""

    def __init__(self, payload):
        self.rest = payload

    def read(self, size):
        if len(self.rest) < size:
            raise ProtocolError("payload too short")
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def number(self, code):
        return struct.unpack("<" + code, self.read(struct.calcsize("<" + code)))[0]

    def string(self):
        raw = self.read(self.number("I") + 1)
        if raw[-1:] != b"\0" or b"\0" in raw[:-1]:
            raise ProtocolError("malformed string")
        return raw[:-1].decode()

    def listener(self):
        family, protocol, port = self.number("B"), self.number("B"), self.number("H")
        raw = self.read(16)
        address = (socket.inet_ntop(socket.AF_INET, raw[:4]) if family == 4
                   else socket.inet_ntop(socket.AF_INET6, raw))
        return Listener(family, protocol, port, address, self.string(), self.number("H"), self.number("H"))

    def end(self):
        if self.rest:
            raise ProtocolError("payload too long")


def config(hostname="guest", user="", address="10.0.2.15/24", gateway="10.0.2.2",
           nameserver="10.0.2.3", mtu=1500, realtime_nsec=None, zone="", identity="",
           flags=0, account="", account_uid=0, address6="", gateway6=""):
    realtime_nsec = time.time_ns() if realtime_nsec is None else realtime_nsec
    return frame(CONFIG, struct.pack("<I", VERSION) + string(hostname) + string(user)
                 + string(address) + string(gateway) + string(nameserver)
                 + struct.pack("<IQ", mtu, realtime_nsec) + string(zone) + string(identity)
                 + struct.pack("<I", flags) + string(account) + struct.pack("<I", account_uid)
                 + string(address6) + string(gateway6))


class Session:
    """The host's end of one stream."""

    def __init__(self, host, stream, hold, flags=0):
        only_input = TTY | PIPE_STDOUT | PIPE_STDERR
        self.on_stdin = flags & (only_input | PIPE_STDIN) == only_input
        self.host = host
        self.stream = stream
        self.hold = hold  # channels that get no credit back
        self.output = {STDIN: bytearray(), STDOUT: bytearray(), STDERR: bytearray()}
        self.eof = set()
        self.pid = None
        self.warning = None
        self.exit = None            # (kind, code)
        self.failed = None          # (status, message)
        self.credit = WINDOW  # for stdin
        self.granted = {STDIN: WINDOW, STDOUT: WINDOW, STDERR: WINDOW}
        self.waiting = bytearray()  # for stdin, beyond the credit
        self.waiting_eof = False
        self.answers = []  # acknowledged signal numbers
        self.taken = None  # input bytes that the command has read
        self.wants_answers = bool(flags & ANSWERS)
        self.sink = None  # called with (channel, bytes) instead of storing them

    @property
    def over(self):
        return self.exit is not None or self.failed is not None

    def send(self, type_, payload=b"", channel=0):
        self.host.queue(frame(type_, payload, self.stream, channel))

    def write(self, data):
        self.waiting += data
        self.pump()

    def close_input(self):
        self.waiting_eof = True
        self.pump()

    def pump(self):
        while self.waiting and self.credit and not self.over:
            size = min(len(self.waiting), self.credit, DATA_MAX)
            self.send(DATA, bytes(self.waiting[:size]), STDIN)
            del self.waiting[:size]
            self.credit -= size
        if self.waiting_eof and not self.waiting and not self.over:
            self.send(EOF, b"", STDIN)
            self.waiting_eof = False

    def signal(self, number):
        self.send(SIGNAL, struct.pack("<I", number))

    def resize(self, rows, columns):
        self.send(RESIZE, struct.pack("<HH", rows, columns))

    def close_output(self, channel):
        """Close the reader of @channel."""
        self.send(EOF, b"", channel)

    def close(self):
        self.send(CLOSE)

    def grant(self, channel, size):
        self.granted[channel] += size
        self.send(CREDIT, struct.pack("<I", size), channel)

    def handle(self, got):
        if self.over:
            raise ProtocolError(f"frame {got.type} after the end of stream {self.stream}")
        fields = Fields(got.payload)
        if got.type == OPENED:
            self.pid, self.warning = fields.number("I"), fields.string()
        elif got.type == FAILED:
            if self.pid is not None:
                raise ProtocolError("FAILED after OPENED")
            self.failed = (fields.number("B"), fields.string())
        elif got.type == DATA:
            self.handle_data(got.channel, got.payload)
            return
        elif got.type == EOF:
            if got.channel in self.eof:
                raise ProtocolError("EOF twice")
            self.eof.add(got.channel)
        elif got.type == CREDIT:
            self.credit += fields.number("I")
            if self.credit > WINDOW or got.channel != STDIN:
                raise ProtocolError("credit out of bounds")
            self.pump()
        elif got.type == SIGNAL and self.pid is not None and self.wants_answers:
            self.answers.append(fields.number("I"))
        elif got.type == TAKEN and self.pid is not None and self.wants_answers and self.taken is None:
            self.taken = fields.number("Q")
        elif got.type == EXIT:
            self.exit = (fields.number("B"), fields.number("B"))
        else:
            raise ProtocolError(f"unexpected frame {got.type} on stream {self.stream}")
        fields.end()

    def handle_data(self, channel, data):
        if self.pid is None or channel in self.eof or (channel == STDIN and not self.on_stdin):
            raise ProtocolError("DATA where none may be")
        if len(data) > DATA_MAX:
            raise ProtocolError("DATA too large")
        self.granted[channel] -= len(data)
        if self.granted[channel] < 0:
            raise ProtocolError("DATA without credit")
        if self.sink:
            self.sink(channel, data)
        else:
            self.output[channel] += data
        if channel not in self.hold:
            self.grant(channel, len(data))

    @property
    def stdout(self):
        return bytes(self.output[STDOUT])

    @property
    def screen(self):
        """The terminal's output when only the command's input is a terminal."""
        return bytes(self.output[STDIN])

    @property
    def stderr(self):
        return bytes(self.output[STDERR])


class Host:
    """The host's end of a connection. Every wait has a time limit, and exceeding it is an error."""

    def __init__(self, sock):
        self.sock = sock
        sock.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(sock, selectors.EVENT_READ)
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.sessions = {}
        self.next_stream = 1
        self.machine = []  # frames on stream 0, in order
        self.listeners = None
        self.others = None  # (protocol, port) of listeners beyond the limit
        self.closed = False
        self.paused = False  # do not read

    def queue(self, data):
        self.outbox += data
        self.flush()

    def flush(self):
        try:
            while self.outbox:
                del self.outbox[:self.sock.send(self.outbox[:1 << 18])]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self.outbox.clear()
            self.closed = True

    def open(self, *argv, flags=0, user="", cwd="", rows=24, columns=80, env=(),
             hold=(), offered=()):
        session = Session(self, self.next_stream, set(hold), flags)
        self.sessions[self.next_stream] = session
        self.next_stream += 1
        asked = {"user": user, "cwd": cwd, "rows": rows, "columns": columns, "env": env, "offered": offered}
        payload = open_payload(*argv, flags=flags, **asked)
        if len(payload) <= PAYLOAD_MAX:
            session.send(OPEN, payload)
        else:
            payload = open_payload(*argv, flags=flags | MORE_FOLLOW, **asked)
            self.queue(b"".join(frames(OPEN, payload, session.stream)))
        return session

    def connect(self, path, hold=()):
        relay = Session(self, self.next_stream, set(hold))
        self.sessions[self.next_stream] = relay
        self.next_stream += 1
        relay.send(CONNECT, string(path))
        return relay

    def step(self, timeout):
        events = selectors.EVENT_READ if not self.paused else 0
        if self.outbox:
            events |= selectors.EVENT_WRITE
        if not events:
            time.sleep(min(timeout, 0.01))
            return
        self.selector.modify(self.sock, events)
        for _, ready in self.selector.select(timeout):
            if ready & selectors.EVENT_WRITE:
                self.flush()
            if ready & selectors.EVENT_READ:
                self.receive()

    def receive(self):
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        except BlockingIOError:
            return
        if not data:
            self.closed = True
        self.inbox += data
        while len(self.inbox) >= HEADER.size:
            size, type_, channel, zero, stream = HEADER.unpack_from(self.inbox)
            if size > PAYLOAD_MAX or zero or channel > STDERR:
                raise ProtocolError("malformed frame from the guest")
            if len(self.inbox) < HEADER.size + size:
                break
            payload = bytes(self.inbox[HEADER.size:HEADER.size + size])
            del self.inbox[:HEADER.size + size]
            self.handle(Frame(type_, channel, stream, payload))

    def handle(self, got):
        if got.stream:
            if got.stream not in self.sessions:
                raise ProtocolError(f"frame for stream {got.stream}, which was never opened")
            self.sessions[got.stream].handle(got)
            return
        self.machine.append(got)
        if got.type == LISTENERS:
            fields = Fields(got.payload)
            self.listeners = [fields.listener() for _ in range(fields.number("I"))]
            self.others = [(fields.number("B"), fields.number("H")) for _ in range(fields.number("I"))]
            fields.end()

    def until(self, condition, timeout=LIMIT, what="the condition"):
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{what} did not come in {timeout} s")
            if self.closed:
                raise ConnectionError(f"the guest has gone while waiting for {what}")
            self.step(min(left, 0.1))  # not every condition depends on a frame

    def wait(self, session, timeout=LIMIT):
        self.until(lambda: session.over, timeout, f"the end of stream {session.stream}")
        return session

    def run(self, *argv, stdin=b"", timeout=LIMIT, **options):
        session = self.open(*argv, **options)
        session.write(stdin)
        session.close_input()
        return self.wait(session, timeout)

    def find(self, type_):
        return [got for got in self.machine if got.type == type_]

    def until_machine(self, type_, timeout=LIMIT):
        self.until(lambda: self.find(type_), timeout, f"frame {type_}")
        return Fields(self.find(type_)[-1].payload)

    def power(self, action=POWER_OFF):
        self.queue(frame(POWER, struct.pack("<B", action)))

    def close(self):
        self.closed = True
        self.selector.close()
        self.sock.close()
