# SPDX-License-Identifier: MIT
"""The guest's end of `berth cp`: its streams, written a second time from lib/transfer/stream.h alone."""

import errno
import os
import pwd
import stat
import struct

import pytest
import wire

PROGRAM = "/proc/self/exe"
VERSION = 1
(BEGIN, DIRECTORY, LEAVE, FILE, ATTRIBUTE, FILE_DATA, FILE_END, FILE_LOST, SYMLINK, LINK, PROBLEM,
 END) = range(128, 140)
STEP_OPEN, STEP_CREATE = 0, 7
SECONDS, NANOSECONDS = 1000000000, 123456789


def begin(version=VERSION):
    return wire.frame(BEGIN, struct.pack("<I", version))


def meta(mode):
    return struct.pack("<IQIQI", mode, SECONDS, 0, SECONDS, NANOSECONDS)


def file_head(name, mode=0o644):
    return wire.frame(FILE, meta(mode) + wire.string(name) + struct.pack("<QB", 0, 0))


def file_data(content, offset=0):
    return wire.frame(FILE_DATA, struct.pack("<Q", offset) + content)


def whole_file(name, content, mode=0o644):
    return (file_head(name, mode) + file_data(content)
            + wire.frame(FILE_END, struct.pack("<Q", len(content))))


def directory(name, *entries, mode=0o755):
    return wire.frame(DIRECTORY, meta(mode) + wire.string(name)) + b"".join(entries) + wire.frame(LEAVE)


def frames(data):
    """(type, payload) of each frame in @data, which they fill."""
    found = []
    while data:
        size, type_, channel, zero, stream = wire.HEADER.unpack_from(data)
        assert (channel, zero, stream) == (0, 0, 0)
        assert len(data) >= wire.HEADER.size + size
        found.append((type_, data[wire.HEADER.size:wire.HEADER.size + size]))
        data = data[wire.HEADER.size + size:]
    return found


def problems(data):
    """(step, errno, path) of a whole stream of reports."""
    found = frames(data)
    assert found[0] == (BEGIN, struct.pack("<I", VERSION)), found
    assert found[-1] == (END, b""), found
    said = []
    for type_, payload in found[1:-1]:
        assert type_ == PROBLEM, found
        fields = wire.Fields(payload)
        said.append((fields.number("B"), fields.number("I"), fields.string()))
        fields.end()
    return said


def run(host, *arguments, **options):
    return host.run(PROGRAM, "--copy", *arguments, **options)


def receive(host, path, *entries, **options):
    stream = begin() + b"".join(entries) + wire.frame(END)
    return run(host, "receive", "--", str(path), stdin=stream, **options)


def test_receives_a_tree(host, tmp_path):
    got = receive(host, tmp_path / "new", directory(
        "sent", whole_file("file", b"content", 0o4640), directory("empty", mode=0o1700),
        wire.frame(SYMLINK, meta(0o777) + wire.string("link") + wire.string("file"))))
    assert got.exit == (wire.EXITED, 0)
    assert problems(got.stdout) == []
    new = tmp_path / "new"
    assert sorted(os.listdir(new)) == ["empty", "file", "link"]
    assert (new / "file").read_bytes() == b"content"
    info = (new / "file").stat()
    assert stat.S_IMODE(info.st_mode) == 0o640
    assert info.st_mtime_ns == SECONDS * 10**9 + NANOSECONDS
    assert stat.S_IMODE((new / "empty").stat().st_mode) == 0o1700
    assert os.readlink(new / "link") == "file"


def test_sends_a_tree(host, tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 1000)
    os.symlink("nowhere", tmp_path / "link")
    got = run(host, "send", "-r", "--", str(tmp_path))
    assert got.exit == (wire.EXITED, 0)
    found = frames(got.stdout)
    assert [found[0][0], found[1][0], found[-2][0], found[-1][0]] == [BEGIN, DIRECTORY, LEAVE, END]
    data = b"".join(payload[8:] for type_, payload in found if type_ == FILE_DATA)
    assert data == (tmp_path / "file").read_bytes()
    fields = wire.Fields(dict(found)[SYMLINK])
    fields.read(len(meta(0)))
    assert (fields.string(), fields.string()) == ("link", "nowhere")
    fields.end()


