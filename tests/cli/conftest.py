"""The built `berth` in a home of its own, started as a user would start it."""
import contextlib
import fcntl
import io
import json
import os
import pty
import re
import select
import shlex
import shutil
import struct
import subprocess
import tarfile
import tempfile
import termios
from pathlib import Path

import left_over
import pytest
from temporary import pytest_runtest_makereport, tmp_path  # noqa: F401, what it adds to pytest
from waiting import LIMIT, wait_for

BUILD = Path(os.environ["BERTH_TEST_BUILD"])
SOURCE = Path(__file__).resolve().parents[2]
GOLDEN = SOURCE / "tests" / "golden" / "cli"
USERS_PATH = os.environ["PATH"]
os.environ["PATH"] += ":/usr/sbin"  # the tests' own e2fsck and debugfs; berth has to find them by itself


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Three workers on two processors: more than a third of the time a test waits for the disk, or for a limit of
    berth's to pass. tests/run asks for more where few suites run beside it.
    """
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS", len(os.sched_getaffinity(0)) * 3 // 2))


class Result:
    """The output and the exit status of a command."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.out!r}\nstderr: {self.err!r}"

    @property
    def code(self):
        """The stable id of the error."""
        found = re.search(r"^code: (\S+)$", self.err, re.M)
        return found and found.group(1)

    @property
    def hint(self):
        found = re.search(r"^hint: (.+)$", self.err, re.M)
        return found and found.group(1)

    def failed(self, status, code, *words, hint=True):
        """Assert how a failure looks: nothing on stdout, one line, a code, a hint unless tests/hints.txt has the id."""
        lines = self.err.splitlines()
        assert self.status == status, self
        assert self.out == "", self
        assert self.code == code, self
        assert lines[0].startswith("berth: "), self
        assert not lines[0].endswith("."), self
        assert len(lines) == 2 + bool(self.hint), self
        assert self.hint or not hint, self
        for word in words:
            assert word in lines[0], self
        return self

    def ok(self):
        assert self.status == 0, self
        assert self.err == "", self
        return self.out


class Home:
    """A user's home, empty at first, and the berth that runs in it."""

    def __init__(self, path, runtime):
        self.path = path
        self.data = path / ".local/share/berth"
        self.config = path / ".config/berth/berth.conf"
        self.runtime = runtime / "berth"
        self.bin = path / "bin"
        self.bin.mkdir()
        self.program = BUILD / "cmd/berth"
        self.support = self.make_support()
        self.qemu_log = path / "qemu.log"
        self.make_emulator(self.bin, FAKE_QEMU_GUEST=BUILD / "cmd/berth-guest", FAKE_QEMU_LOG=self.qemu_log)
        self.environment = {
            "HOME": str(path),
            "XDG_RUNTIME_DIR": str(runtime),
            "PATH": f"{self.bin}:{USERS_PATH}",
            "LC_ALL": "C.UTF-8",
            "BERTH_ACCEL": "tcg",
            "BERTH_IDLE": "never",  # no test is to depend on how long it takes; test_idle.py removes it
            "BERTH_PARK_AFTER": "0",  # nor on how much memory this host has left; test_park.py removes it
            "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere",  # nor on this host's sleep; test_host_sleep.py has its own
            "BERTH_SUPPORT_DIR": str(self.support),
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def make_support(self):
        """A support directory of our own, so that what is in it can be taken away."""
        support = self.path / "support"
        support.mkdir()
        for name in ("berth-checkpoint", "berth-fetch", "berth-guest", "berth-image", "berth-keeper", "berth-mcp", "berth-mount", "berth-net", "berth-share"):
            (support / name).symlink_to(BUILD / "cmd" / name)
        (support / "templates").symlink_to(SOURCE / "templates")
        for name in ("vmlinux", "initramfs.cpio"):
            (support / name).write_text("fake-qemu does not look\n")
        return support

    @staticmethod
    def make_emulator(directory, **settings):
        """A QEMU in @directory: the fake one with @settings, which a keeper would not pass on to it."""
        lines = [f"export {name}={shlex.quote(str(value))}\n" for name, value in settings.items()]
        emulator = directory / "qemu-system-x86_64"
        emulator.write_text("".join(["#!/bin/sh\n", *lines, f'exec {SOURCE}/tests/lib/fake-qemu "$@"\n']))
        emulator.chmod(0o755)

    def fake_qemu(self, environment):
        """@environment with its FAKE_QEMU_ variables made an emulator that comes first in PATH."""
        settings = {name: environment.pop(name) for name in sorted(environment) if name.startswith("FAKE_QEMU_")}
        if settings:
            directory = self.path / "emulators" / re.sub(r"\W", "-", str(settings))
            if not directory.exists():
                directory.mkdir(parents=True)
                self.make_emulator(directory, **{"FAKE_QEMU_GUEST": BUILD / "cmd/berth-guest",
                                                 "FAKE_QEMU_LOG": self.qemu_log, **settings})
            environment["PATH"] = f"{directory}:{environment['PATH']}"
        return environment

    def start(self, *arguments, env=None, **options):
        """A process that runs berth, or @program."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        program = options.pop("program", self.program)
        return subprocess.Popen([program, *map(str, arguments)],
                                env=self.fake_qemu({**self.environment, **(env or {})}), **options)

    def finish(self, process, data=None, timeout=LIMIT):
        out, err = process.communicate(data, timeout=timeout)
        return Result(process.returncode, (out or b"").decode(), (err or b"").decode())

    def __call__(self, *arguments, data=None, timeout=LIMIT, **options):
        if data is not None:
            options["stdin"] = subprocess.PIPE
        return self.finish(self.start(*arguments, **options), data, timeout)

    def faulty(self, program, at, number):
        """The environment in which @program's write number @at fails with @number; 0 kills it, -1 stops it there."""
        return {**self.environment, "LD_PRELOAD": str(BUILD / "tests/cli/fault.so"),
                "BERTH_FAULT_PROGRAM": program, "BERTH_FAULT_AT": str(at),
                "BERTH_FAULT_ERROR": str(int(number)),
                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}

    def configure(self, text):
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)

    def names(self):
        return self("list", "-q").ok().split()

    def info(self, name):
        """What `berth list --json` says about a distro."""
        return next(distro for distro in self.json_list() if distro["name"] == name)

    def json_list(self):
        """What `berth list --json` says about every distro."""
        return json.loads(self("list", "--json").ok())["distros"]

    def qemus(self, probe=False):
        """Every start of QEMU so far: those of machines, or those that only probed."""
        lines = self.qemu_log.read_text().splitlines() if self.qemu_log.exists() else []
        return [start for start in map(json.loads, lines) if start["probe"] == probe]

    def left_over(self):
        """Files of imports that are left on the disk, beside those of registered distros."""
        found = []
        for name in ("distros", "claims"):
            directory = self.data / name
            found += [p for p in directory.glob("*")] if directory.exists() else []
        return [p for p in found if p.name not in self.ids() and p.name != ".lock"]

    def ids(self):
        return [d["id"] for d in json.loads(self("list", "--json").ok())["distros"]]


