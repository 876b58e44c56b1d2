"""Exports equal the distro, and failures leave nothing. Trees are compared by tests/lib/treedigest.py, which parses
archives itself and reads images with debugfs.
"""
import os
import resource
import signal
import struct
import subprocess
import sys
import tarfile

import pytest

from conftest import SOURCE, tar_bytes, wait_for
from waiting import LIMIT

sys.path.insert(0, str(SOURCE / "tests/lib"))
import odd_archive  # noqa: E402
import treedigest  # noqa: E402

@pytest.fixture(scope="session", params=odd_archive.PARTS)
def archive(request, tmp_path_factory):
    builder = odd_archive.Builder()
    odd_archive.add_root(builder)
    odd_archive.PARTS[request.param](builder)
    return builder.write(tmp_path_factory.mktemp("export") / f"{request.param}.tar")


def assert_same(first, second):
    one, two = set(treedigest.lines(first)), set(treedigest.lines(second))
    differences = [f"- {line}" for line in sorted(one - two)] + [f"+ {line}" for line in sorted(two - one)]
    assert not differences, "\n" + "\n".join(differences)


def image_of(berth, name):
    return berth.info(name)["disk"]


def test_round_trip(berth, archive, tmp_path):
    """import(export(import(x))) equals import(x), by debugfs and an independent pax reader."""
    berth("import", "one", archive).ok()
    berth("export", "one", tmp_path / "one.tar").ok()
    exported = treedigest.from_tar(tmp_path / "one.tar")
    assert_same(treedigest.from_tar(archive), exported)

    berth("import", "two", tmp_path / "one.tar").ok()
    subprocess.run(["/usr/sbin/e2fsck", "-fn", image_of(berth, "two")], check=True, capture_output=True)
    berth("export", "two", tmp_path / "two.tar").ok()
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    if "sparse" not in archive.name:  # debugfs would write out the terabytes
        assert_same(treedigest.from_image(image_of(berth, "two")), exported)


def has_xattrs(directory):
    try:
        os.setxattr(directory, "trusted.test", b"1")
        os.removexattr(directory, "trusted.test")
    except OSError:
        return False
    return True


TOOLS = {"gnu": ["tar", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "-xpSf"],
         "bsd": ["bsdtar", "--xattrs", "--acls", "--numeric-owner", "-xpSf"]}


def expected_from(tool, tree):
    """The part of @tree that @tool preserves."""
    for path in list(tree):
        node = tree[path]
        node.atime = node.ctime = node.mtime
        if tool == "bsd" and node.mtime < 0 and node.mtime % 10**9:
            node.mtime = node.atime = node.ctime = None  # libarchive counts the fraction forward
        for name in node.xattrs if tool == "bsd" else ():
            if name.startswith(b"system.posix_acl_"):  # libarchive truncates ids in ACLs to 31 bits
                node.xattrs[name] = node.xattrs[name].replace(b"\xfe\xff\xff\xff", b"\xff\xff\xff\x7f")
    return tree


@pytest.mark.as_root  # owners, devices and attributes
@pytest.mark.parametrize("tool", TOOLS)
def test_other_tar_programs_extract_the_same(berth, archive, tmp_path, tool):
    target = tmp_path / "target"
    target.mkdir()
    if not has_xattrs(target):
        pytest.skip("the file system has no trusted attributes")
    berth("import", "one", archive).ok()
    berth("export", "one", tmp_path / "one.tar").ok()
    done = subprocess.run([*TOOLS[tool], tmp_path / "one.tar", "-C", target], capture_output=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    expected = expected_from(tool, treedigest.from_tar(tmp_path / "one.tar"))
    found = treedigest.from_directory(target)
    for path, node in expected.items():
        if node.mtime is None:
            node.mtime = node.atime = node.ctime = found[path].mtime
    expected.pop(b""), found.pop(b"")  # bsdtar does not restore its working directory
    assert_same(expected, found)
    assert done.returncode == 0, done.stderr


# --- formats ---

FORMATS = {"tar": ["cat"], "tar.gz": ["gzip", "-dc"], "tgz": ["gzip", "-dc"], "wsl": ["gzip", "-dc"],
           "tar.xz": ["xz", "-dc"], "txz": ["xz", "-dc"], "tar.zst": ["zstd", "-dcq"]}


@pytest.fixture
def noise(berth, tmp_path):
    """A distro with more data than a block of any compressor."""
    path = tmp_path / "noise.tar"
    path.write_bytes(tar_bytes({"usr": os.urandom(1 << 20) * 3 + b"words " * 700000}))
    berth("import", "noise", path).ok()
    path.unlink()
    return berth


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats_by_suffix(noise, tmp_path, suffix):
    """Each format, decompressed by its own program, equals the plain archive."""
    noise("export", "noise", tmp_path / f"x.{suffix}").ok()
    noise("export", "noise", tmp_path / "plain").ok()
    unpacked = subprocess.run([*FORMATS[suffix], tmp_path / f"x.{suffix}"], check=True,
                              stdout=subprocess.PIPE).stdout
    assert unpacked == (tmp_path / "plain").read_bytes()
    assert (suffix == "tar") == (unpacked == (tmp_path / f"x.{suffix}").read_bytes())


@pytest.mark.parametrize("format", ["tar.gz", "tar.xz", "tar.zst"])
def test_output_does_not_depend_on_processors(noise, tmp_path, format):
    noise("export", "noise", tmp_path / "many", "--format", format).ok()
    one = {min(os.sched_getaffinity(0))}
    noise("export", "noise", tmp_path / "one", "--format", format,
          preexec_fn=lambda: os.sched_setaffinity(0, one)).ok()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()


def test_to_standard_output(noise, tmp_path):
    noise("export", "noise", tmp_path / "x.tar.gz").ok()
    with (tmp_path / "out").open("wb") as out:
        assert noise("export", "noise", "-", "--format=tar.gz", stdout=out).status == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "x.tar.gz").read_bytes()


