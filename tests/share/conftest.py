"""berth-share and the guest's carrier on this host: its kernel plays the guest's. tests/share/run-in-namespace
gives the mount namespace."""
import ctypes
import fcntl
import os
import resource
import socket
import subprocess
from pathlib import Path

import pytest

from waiting import LIMIT

LIBC = ctypes.CDLL(None, use_errno=True)
NOSUID_NODEV, FORCE, DETACH = 6, 1, 2
PORT, REPORTS, LEDGER = 3, 4, 5  # berth-share's
BUILD = Path(os.environ["BERTH_TEST_BUILD"]) / "cmd"
# the guest user's; neither is this process's, so that a mix-up shows
UID, GID = 1234, 2345
DISTRO = "0123456789abcdef"  # its id


def new_ledger():
    """What the servers of one mount share; a number above the servers' own, which dup2 must not close."""
    fd = os.memfd_create("ledger", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(fd)
    return high


class Server:
    """A berth-share with @roots, (mode, source, path) each, and our end of its port."""

    def __init__(self, roots, uid=UID, gid=GID, largest=resource.RLIM_INFINITY, pair=None, ledger=None):
        ours, theirs = pair or socket.socketpair()
        self.pipe, theirs_too = os.pipe()
        own = new_ledger() if ledger is None else os.dup(ledger)
        words = [str(word) for root in roots for word in root]
        def give_port():
            os.dup2(theirs.fileno(), PORT)
            os.dup2(theirs_too, REPORTS)
            os.dup2(own, LEDGER)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        self.process = subprocess.Popen([BUILD / "berth-share", DISTRO, str(uid), str(gid), *words],
                                        pass_fds=[PORT, REPORTS, LEDGER], preexec_fn=give_port, stderr=subprocess.PIPE, text=True)
        theirs.close()
        os.close(theirs_too)
        os.close(own)
        self.port = ours

    def wait_for_report(self, wanted):
        """Read what it reports to its keeper until that is @wanted. [before it]"""
        read = b""
        while not read.endswith(wanted.encode() + b"\0"):
            byte = os.read(self.pipe, 1)
            assert byte, f"it ended after {read}"
            read += byte
        return read.decode().split("\0")[:-2]

    def end(self):
        self.process.kill()
        self.process.communicate()
        os.close(self.pipe)
        self.port.close()


class Carried:
    """A mount at @directory by this kernel, and its carrier; servers connect with join()."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        fuse = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=131072"
        if LIBC.mount(b"berth", bytes(directory), b"fuse.berth", NOSUID_NODEV, options.encode()) < 0:
            raise OSError(ctypes.get_errno(), "mount")
        self.first, port = socket.socketpair()
        self.next = socket.socket(socket.AF_UNIX)
        self.next.bind("")  # a name that is nobody else's
        self.next.listen()
        self.agent, link = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = directory.parent / "carrier.log"
        with open(self.log, "w") as log:
            self.carrier = subprocess.Popen(
                [BUILD / "berth-guest", "--carry", str(fuse), str(port.fileno()), directory, str(self.next.fileno()),
                 str(link.fileno())],
                pass_fds=[fuse, port.fileno(), self.next.fileno(), link.fileno()], stderr=log)
        port.close()
        link.close()
        os.close(fuse)

    def join(self):
        """A server's end of the carrier's port."""
        port, self.first = self.first, None
        if port is None:
            port = socket.socket(socket.AF_UNIX)
            port.connect(self.next.getsockname())
        return port

    def replayer(self):
        """The pid of the process that repeats changes."""
        found = subprocess.run(["pgrep", "-P", str(self.carrier.pid)], capture_output=True, text=True)
        return int(found.stdout)

    def end(self):
        if LIBC.umount2(bytes(self.directory), FORCE | DETACH) < 0:  # a plain user may not force it
            LIBC.umount2(bytes(self.directory), DETACH)
        self.carrier.kill()
        self.carrier.wait()
        self.next.close()
        self.agent.close()


class Mounted(Carried):
    """The same with a berth-share."""

    def __init__(self, directory, roots, **ids):
        super().__init__(directory)
        self.ids = ids
        self.ledger = new_ledger()
        self.server = self.serve(roots)

    def serve(self, roots):
        return Server(roots, pair=(socket.socket(), self.join()), ledger=self.ledger, **self.ids)

    def replace(self, *roots):
        """End the server, and give the carrier one with other @roots, as the keeper does. The new one starts first: a
        child of this process closes its files in @directory, for which there must be a server."""
        former, self.server = self.server, self.serve(roots)
        former.end()

    def end(self):
        super().end()
        self.server.end()
        os.close(self.ledger)


@pytest.fixture
def source(tmp_path):
    """What is shared."""
    path = tmp_path / "source"
    path.mkdir()
    return path


@pytest.fixture
def mounted(tmp_path, source):
    """@source at /home/ann of what is mounted; the shared directory as the guest sees it. Its user is ours."""
    made = Mounted(tmp_path / "mnt", [("rw", source, "/home/ann")], uid=os.getuid(), gid=os.getgid())
    yield made
    made.end()


@pytest.fixture
def share(mounted):
    return mounted.directory / "home/ann"


def wait_until(condition, what="the condition"):
    """Wait for what must come true, however slow the machine is."""
    import time
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        os.sched_yield()
