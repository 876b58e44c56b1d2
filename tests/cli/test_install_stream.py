"""berth install: the import reads the download while it arrives. Whatever ends either leaves no distro and no file."""
import errno
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import tar_bytes, wait_for
from left_over import words_of
from ports import free_port
from waiting import LIMIT
from web_server import Answer, WebServer

BIG = random.Random(12).randbytes(4_000_000)
ARCHIVE = tar_bytes({"usr": BIG})
OTHER = tar_bytes({"usr": BIG[::-1]})
HALF = 2_000_000
REFUSED = Answer(b"gone", 404)


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Place:
    """A home whose list has the distro "toy", and the server that has its archive."""

    def __init__(self, berth, web):
        self.berth, self.web, self.list = berth, web, b'{"ModernDistributions": {}}'
        berth.configure("[berth]\ndisk-size = 64M\ncache-size = 0\n")

    def offer(self, *answers, content=ARCHIVE, sums=True, mirrors=(), url=None):
        """Serve @answers; a template says where, and the digest of @content."""
        templates = self.berth.support / "templates"
        if templates.is_symlink():
            templates.unlink()
        (templates / "distros").mkdir(parents=True, exist_ok=True)
        here = self.web.serve("/toy.tar", *answers)
        (templates / "distros/toy.conf").write_text(
            f"[distro]\nflavour = Toy\nname = toy\ntitle = A toy\nurl = {url or here}\n"
            + (f"sha256 = {digest_of(content)}\n" if sums else "") + (f"mirrors = {';'.join(mirrors)}\n" if mirrors else ""))
        self.berth.configure(f"[berth]\ndisk-size = 64M\ncache-size = 0\ndistro-list = {self.web.serve('/list', self.list)}\n")

    def install(self, **options):
        return self.berth("install", "--no-launch", "toy", **options)

    def start(self, **options):
        return self.berth.start("install", "--no-launch", "toy", **options)

    def workers(self, name):
        """The pids of this home's @name processes."""
        program = str(self.berth.support / name)
        return [int(one.name) for one in Path("/proc").glob("[0-9]*") if words_of(int(one.name))[:1] == [program]]

    def wait_for_no_worker(self):
        """The process that looks up names ends a moment after its berth-fetch."""
        wait_for(lambda: self.workers("berth-image") == self.workers("berth-fetch") == [])

    def imported(self, process):
        """Bytes of the disk so far. The sandboxed worker's descriptors can be read by root alone, those of berth by its user."""
        sizes = [0]
        for number in os.listdir(f"/proc/{process.pid}/fd"):
            path = f"/proc/{process.pid}/fd/{number}"
            try:
                if os.readlink(path).startswith(str(self.berth.data / "distros")):
                    sizes.append(os.stat(path).st_blocks * 512)
            except FileNotFoundError:
                pass
        return max(sizes)

    def registered(self):
        with sqlite3.connect(self.berth.data / "registry.db") as registry:
            return registry.execute("SELECT name FROM distro").fetchall()

    def kept(self):
        return [file.name for file in (self.berth.path / ".cache/berth/downloads").glob("*")]

    def nothing(self, kept=()):
        """No distro, no process, and of files only @kept."""
        assert self.berth.names() == [] and self.berth.left_over() == []
        assert self.kept() == list(kept)
        self.wait_for_no_worker()

    def content(self):
        """The file /usr of the one distro's disk."""
        disk = next(self.berth.data.glob("distros/*/disk.ext4"))
        assert subprocess.run(["e2fsck", "-fn", disk], capture_output=True).returncode == 0
        return subprocess.run(["debugfs", "-R", "cat /usr", disk], capture_output=True, check=True).stdout


@pytest.fixture
def web():
    server = WebServer()
    yield server
    server.stop()


@pytest.fixture
def place(berth, web):
    return Place(berth, web)


# --- at the same time ---