def test_an_image_keeps_its_holes(box, tmp_path):
    disk = image_of(box, "box")
    box("export", "box", tmp_path / "x.img").ok()
    copied, original = (tmp_path / "x.img").stat(), os.stat(disk)
    assert copied.st_size == original.st_size and copied.st_blocks * 512 < 64 << 20
    subprocess.run(["/usr/sbin/e2fsck", "-fn", tmp_path / "x.img"], check=True, capture_output=True)
    assert_same(treedigest.from_image(tmp_path / "x.img"), treedigest.from_image(disk))


def test_an_image_through_a_pipe(berth, rootfs, tmp_path):
    berth.configure("[berth]\ndisk-size = 64M\n")
    berth("import", "box", rootfs).ok()
    process = berth.start("export", "box", "-", "--format", "ext4")
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0 and err == b""
    assert out == open(image_of(berth, "box"), "rb").read()


def test_wsl_spelling(box, tmp_path):
    box("--export", "box", tmp_path / "x.tar.gz", "--format", "tar").ok()
    assert tarfile.open(tmp_path / "x.tar.gz", "r:").getnames()[0] == "."


@pytest.mark.parametrize("names", [{".dockerenv": b"docker"}, {".dockerenv.berth": b"docker"}])
def test_container_mark_gets_its_original_name(berth, tmp_path, names):
    """Before the first start and after it, when the machine has hidden it."""
    (tmp_path / "in.tar").write_bytes(tar_bytes(names))
    berth("import", "box", tmp_path / "in.tar").ok()
    berth("export", "box", tmp_path / "out.tar").ok()
    with tarfile.open(tmp_path / "out.tar") as archive:
        assert [name for name in archive.getnames() if "docker" in name] == [".dockerenv"]
        assert archive.extractfile(".dockerenv").read() == b"docker"


# --- rejected requests leave nothing ---

def nothing_left(directory, *names):
    assert sorted(path.name for path in directory.iterdir()) == sorted(names)


@pytest.fixture
def place(tmp_path):
    directory = tmp_path / "place"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("format", ["vhd", "vhdx", "zip", ""])
def test_unknown_formats_are_rejected(box, place, format):
    box("export", "box", place / "x", "--format", format).failed(2, "usage.value")
    nothing_left(place)


def test_a_similar_format_is_suggested(box, place):
    for word, meant in (("tar.gzz", "tar.gz"), ("ext3", "ext4"), ("zip", None)):
        hint = box("export", "box", place / "x", "--format", word).failed(2, "usage.value").hint
        assert hint == (f"did you mean {meant}?" if meant else "give one of tar, tar.gz, tar.xz, tar.zst and ext4")


def test_vhd_suffix_is_rejected(box, place):
    result = box("export", "box", place / "x.vhdx").failed(2, "usage.value")
    assert "qemu-img" in result.hint
    nothing_left(place)


def test_unknown_distro(berth, place):
    berth("export", "x", place / "x.tar").failed(1, "distro.not-found")
    nothing_left(place)


def test_existing_file_is_kept(box, place):
    path = place / "x.tar"
    path.write_text("mine")
    box("export", "box", path).failed(1, "export.create.exists", str(path))
    assert path.read_text() == "mine"
    box("export", "box", path, "--force").ok()
    assert tarfile.open(path).getnames()[0] == "."
    nothing_left(place, "x.tar")


def test_unusable_paths(box, place):
    box("export", "box", place).failed(1, "export.create.directory")
    box("export", "box", place / "missing/x.tar").failed(1, "export.create.missing")
    disk = image_of(box, "box")
    before = os.stat(disk)
    box("export", "box", disk, "--force").failed(1, "export.create.same")
    assert os.stat(disk).st_mtime_ns == before.st_mtime_ns
    nothing_left(place)