@pytest.fixture
def berth(tmp_path):
    runtime = Path(tempfile.mkdtemp(prefix="berth-cli-", dir="/tmp"))  # short: it holds sockets
    home = Home(tmp_path, runtime)
    try:
        yield home
        home("shutdown", "--force")
    finally:
        left_over.end(tmp_path, runtime)
        shutil.rmtree(runtime, ignore_errors=True)


def tar_bytes(files=None, mode="w"):
    """A small root file system; @files: further (name, bytes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name in ("bin", "etc", "root", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o755
            archive.addfile(entry)
        contents = {"bin/sh": b"#!/bin/true\n", "etc/os-release": b"ID=test\n", **(files or {})}
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def rootfs(tmp_path):
    path = tmp_path / "rootfs.tar"
    path.write_bytes(tar_bytes())
    return path


@pytest.fixture
def box(berth, rootfs):
    """A berth with one distro, called box."""
    berth("import", "box", rootfs).ok()
    return berth


def check_golden(name, text):
    """Compare with tests/golden/cli/NAME, or rewrite it with BERTH_TEST_UPDATE=1."""
    path = GOLDEN / name
    if os.environ.get("BERTH_TEST_UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def net_of(keeper):
    """The pid of the keeper's berth-net, or None."""
    for pid in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if "berth-net" in Path(f"/proc/{pid}/comm").read_text():
                return int(pid)
    return None


class Terminal:
    """A terminal of ours with berth on it."""

    def __init__(self, home, *arguments, rows=24, columns=80, term="vt220", **streams):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        streams = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, **streams}
        self.process = home.start(*arguments, env={"TERM": term}, start_new_session=True,
                                  preexec_fn=self.adopt, **streams)

    def adopt(self):
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text):
        def more():
            if select.select([self.master], [], [], 0)[0]:
                self.seen += os.read(self.master, 4096)
            return text in self.seen
        wait_for(more)
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def type(self, text):
        os.write(self.master, text)

    def is_raw(self):
        """A shell's line editor, which leaves the signals of keys on, does not count."""
        return termios.tcgetattr(self.slave)[3] & (termios.ISIG | termios.ICANON | termios.ECHO) == 0

    def end(self, status):
        assert self.process.wait(timeout=LIMIT) == status
        assert termios.tcgetattr(self.slave) == self.before  # as it was

    def rest(self):
        """All that was written and not expected, once the process has ended: the kernel hands it over in its own time."""
        os.close(self.slave)
        self.slave = None
        with contextlib.suppress(OSError):  # EIO: there is no more
            while data := os.read(self.master, 4096):
                self.seen += data
        return self.seen

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        if self.slave is not None:
            os.close(self.slave)


@pytest.fixture
def on_terminal(box):
    opened = []

    def open_one(*arguments, **options):
        opened.append(Terminal(box, *arguments, **options))
        return opened[-1]

    box("start").ok()
    yield open_one
    for terminal in opened:
        terminal.close()