@pytest.mark.parametrize("sums", [True, False], ids=["digest", "no-digest"])
def test_the_import_reads_what_has_arrived(place, sums):
    gate = threading.Event()
    place.offer(Answer(ARCHIVE, cut=HALF, gate=gate), sums=sums)
    process = place.start()
    try:
        wait_for(lambda: place.imported(process) > HALF // 2)
        assert place.registered() == [] and not list(place.berth.data.glob("distros/*/*")) and place.kept() == []
    finally:
        gate.set()
    assert place.berth.finish(process).ok() == 'toy is installed; "berth shell toy" opens a shell in it\n'
    assert place.content() == BIG
    assert place.kept() == ([digest_of(ARCHIVE)] if sums else [])


def test_a_kept_file_is_checked_before_it_is_used_again(place):
    place.offer(ARCHIVE)
    place.install().ok()
    place.berth("unregister", "toy").ok()
    place.install().ok()
    place.berth("unregister", "toy").ok()
    assert place.web.paths().count("/toy.tar") == 1
    kept = place.berth.path / ".cache/berth/downloads" / digest_of(ARCHIVE)
    kept.write_bytes(OTHER)
    place.install().ok()
    assert place.content() == BIG
    assert place.web.paths().count("/toy.tar") == 2 and kept.read_bytes() == ARCHIVE


# --- mirrors ---

def failures(place):
    """Of an address, each with its notice."""
    return {
        "connect": (f"http://127.0.0.1:{free_port()}/toy.tar", "the server does not answer"),
        "404": (place.web.serve("/404", REFUSED), "HTTP status 404"),
        "503": (place.web.serve("/503", Answer(b"busy", 503)), "HTTP status 503"),
        "wrong": (place.web.serve("/wrong", OTHER), digest_of(OTHER)),
        "garbage": (place.web.serve("/garbage", b"garbage" * 500_000), digest_of(b"garbage" * 500_000)),
        "cut": (place.web.serve("/cut", Answer(ARCHIVE, cut=HALF), REFUSED), "HTTP status 404")}


def notices(result):
    return [line for line in result.err.splitlines() if line.startswith("berth: install: notice: ")]


@pytest.mark.parametrize("kind", ["connect", "404", "503", "wrong", "garbage", "cut"])
def test_a_mirror_is_tried(place, kind):
    bad, why = failures(place)[kind]
    good = place.web.serve("/mirror.tar", ARCHIVE)
    place.offer(ARCHIVE, url=bad, mirrors=[good, place.web.url("/toy.tar")])
    result = place.install()
    assert result.status == 0 and place.content() == BIG, result
    [line] = notices(result)
    assert bad in line and why in line and line.endswith(f"trying the next address: {good}")
    assert "/toy.tar" not in place.web.paths() and place.kept() == [digest_of(ARCHIVE)]


def test_all_mirrors_fail(place):
    bad = failures(place)
    kinds = ["connect", "404", "wrong", "cut"]
    place.offer(ARCHIVE, url=bad[kinds[0]][0], mirrors=[bad[kind][0] for kind in kinds[1:]])
    result = place.install()
    assert (result.status, result.code) == (1, "fetch.missing") and "berth: install toy: " + bad["cut"][0] in result.err, result
    assert [bad[kind][1] in line for kind, line in zip(kinds, notices(result))] == [True] * 3
    place.nothing()


def test_the_mirrors_of_a_manifest(place):
    file = {"Url": place.web.serve("/404", REFUSED), "Sha256": digest_of(ARCHIVE),
            "Mirrors": [place.web.serve("/mirror.tar", ARCHIVE)]}
    place.list = json.dumps({"ModernDistributions": {"Listed": [
        {"Name": "listed-1", "FriendlyName": "x", "Default": True, "Amd64Url": file}]}}).encode()
    place.offer(ARCHIVE)
    result = place.berth("install", "-n", "listed")
    assert result.status == 0 and len(notices(result)) == 1 and place.berth.names() == ["listed-1"], result


def test_no_mirror_helps_a_full_disk(place):
    place.offer(ARCHIVE, mirrors=[place.web.serve("/mirror.tar", ARCHIVE)])
    result = place.install(env=place.berth.faulty("berth-fetch", 12, errno.ENOSPC))
    result.failed(1, "fetch.write.no-space", "/toy.tar")
    assert "/mirror.tar" not in place.web.paths() and notices(result) == []


# --- faults in the middle ---

def test_a_cut_is_mended_in_the_middle(place):
    place.offer(Answer(ARCHIVE, cut=HALF), ARCHIVE)
    place.install().ok()
    assert place.content() == BIG
    assert place.web.requests[-1].headers["Range"] == f"bytes={HALF}-"


@pytest.mark.parametrize("sums", [True, False], ids=["digest", "no-digest"])
@pytest.mark.parametrize("first", [OTHER, b"garbage" * 500_000, ARCHIVE[:HALF] + b"\xff" * HALF],
                         ids=["another", "garbage", "damaged"])
def test_the_file_changes_in_the_middle(place, first, sums):
    """The server begins anew: what was imported of the former version does not count."""
    place.offer(Answer(first, cut=HALF + 1_000_000), ARCHIVE, sums=sums)
    place.install().ok()
    assert place.content() == BIG


def test_a_wrong_digest_at_the_end(place):
    place.offer(OTHER)
    place.install().failed(1, "fetch.digest", digest_of(OTHER), digest_of(ARCHIVE))
    place.nothing()


def test_a_cut_that_nothing_mends(place):
    place.offer(Answer(ARCHIVE, cut=HALF), REFUSED)
    place.install().failed(1, "fetch.missing", "/toy.tar", "404")
    place.nothing()


def test_a_web_page_instead_of_the_rest(place):
    place.offer(Answer(ARCHIVE, cut=HALF), Answer(b"<!doctype html>" + b" " * 2000, headers={"Content-Type": "text/html"}))
    place.install().failed(1, "fetch.web-page")
    place.nothing()


def test_what_is_no_archive(place):
    """The digest is right: the file itself is bad, and is kept as what it is."""
    garbage = b"garbage" * 500_000
    place.offer(garbage, content=garbage)
    place.install().failed(1, "import.open.not-a-tar", "/toy.tar")
    place.nothing(kept=[digest_of(garbage)])


def test_an_archive_that_is_cut_itself(place):
    place.offer(ARCHIVE[:HALF], content=ARCHIVE[:HALF])
    place.install().failed(1, "import.read.truncated", "/toy.tar")
    place.nothing(kept=[digest_of(ARCHIVE[:HALF])])


@pytest.mark.parametrize("program, code", [("berth-fetch", "fetch.write.no-space"), ("berth-image", "import.unpack.no-space")])
def test_a_full_disk(place, program, code):
    place.offer(ARCHIVE)
    place.install(env=place.berth.faulty(program, 12, errno.ENOSPC)).failed(1, code)
    place.nothing()


@pytest.mark.parametrize("program, code", [("berth-fetch", "fetch.worker.killed"), ("berth-image", "import.worker.killed")])
def test_a_worker_is_killed(place, program, code):
    place.offer(Answer(ARCHIVE, cut=HALF, stall=True))
    process = place.start()
    wait_for(lambda: place.imported(process) > HALF // 2)
    [worker] = [pid for pid in place.workers(program) if parent_of(pid) == process.pid]
    os.kill(worker, signal.SIGKILL)
    place.berth.finish(process).failed(1, code, "signal 9")
    place.nothing()


def test_berth_is_killed(place):
    place.offer(Answer(ARCHIVE, cut=HALF, stall=True))
    process = place.start()
    wait_for(lambda: place.imported(process) > HALF // 2)
    process.kill()
    process.communicate()
    place.wait_for_no_worker()
    assert not list(place.berth.data.glob("distros/*/*")) and place.kept() == []
    place.offer(ARCHIVE)
    place.install().ok()
    place.berth("unregister", "toy").ok()
    place.nothing(kept=[digest_of(ARCHIVE)])


def give_up_soon(place):
    """Have berth-fetch wait 1 s instead of 30 for a byte, and try twice; it is the real one otherwise."""
    program = place.berth.support / "berth-fetch"
    real = program.resolve()
    program.unlink()
    program.write_text(f'#!/bin/sh\nexec {real} "$@" stall=1 tries=2 backoff=1\n')
    program.chmod(0o755)


@pytest.mark.parametrize("sums", [True, False], ids=["digest", "no-digest"])
def test_a_server_that_stalls_once(place, sums):
    """The rest of the same version follows, to the reader that waits."""
    give_up_soon(place)
    place.offer(Answer(ARCHIVE, cut=HALF, stall=True), ARCHIVE, sums=sums)
    place.install().ok()
    assert place.web.requests[-1].headers["Range"] == f"bytes={HALF}-" and place.content() == BIG


@pytest.mark.parametrize("cut", [0, HALF])
def test_a_server_that_stalls_for_good(place, cut):
    give_up_soon(place)
    place.offer(Answer(ARCHIVE, cut=cut, stall=True), Answer(ARCHIVE, cut=0, stall=True))
    failed = place.install().failed(1, "fetch.stalled", place.web.url("/toy.tar"))
    assert "check the network connection" in failed.hint
    place.nothing()


def test_the_mirror_of_a_server_that_stalls(place):
    give_up_soon(place)
    place.offer(Answer(ARCHIVE, cut=HALF, stall=True), Answer(ARCHIVE, cut=0, stall=True),
                mirrors=[place.web.serve("/mirror.tar", ARCHIVE)])
    result = place.install()
    assert result.status == 0 and place.content() == BIG
    assert "trying the next address" in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all(place, number):
    """As a terminal sends it, to the workers too."""
    place.offer(Answer(ARCHIVE, cut=HALF, stall=True))
    process = place.start(start_new_session=True)
    wait_for(lambda: place.imported(process) > HALF // 2)
    os.killpg(process.pid, number)
    place.berth.finish(process, timeout=LIMIT).failed(-number, "import.cancelled", "cancelled", hint=False)
    place.nothing()


def test_a_second_install_of_the_name_meanwhile(place):
    gate = threading.Event()
    place.offer(Answer(ARCHIVE, cut=HALF, gate=gate), ARCHIVE)
    process = place.start()
    try:
        wait_for(lambda: place.imported(process) > HALF // 2)
        place.install().failed(1, "registry.exists", "toy")
    finally:
        gate.set()
    place.berth.finish(process).ok()
    assert place.content() == BIG