def test_terminal_output_is_refused(box):
    terminal, slave = os.openpty()
    process = box.start("export", "box", "-", stdout=slave)
    os.close(slave)
    box.finish(process).failed(1, "export.terminal")
    os.close(terminal)


def test_running_distro_is_refused(box, place):
    box("run", "-d", "box", "true")
    result = box("export", "box", place / "x.tar").failed(1, "instance.running", "box is running")
    assert result.hint == "stop it first: berth terminate box"
    nothing_left(place)
    box("terminate", "box").ok()
    box("export", "box", place / "x.tar").ok()


def test_distro_is_busy_during_export(noise, place):
    """It is listed as exporting, and cannot be started or removed."""
    reader, writer = os.pipe()
    process = noise.start("export", "noise", "-", stdout=writer)
    os.close(writer)
    os.read(reader, 1)
    assert noise.info("noise")["state"] == "exporting"
    noise("run", "-d", "noise", "true").failed(125, "distro.busy", "exported by process")
    noise("unregister", "noise").failed(1, "distro.busy", "exported by process")
    noise("export", "noise", place / "x.tar").failed(1, "distro.busy", "exported by process")
    nothing_left(place)
    while os.read(reader, 1 << 20):
        pass
    os.close(reader)
    assert process.wait(timeout=LIMIT) == 0
    noise.finish(process)


def test_case_52_closed_pipe(noise):
    reader, writer = os.pipe()
    process = noise.start("export", "noise", "-", stdout=writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    noise.finish(process).failed(1, "export.write.closed", hint=False)


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.zst", "x.tar.xz", "x.ext4"])
@pytest.mark.parametrize("old", [False, True])
def test_case_52_no_space(noise, place, name, old):
    """A file size limit stands in for a full disk; the existing file is kept."""
    if old:
        (place / name).write_text("mine")
    result = noise("export", "noise", place / name, "--force", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
    assert result.status == 1 and result.code.endswith(".too-big"), result
    nothing_left(place, *([name] if old else []))
    assert not old or (place / name).read_text() == "mine"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_case_52_a_full_device(noise):
    noise("export", "noise", "/dev/full").failed(1, "export.write.no-space")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_case_52_signal_stops_it(noise, place, number):
    """While the reader of its output blocks it."""
    os.mkfifo(place / "pipe")
    process = noise.start("export", "noise", place / "pipe")
    with (place / "pipe").open("rb") as reader:
        reader.read(1)
        process.send_signal(number)
        noise.finish(process).failed(-number, "export.cancelled", "cancelled", hint=False)
    noise("unregister", "noise").ok()


def test_case_52_a_killed_export_leaves_nothing(noise, place):
    process = noise.start("export", "noise", place / "x.tar.xz")
    wait_for(lambda: noise.info("noise")["state"] == "exporting")
    process.kill()
    noise.finish(process)
    nothing_left(place)
    noise("export", "noise", place / "x.tar").ok()


# --- invalid images ---

def patch(path, offset, data):
    with open(path, "r+b") as image:
        image.seek(offset)
        image.write(data)


def set_superblock(path, offset, data):
    """Write @data at @offset of the superblock, and update its checksum."""
    with open(path, "r+b") as image:
        image.seek(1024)
        block = bytearray(image.read(1024))
        block[offset:offset + len(data)] = data
        block[1020:1024] = struct.pack("<I", crc32c(block[:1020]))
        image.seek(1024)
        image.write(block)


def crc32c(data, value=0xffffffff):
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
    return value


def test_unreplayed_journal_is_refused(box, place):
    """The guest's last writes are only in the journal, so the export is refused."""
    incompatible, recover = 96, 4
    with open(image_of(box, "box"), "rb") as image:
        image.seek(1024 + incompatible)
        features, = struct.unpack("<I", image.read(4))
    set_superblock(image_of(box, "box"), incompatible, struct.pack("<I", features | recover))
    result = box("export", "box", place / "x.tar").failed(1, "export.read.unclean")
    assert "start" in result.hint and "stop" in result.hint
    nothing_left(place)


@pytest.mark.parametrize("what", ["nothing", "zeros", "cut", "features", "superblock"])
def test_non_ext4_disk_is_refused(box, place, what):
    disk = image_of(box, "box")
    if what == "nothing":
        os.truncate(disk, 0)
    elif what == "zeros":
        patch(disk, 1024, bytes(1024))
    elif what == "cut":
        os.truncate(disk, os.stat(disk).st_size // 2)
    elif what == "features":
        set_superblock(disk, 96, struct.pack("<I", 0xffff0000))
    elif what == "superblock":
        patch(disk, 1024 + 4, b"\x01")
    result = box("export", "box", place / "x.tar")
    assert result.status == 1 and result.code.startswith("export.read."), result
    nothing_left(place)
