"""berth-share and the guest's carrier on this host: its kernel plays the guest's. tests/share/run-in-namespace
gives the mount namespace."""
import ctypes
import os
import resource
import socket
import subprocess
from pathlib import Path

import pytest

LIBC = ctypes.CDLL(None, use_errno=True)
NOSUID_NODEV, DETACH = 6, 2
PORT, BEGUN = 3, 4  # berth-share's
BUILD = Path(os.environ["BERTH_TEST_BUILD"]) / "cmd"
# the guest user's; neither is this process's, so that a mix-up shows
UID, GID = 1234, 2345


class Server:
    """A berth-share with @roots, (mode, source, path) each, and our end of its port."""

    def __init__(self, roots, uid=UID, gid=GID, largest=resource.RLIM_INFINITY, pair=None):
        ours, theirs = pair or socket.socketpair()
        nothing = os.open(os.devnull, os.O_WRONLY)
        words = [str(word) for root in roots for word in root]
        def give_port():
            os.dup2(theirs.fileno(), PORT)
            os.dup2(nothing, BEGUN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        self.process = subprocess.Popen([BUILD / "berth-share", str(uid), str(gid), *words], pass_fds=[PORT, BEGUN],
                                        preexec_fn=give_port, stderr=subprocess.PIPE, text=True)
        theirs.close()
        os.close(nothing)
        self.port = ours

    def end(self):
        self.port.close()
        self.process.kill()
        self.process.communicate()


class Mounted:
    """The same, mounted at @directory by this kernel, with a carrier between."""

    def __init__(self, directory, roots, **ids):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        fuse = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=131072"
        if LIBC.mount(b"berth", bytes(directory), b"fuse.berth", NOSUID_NODEV, options.encode()) < 0:
            raise OSError(ctypes.get_errno(), "mount")
        self.ids = ids
        self.server = Server(roots, **ids)
        port = self.server.port.fileno()
        self.next = socket.socket(socket.AF_UNIX)
        self.next.bind("")  # a name that is nobody else's
        self.next.listen()
        self.carrier = subprocess.Popen(
            [BUILD / "berth-guest", "--carry", str(fuse), str(port), str(self.next.fileno())],
            pass_fds=[fuse, port, self.next.fileno()])
        os.close(fuse)

    def replace(self, *roots):
        """End the server, and give the carrier one with other @roots, as the keeper does. The new one starts first: a
        child of this process closes its files in @directory, for which there must be a server."""
        former, theirs = self.server, socket.socket(socket.AF_UNIX)
        theirs.connect(self.next.getsockname())
        self.server = Server(roots, pair=(socket.socket(), theirs), **self.ids)
        former.end()

    def end(self):
        LIBC.umount2(bytes(self.directory), DETACH)
        self.carrier.kill()
        self.carrier.wait()
        self.next.close()
        self.server.end()


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
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{what} never came true"
        os.sched_yield()
