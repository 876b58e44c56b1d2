"""Imports that fail leave nothing."""
import bz2
import gzip
import lzma
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import Terminal, tar_bytes, wait_for
from waiting import LIMIT


def test_the_first_becomes_the_default(berth, rootfs):
    berth("import", "One", rootfs).ok()
    berth("import", "two", rootfs).ok()
    assert berth("list").ok() == "  NAME  STATE\n* One   stopped\n  two   stopped\n"
    disk = berth.data / "distros" / berth.ids()[0] / "disk.ext4"
    assert disk.stat().st_blocks * 512 < 64 << 20 < disk.stat().st_size
    assert disk.stat().st_mode & 0o077 == 0 or disk.parent.stat().st_mode & 0o077 == 0
    subprocess.run(["e2fsck", "-fn", disk], check=True, capture_output=True)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress],
                         ids=["gzip", "xz", "bzip2"])
def test_compressed_from_standard_input(berth, compress):
    berth("import", "x", "-", data=compress(tar_bytes())).ok()
    assert berth.names() == ["x"]


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "a b", "a/b", "../x", "ä", "a\n", "a" * 65,
                                  "a,b", "a=b"])
def test_invalid_names(berth, rootfs, name):
    berth("import", "--", name, rootfs).failed(1, "name.invalid")
    assert berth.names() == [] and berth.left_over() == []


def test_name_is_taken(berth, rootfs):
    berth("import", "debian", rootfs).ok()
    berth("import", "Debian", rootfs).failed(1, "registry.exists", "import Debian: ")
    assert berth.names() == ["debian"] and berth.left_over() == []


def test_file_is_missing(berth):
    berth("import", "x", "/nonexistent/rootfs.tar").failed(
        1, "import.archive.missing", "/nonexistent/rootfs.tar: no such file")
    assert berth.left_over() == []


def broken_archives():
    whole = tar_bytes({"usr": b"x" * 300000})
    squeezed = gzip.compress(tar_bytes({"usr": os.urandom(300000)}))
    empty_root = tar_bytes()[-1024:]
    return {
        "text": (b"these are words, no archive\n" * 100, "import."),
        "noise": (bytes((i * 7919) >> 3 & 0xff for i in range(50000)), "import."),
        "nothing": (b"", "import."),
        "truncated": (whole[:200000], "import.read."),
        "truncated-gzip": (squeezed[:200000], "import.read."),
        "no-root": (empty_root, "import."),
    }


@pytest.mark.parametrize("kind", broken_archives())
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_non_archives_are_rejected(berth, tmp_path, kind, way):
    content, code = broken_archives()[kind]
    path = tmp_path / "archive"
    path.write_bytes(content)
    result = berth("import", "x", path) if way == "file" else berth("import", "x", "-", data=content)
    assert result.code and result.code.startswith(code), result
    result.failed(1, result.code, "import x: ", str(path) if way == "file" else "standard input")
    assert berth.names() == [] and berth.left_over() == []


def test_directory_is_rejected(berth, tmp_path):
    result = berth("import", "x", tmp_path)
    assert result.status == 1 and result.code.startswith("import."), result
    assert berth.left_over() == []


def big_archive(path):
    path.write_bytes(tar_bytes({"big": os.urandom(1 << 20) * 70}))
    return path


def test_too_small_image(berth, tmp_path):
    berth.configure("[berth]\ndisk-size = 64M\n")
    berth("import", "x", big_archive(tmp_path / "big.tar")).failed(
        1, "import.unpack.image-full", "unpack big")
    assert berth.names() == [] and berth.left_over() == []


def test_no_space(berth, tmp_path):
    """A file size limit stands in for a full disk: the same failure, without root."""
    archive = big_archive(tmp_path / "big.tar")
    berth.names()  # creates the registry
    limit = 40 << 20
    result = berth("import", "x", archive, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (limit, limit)))
    result.failed(1, result.code, "import x: ")
    assert result.code.startswith("import."), result
    assert result.code.rsplit(".", 1)[1] in ("too-big", "no-space"), result
    assert berth.names() == [] and berth.left_over() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_leaves_nothing(berth, number):
    """While it waits for more of the archive."""
    process = berth.start("import", "x", "-", stdin=subprocess.PIPE)
    process.stdin.write(tar_bytes()[:2048])
    process.stdin.flush()
    wait_for(lambda: list(berth.data.glob("distros/*/*")) or list(berth.data.glob("distros/*")))
    process.send_signal(number)
    process.wait(timeout=LIMIT)
    result = berth.finish(process)
    result.failed(-number, "import.cancelled", "import x: cancelled", hint=False)
    assert berth.names() == [] and berth.left_over() == []