def test_sent_stream_can_be_received(host, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for number in range(50):
        (source / f"file {number}").write_text(f"{number}\n" * number)
    os.link(source / "file 1", source / "other")
    sent = run(host, "send", "-r", "--", str(source))
    got = run(host, "receive", "--", str(tmp_path / "copy"), stdin=sent.stdout)
    assert problems(got.stdout) == []
    copy = tmp_path / "copy"
    assert {p.name: p.read_text() for p in copy.iterdir()} == {p.name: p.read_text() for p in source.iterdir()}
    assert (copy / "other").stat().st_nlink == 2


def test_home_is_where_relative_paths_begin(host, me, tmp_path):
    name = f".berth-test-{os.getpid()}"
    try:
        for path in name, f"~/{name}":
            assert problems(receive(host, path, whole_file("x", b"x")).stdout) == []
            with open(f"{me.pw_dir}/{name}", "rb") as file:
                assert file.read() == b"x"
            os.unlink(f"{me.pw_dir}/{name}")
    finally:
        if os.path.exists(f"{me.pw_dir}/{name}"):
            os.unlink(f"{me.pw_dir}/{name}")


def test_missing_file_is_reported(host, tmp_path):
    got = run(host, "send", "--", f"{tmp_path}/none")
    assert got.exit == (wire.EXITED, 0)
    assert problems(got.stdout) == [(STEP_OPEN, errno.ENOENT, f"{tmp_path}/none")]


def test_missing_directory_is_reported(host, tmp_path):
    got = receive(host, tmp_path / "none" / "file", whole_file("x", b"x"))
    assert got.exit == (wire.EXITED, 1)
    assert frames(got.stdout)[1][0] == PROBLEM


def test_hang_up_leaves_no_half_file(host, tmp_path):
    (tmp_path / "file").write_text("before")
    session = host.open(PROGRAM, "--copy", "receive", "--", str(tmp_path))
    session.write(begin() + file_head("file") + file_data(b"half"))
    host.until(lambda: len(os.listdir(tmp_path)) == 2)  # the temporary one is there
    session.close()
    host.until(lambda: session.over)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "before"


@pytest.mark.parametrize("number", [1, 2, 15])
def test_signal_leaves_no_half_file(host, tmp_path, number):
    session = host.open(PROGRAM, "--copy", "receive", "--", str(tmp_path))
    session.write(begin() + file_head("file") + file_data(b"half"))
    host.until(lambda: len(os.listdir(tmp_path)) == 1)
    session.signal(number)
    host.until(lambda: session.over)
    assert session.exit == (wire.EXITED, 1)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("stream", [
    b"", b"\xff" * 64, begin(VERSION + 1), begin() + wire.frame(LEAVE), begin() + file_head(".."),
    begin() + file_head("../out"), begin() + file_head("a") + wire.frame(END)])
def test_malformed_stream(host, tmp_path, stream):
    inside = tmp_path / "inside"
    inside.mkdir()
    got = run(host, "receive", "--", str(inside), stdin=stream)
    assert got.exit == (wire.EXITED, 1)
    assert os.listdir(tmp_path) == ["inside"] and os.listdir(inside) == []
    assert END not in dict(frames(got.stdout))


@pytest.mark.parametrize("arguments", [[], ["send"], ["send", "--"], ["send", "-x", "--", "a"], ["other", "--", "a"],
                                       ["receive", "--", "a", "b"]])
def test_other_arguments(host, arguments):
    assert run(host, *arguments).exit == (wire.EXITED, 2)


@pytest.mark.as_root
def test_permissions_are_the_users(host, tmp_path):
    nobody = pwd.getpwnam("nobody")
    for path in [tmp_path, *tmp_path.parents][:4]:
        if path.stat().st_uid == os.getuid() and str(path).startswith("/tmp/"):
            os.chmod(path, 0o755)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", nobody.pw_uid, nobody.pw_gid)
    got = run(host, "send", "--", f"{tmp_path}/secret", user="nobody")
    assert problems(got.stdout) == [(STEP_OPEN, errno.EACCES, f"{tmp_path}/secret")]
    got = receive(host, tmp_path, whole_file("file", b"x"), user="nobody")
    assert problems(got.stdout) == [(STEP_CREATE, errno.EACCES, f"{tmp_path}/file")]
    got = receive(host, tmp_path / "theirs", whole_file("file", b"x"), user="nobody")
    assert problems(got.stdout) == []
    assert (tmp_path / "theirs/file").stat().st_uid == nobody.pw_uid
