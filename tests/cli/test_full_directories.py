"""Full file systems: each verb works or fails with the reason, and a machine can be stopped."""
import os
import signal
import subprocess

import pytest

from conftest import tar_bytes
from web_server import Answer, WebServer

# Mounts a tmpfs over a directory, with what is in it, in a mount namespace of its own; then a line on standard
# input at a time: "fill N" leaves it N bytes, and no inode if N is 0; "free" gives it room again.
HOLDER = """
import ctypes, os, subprocess, sys
MS_REMOUNT, MS_MOVE = 32, 8192
directory, aside = sys.argv[1:]
os.makedirs(directory, mode=0o700, exist_ok=True)

def mount(source, target, flags, options):
    if ctypes.CDLL(None, use_errno=True).mount(source.encode(), target.encode(), b"tmpfs", flags, options.encode()):
        raise OSError(ctypes.get_errno(), target)

mount("tmpfs", aside, 0, "size=256m,mode=700")
subprocess.run(["cp", "-a", "--sparse=always", directory + "/.", aside], check=True)
os.chmod(aside, 0o700)
mount(aside, directory, MS_MOVE, "")
print("there", flush=True)
for line in sys.stdin:
    if line.startswith("fill"):
        subprocess.run(["head", "-c", "512m", "/dev/zero"], stdout=open(directory + "/filler", "wb"),
                       stderr=subprocess.DEVNULL)
        room = os.statvfs(directory)
        assert room.f_bfree == 0
        left = int(line.split()[1])
        if left > 0:
            os.truncate(directory + "/filler", os.stat(directory + "/filler").st_size - left)
        else:
            mount("tmpfs", directory, MS_REMOUNT, f"nr_inodes={room.f_files - room.f_ffree}")
    else:
        subprocess.run(["rm", "-f", directory + "/filler"], check=True)
        mount("tmpfs", directory, MS_REMOUNT, "nr_inodes=100000")
    print("done", flush=True)
"""
NAMESPACES = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps", "--mount"]


class Full:
    """Box, one of whose directories will be full."""

    def __init__(self, box, name, aside):
        self.box, self.name = box, name
        directory = {"data": box.data, "config": box.config.parent, "runtime": box.runtime,
                     "cache": box.path / ".cache/berth"}[name]
        self.holder = subprocess.Popen(
            ["unshare", *NAMESPACES, "/usr/bin/python3", "-c", HOLDER, directory, aside],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("there")
        entered = ["nsenter", "--target", str(self.holder.pid), "--mount"]
        if os.geteuid() != 0:
            entered += ["--user", "--preserve-credentials"]
        program = box.path / "berth-inside"
        program.write_text(f'#!/bin/sh\nexec {" ".join(entered)} {box.program} "$@"\n')
        program.chmod(0o700)
        box.program = program

    def expect(self, word):
        assert self.holder.stdout.readline() == word + "\n"

    def send(self, word):
        self.holder.stdin.write(word + "\n")
        self.holder.stdin.flush()
        self.expect("done")

    def fill(self, left=0):
        self.send(f"fill {left}")

    def free(self):
        self.send("free")

    def __call__(self, *words, **options):
        return self.box(*words, **options)

    def close(self):
        self("shutdown")
        self.holder.communicate()


@pytest.fixture(params=["data", "runtime", "cache", "config"])
def full(request, box, tmp_path):
    aside = tmp_path / "aside"
    aside.mkdir()
    full = Full(box, request.param, aside)
    yield full
    full.close()


READING = [["list"], ["list", "--json"], ["status"], ["ports"], ["host", "list"], ["forward", "list"], ["config"],
           ["logs", "box"], ["cache", "ls"], ["snapshots"], ["export", "box", "-"]]


def test_reading_works_without_space(full):
    full("start").ok()
    full("terminate", "box").ok()
    full.fill()
    for words in READING:
        full(*words).ok()


def test_running_distro_can_be_used_and_stopped(full):
    for verb in (["terminate", "box"], ["shutdown"], ["terminate", "--force", "box"]):
        full("start").ok()
        full.fill()
        assert full("run", "echo", "said").ok() == "said\n"
        assert full.box.info("box")["state"] == "running"
        full(*verb).ok()
        assert full.box.info("box")["state"] == "stopped"
        full.free()


def test_start_works_or_fails_with_reason(full):
    full.fill()
    result = full("run", "echo", "said")
    if full.name in ("cache", "config"):
        assert result.ok() == "said\n"
    elif result.status != 0:
        assert result.status == 125 and result.code.endswith(".no-space"), result
        full.free()
    assert full("run", "echo", "said").ok() == "said\n"


WRITING = [["import", "second", "{rootfs}"], ["clone", "box", "twin"], ["rename", "box", "other"],
           ["host", "allow", "other", "80"], ["forward", "add", "other", "8080:80"], ["resize", "other", "2G"],
           ["set-default", "other"], ["compact", "other"], ["snapshot", "other", "it"], ["resize", "other", "3G"],
           ["undo", "other"], ["snapshot", "--remove", "other", "it"], ["move", "other", "{place}"], ["unregister", "other"]]


def test_writing_works_or_fails_with_reason(full, rootfs, tmp_path):
    for words in WRITING:
        words = [word.format(rootfs=rootfs, place=tmp_path / "place") for word in words]
        before = full("list", "-q").ok()
        full.fill()
        result = full(*words)
        if result.status != 0:
            assert result.status == 1 and result.code.endswith(".no-space"), result
            assert full("list", "-q").ok() == before
            full.free()
            full(*words).ok()
        full.free()


@pytest.mark.parametrize("full", ["data"], indirect=True)
def test_copies_of_a_disk_that_do_not_fit(full):
    """tmpfs cannot share blocks: the refusal names both figures, and comes before the first byte."""
    used = full.box.info("box")["disk_used"]
    full.fill(left=used // 2)
    full("snapshot", "box", "it").failed(1, "snapshot.no-space", ": a copy needs ", " MiB, and ", " is free")
    full.free()
    full("snapshot", "box", "it").ok()
    full("resize", "box", "2T").ok()
    full.fill(left=used // 2)
    full("undo", "box").failed(1, "restore.no-space", ": a copy needs ", " is free")
    assert full.box.info("box")["disk_size"] == 2 << 40
    full.free()
    full("undo", "box").ok()
    assert full.box.info("box")["disk_size"] == 1 << 40


@pytest.mark.parametrize("full", ["data"], indirect=True)
def test_shrink_without_space_for_resize2fs(full):
    """The copy fits, but resize2fs runs out of space, which it reports as a short write at most."""
    before = full.box.info("box")
    full.fill(left=before["disk_used"] + (1 << 20))
    full("resize", "box", "2G").failed(1, "resize.no-space", "no space left on device")
    after = full.box.info("box")
    assert after["disk_size"] == before["disk_size"]


@pytest.mark.parametrize("full", ["data"], indirect=True)
def test_a_download_that_is_larger_than_the_room(full):
    """The server says the size at once: so does the notice, while the rest has yet to come."""
    web = WebServer()
    try:
        address = web.serve("/toy.tar", Answer(tar_bytes({"usr": bytes(1 << 20)}), length=1 << 30, cut=1 << 19, stall=True))
        process = full.box.start("install", "--no-launch", "--name", "toy", address)
        assert b"are free for the disk, and the archive alone has 1.0 GiB" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        full.box.finish(process).failed(-signal.SIGTERM, "import.cancelled", hint=False)
    finally:
        web.stop()
    assert full.box.names() == ["box"]