def test_next_import_cleans_up_after_a_killed_one(berth, rootfs):
    process = berth.start("import", "x", "-", stdin=subprocess.PIPE)
    process.stdin.write(tar_bytes()[:2048])
    process.stdin.flush()
    wait_for(lambda: list(berth.data.glob("distros/*")))
    process.kill()
    process.communicate()
    assert berth.names() == []

    berth("import", "y", rootfs).ok()
    assert berth.names() == ["y"] and berth.left_over() == []
    berth("import", "x", rootfs).ok()


def test_concurrent_imports(berth, rootfs):
    processes = {name: berth.start("import", name, rootfs) for name in "abcdefgh"}
    lists = [berth("list", "-q") for _ in range(5)]  # during the imports
    for name, process in processes.items():
        berth.finish(process, timeout=LIMIT).ok()
    assert all(result.status == 0 and result.err == "" for result in lists)
    assert sorted(berth.names()) == list("abcdefgh") and berth.left_over() == []
    assert berth("list").out.count("*") == 1


def test_concurrent_imports_of_one_name(berth):
    """All run at the same time, since they wait for their archive."""
    data = tar_bytes()
    processes = [berth.start("import", name, "-", stdin=subprocess.PIPE)
                 for name in ["same", "SAME", "Same", "sAme", "same", "same"]]
    results = [berth.finish(process, data) for process in processes]
    won = [result for result in results if result.status == 0]
    lost = [result for result in results if result.status != 0]
    assert len(won) == 1, results
    for result in lost:
        result.failed(1, "registry.exists")
    assert [name.lower() for name in berth.names()] == ["same"] and berth.left_over() == []


def test_damaged_registry_is_not_changed(berth, rootfs):
    berth("import", "x", rootfs).ok()
    registry = berth.data / "registry.db"
    registry.write_bytes(b"damaged" * 1000)
    for arguments in (["list"], ["import", "y", rootfs], ["start"], ["unregister", "x"]):
        berth(*arguments).failed(1, "registry.corrupt", str(registry))
    berth("run", "true").failed(125, "registry.corrupt")
    assert registry.read_bytes() == b"damaged" * 1000
    assert len(list(berth.data.glob("distros/*/disk.ext4"))) == 1


def test_progress_needs_a_terminal(berth, rootfs):
    assert berth("import", "x", rootfs).err == ""


def test_unregister_deletes_the_disk(berth, rootfs):
    berth("import", "x", rootfs).ok()
    berth("import", "y", rootfs).ok()
    berth("unregister", "X").ok()
    assert berth.names() == ["y"] and berth.left_over() == []
    assert len(list(berth.data.glob("distros/*"))) == 1
    berth("unregister", "x").failed(1, "distro.not-found", "unregister x: ")


def test_large_disk_is_sparse(berth, rootfs):
    berth("import", "x", rootfs).ok()
    info = Path(berth.info("x")["disk"]).stat()
    assert info.st_size == 1 << 40 and info.st_blocks * 512 < 64 << 20


def test_the_same_archive_makes_the_same_disk(berth, tmp_path):
    """At any time and with any compression: the image contains no randomness and no time."""
    berth.configure("[berth]\ndisk-size = 64M\ncache-size = 0\n")
    plain = tar_bytes({"usr/data": os.urandom(300000), "usr/zeros": bytes(100000)})
    disks = []
    for name, data in ("plain", plain), ("again", plain), ("packed", gzip.compress(plain)):
        (tmp_path / name).write_bytes(data)
        berth("import", name, tmp_path / name).ok()
        disks.append(Path(berth.info(name)["disk"]).read_bytes())
    assert disks[0] == disks[1] == disks[2]


@pytest.mark.parametrize("term, escapes", [("vt220", True), ("dumb", False)])
def test_progress_is_for_terminals_that_can(berth, rootfs, term, escapes):
    terminal = Terminal(berth, "import", "box", rootfs, term=term)
    terminal.end(0)
    shown = terminal.rest()
    terminal.close()
    assert b"entries" in shown and (b"\x1b" in shown) == escapes
