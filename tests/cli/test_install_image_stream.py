"""berth install of container images: the import reads the layers while they arrive. Whatever ends either leaves nothing."""
import errno
import gzip
import json
import os
import random
import signal
import stat
import subprocess
import threading

import pytest

from conftest import wait_for
from registry import MANIFEST, Registry, digest
from test_import_images import pack
from test_install_stream import Place, REFUSED, give_up_soon, parent_of
from waiting import LIMIT
from web_server import Answer, WebServer

BIG = random.Random(21).randbytes(3_000_000)
NEW = random.Random(22).randbytes(1_000_000)
STACK = [pack([("usr", BIG), ("etc/motd", b"lower\n"), ("etc/gone", b"x"), ("opt/old", b"old\n")]),
         pack([("etc/motd", b"upper\n"), ("etc/.wh.gone", b""), ("opt/.wh..wh..opq", b""), ("opt/new", NEW)])]
HALF = 1_500_000


def zipped(layer):
    return gzip.compress(layer, compresslevel=1, mtime=0)


BLOBS = [zipped(layer) for layer in STACK]


class ImagePlace(Place):
    """A home, and a registry that has the image "toy" of two layers."""

    def __init__(self, berth, web):
        super().__init__(berth, web)
        berth.configure("[berth]\ndisk-size = 64M\ncache-size = 0\n")
        self.registry = Registry(web)
        self.image = self.registry.image(STACK, "1", compress=zipped)
        self.kept_name = self.image["digest"].removeprefix("sha256:") + ".image"

    def answers(self, which, *answers):
        """Serve the layer @which so."""
        self.registry.serve("blobs", digest(BLOBS[which]), *answers)

    def words(self):
        return ["install", "--no-launch", "--name", "x", self.registry.reference()]

    def install(self, **options):
        return self.berth(*self.words(), **options)

    def start(self, **options):
        return self.berth.start(*self.words(), **options)

    def read(self, path):
        disk = next(self.berth.data.glob("distros/*/disk.ext4"))
        return subprocess.run(["debugfs", "-R", f"cat {path}", disk], capture_output=True, check=True).stdout

    def check(self):
        assert self.content() == BIG and self.read("/opt/new") == NEW and self.read("/etc/motd") == b"upper\n"
        assert self.read("/etc/gone") == self.read("/opt/old") == self.read("/etc/.wh.gone") == b""
        assert self.berth.left_over() == []

    def started_half_way(self, which=0, **options):
        """An install that has imported a part, of the layer @which that stalls there."""
        self.answers(which, Answer(BLOBS[which], cut=HALF if which == 0 else len(NEW) // 2, stall=True))
        process = self.start(**options)
        wait_for(lambda: self.imported(process) > HALF // 2)
        return process


@pytest.fixture
def web():
    server = WebServer()
    yield server
    server.stop()


@pytest.fixture
def place(berth, web):
    return ImagePlace(berth, web)


# --- at the same time ---

@pytest.mark.parametrize("which", [0, 1], ids=["lower", "upper"])
def test_the_import_reads_what_has_arrived(place, which):
    """Of the lower layer half, or all of it while the upper one waits."""
    gate = threading.Event()
    place.answers(which, Answer(BLOBS[which], cut=HALF if which == 0 else 0, gate=gate))
    process = place.start()
    try:
        wait_for(lambda: place.imported(process) > (HALF // 2 if which == 0 else len(BIG) - HALF // 2))
        assert place.registered() == [] and not list(place.berth.data.glob("distros/*/*")) and place.kept() == []
    finally:
        gate.set()
    assert place.berth.finish(process).out == 'x is installed; "berth shell x" opens a shell in it\n'
    place.check()
    assert place.kept() == [place.kept_name]


def test_the_upper_layer_arrives_first(place):
    """It is read after the lower one: its whiteouts must hide what that brings."""
    gate, asked = threading.Event(), threading.Event()

    def upper(request):
        asked.set()
        return Answer(BLOBS[1])

    place.answers(0, Answer(BLOBS[0], cut=0, gate=gate))
    place.answers(1, upper)
    process = place.start()
    try:
        assert asked.wait(timeout=LIMIT)
    finally:
        gate.set()
    assert place.berth.finish(process).status == 0
    place.check()


def test_more_layers_than_come_at_once(place):
    stack = [*STACK, *(pack([(f"opt/{i}", NEW[i:]), (f"opt/.wh.{i - 1}", b"")]) for i in range(8))]
    place.registry.image(stack, "1", compress=zipped)
    assert place.install().status == 0
    assert place.read("/opt/7") == NEW[7:] and place.read("/opt/6") == b"" and place.content() == BIG


# --- faults in the middle ---

@pytest.mark.parametrize("which", [0, 1], ids=["lower", "upper"])
def test_a_cut_is_mended_in_the_middle(place, which):
    place.answers(which, Answer(BLOBS[which], cut=len(BLOBS[which]) // 2), BLOBS[which])
    assert place.install().status == 0
    place.check()


@pytest.mark.parametrize("first", [zipped(STACK[0][::-1]), b"garbage" * 500_000, BLOBS[0][:HALF] + b"\xff" * 2 * HALF],
                         ids=["another", "garbage", "damaged"])
def test_a_layer_changes_in_the_middle(place, first):
    """The registry begins anew with the right bytes: what was imported of the others does not count."""
    place.answers(0, Answer(first[:len(BLOBS[0])], cut=HALF + 1_000_000), BLOBS[0])
    assert place.install().status == 0
    place.check()


@pytest.mark.parametrize("which", [0, 1], ids=["lower", "upper"])
def test_a_wrong_digest_at_the_end(place, which):
    bad = bytearray(BLOBS[which])
    bad[-1] ^= 1
    place.answers(which, bytes(bad))
    place.install().failed(1, "fetch.digest", digest(BLOBS[which]).removeprefix("sha256:"))
    place.nothing()


@pytest.mark.parametrize("which", [0, 1], ids=["lower", "upper"])
def test_a_cut_that_nothing_mends(place, which):
    place.answers(which, Answer(BLOBS[which], cut=len(BLOBS[which]) // 2), REFUSED)
    place.install().failed(1, "fetch.image.missing", "404")
    place.nothing()


@pytest.mark.parametrize("which", [0, 1], ids=["lower", "upper"])
def test_a_registry_that_stalls_for_good(place, which):
    give_up_soon(place)
    place.answers(which, Answer(BLOBS[which], cut=1000, stall=True), Answer(BLOBS[which], cut=0, stall=True))
    place.install().failed(1, "fetch.stalled")
    place.nothing()


def test_a_registry_that_stalls_once(place):
    give_up_soon(place)
    place.answers(0, Answer(BLOBS[0], cut=HALF, stall=True), BLOBS[0])
    assert place.install().status == 0
    place.check()


@pytest.mark.parametrize("program, code", [("berth-fetch", "fetch.write.no-space"), ("berth-image", "import.unpack.no-space")])
def test_a_full_disk(place, program, code):
    place.install(env=place.berth.faulty(program, 12, errno.ENOSPC)).failed(1, code)
    place.nothing()


@pytest.mark.parametrize("program, code", [("berth-fetch", "fetch.worker.killed"), ("berth-image", "import.worker.killed")])
@pytest.mark.parametrize("which", [0, 1], ids=["lower", "upper"])
def test_a_worker_is_killed(place, program, code, which):
    process = place.started_half_way(which)
    [worker] = [pid for pid in place.workers(program) if parent_of(pid) == process.pid]
    os.kill(worker, signal.SIGKILL)
    place.berth.finish(process).failed(1, code, "signal 9")
    place.nothing()


def test_berth_is_killed(place):
    process = place.started_half_way()
    process.kill()
    process.communicate()
    place.wait_for_no_worker()
    assert not list(place.berth.data.glob("distros/*/*")) and place.kept() == []
    place.answers(0, BLOBS[0])
    assert place.install().status == 0
    place.berth("unregister", "x").ok()
    place.nothing(kept=[place.kept_name])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all(place, number):
    """As a terminal sends it, to the workers too."""
    process = place.started_half_way(start_new_session=True)
    os.killpg(process.pid, number)
    place.berth.finish(process, timeout=LIMIT).failed(-number, "import.cancelled", "cancelled", hint=False)
    place.nothing()


# --- what is wrong with the image itself ---

def test_a_layer_that_is_cut_itself(place):
    """All digests are right: the image is bad, and of no use to a later install."""
    cut = STACK[1][:len(STACK[1]) // 2]
    place.registry.image([STACK[0], cut], "1", compress=zipped)
    place.install().failed(1, "import.read.truncated", "layer 2 of 2")
    place.nothing()


def test_a_config_with_another_diff_id(place):
    manifest = json.loads(place.registry.manifest("1")(Headers).body)
    served = place.registry.web.answers[place.registry.path("blobs", manifest["config"]["digest"])]
    config = json.loads(served[0](Headers).body)
    config["rootfs"]["diff_ids"][0] = "sha256:" + "ab" * 32
    manifest["config"] = place.registry.blob(json.dumps(config).encode(), manifest["config"]["mediaType"])
    place.registry.document(manifest, MANIFEST, "1")
    place.install().failed(1, "import.image.diff-id", "layer 1 of 2")
    place.nothing()


class Headers:
    headers = {}


# --- what berth-fetch says is not believed ---

LIES = {"all is there": "progress 0 0 0 18446744073709551615", "more than there is": "progress 0 0 0 999999999999",
        "less and less": "progress 0 0 0 900\nprogress 0 0 0 5", "nothing": "progress 0 0 0"}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("end", ["success", "death"])
def test_lies_about_what_has_arrived(place, tmp_path, lie, end):
    """The file has the documents, and zeros for layers."""
    assert place.install().status == 0
    place.berth("unregister", "x").ok()
    kept = place.berth.path / ".cache/berth/downloads" / place.kept_name
    archive = bytearray(kept.read_bytes())
    for blob in BLOBS:
        at = archive.index(blob)
        archive[at:at + len(blob)] = bytes(len(blob))
    (tmp_path / "archive").write_bytes(archive)
    kept.unlink()
    program = place.berth.support / "berth-fetch"
    program.unlink()
    program.write_text(f"#!/bin/sh\ncat {tmp_path / 'archive'} >&4\nprintf '%s\\n' '{LIES[lie]}' >&5\n"
                       + ("echo 'report 1 0 0 0 0' >&5\n" if end == "success" else "exit 3\n"))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    reference = place.registry.reference(place.image["digest"])
    result = place.berth("install", "--no-launch", "--name", "x", reference)
    codes = ["import.image.digest", "import.open.not-a-tar"] if end == "success" else ["fetch.worker.silent"]
    assert result.status == 1 and any(f"code: {code}" in result.err for code in codes), result
    place.nothing()


# --- what is kept ---

def test_a_kept_image_that_is_damaged_is_downloaded_again(place):
    assert place.install().status == 0
    place.berth("unregister", "x").ok()
    kept = place.berth.path / ".cache/berth/downloads" / place.kept_name
    good = kept.read_bytes()
    for damaged in (good[:-len(BLOBS[1])], good.replace(BLOBS[1], bytes(len(BLOBS[1]))), b"", os.urandom(5000)):
        kept.write_bytes(damaged)
        assert place.install().status == 0
        place.check()
        place.berth("unregister", "x").ok()
        assert kept.read_bytes() == good
    place.install(), place.berth("unregister", "x").ok()
    assert len(place.registry.layers_asked(STACK, zipped)) == 2 * 5


def test_a_damaged_one_without_a_registry(place):
    """The next install must not find it again, either."""
    assert place.install().status == 0
    place.berth("unregister", "x").ok()
    (place.berth.path / ".cache/berth/downloads" / place.kept_name).write_bytes(b"")
    place.answers(0, REFUSED)
    place.install().failed(1, "fetch.image.missing")
    place.nothing()
