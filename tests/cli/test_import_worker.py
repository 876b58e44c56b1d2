"""The worker that reads archives crashes, hangs or misbehaves."""
import os
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, tar_bytes, wait_for
from waiting import LIMIT


def replace_worker(berth, script):
    """Replace the worker by a shell script; 3 is the archive, 4 the image, 5 the status pipe."""
    program = berth.support / "berth-image"
    program.unlink()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def nothing_left(berth):
    assert berth.names() == [] and berth.left_over() == []


def workers(berth):
    """The pids of this home's berth-image processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == str(berth.support / "berth-image").encode():
            found.append(int(process.name))
    return found


def is_locked_in(process):
    return "\nSeccomp:\t2\n" in Path(f"/proc/{process}/status").read_text()


def open_files(process):
    return {int(f.name): os.readlink(f) for f in Path(f"/proc/{process}/fd").iterdir()}


def start_waiting(berth):
    """Start an import that waits for more of its archive; return its worker."""
    process = berth.start("import", "x", "-", stdin=subprocess.PIPE)
    process.stdin.write(tar_bytes()[:2048])
    process.stdin.flush()
    return process, wait_for(lambda: workers(berth))[0]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGSYS])
def test_crashing_worker_is_reported(berth, rootfs, number):
    replace_worker(berth, f"head -c 1000 <&3 >&4; kill -{int(number)} $$")
    berth("import", "x", rootfs).failed(
        1, "import.worker.crashed",
        f"import x: the archive made the reader crash (signal {int(number)})")
    nothing_left(berth)


def test_case_52_the_worker_is_killed(berth):
    process, worker = start_waiting(berth)
    os.kill(worker, signal.SIGKILL)
    result = berth.finish(process)
    result.failed(1, "import.worker.killed", "was killed (signal 9)")
    nothing_left(berth)


def test_case_52_berth_is_killed(berth, rootfs):
    """Its worker dies with it, and the next import cleans up."""
    process, worker = start_waiting(berth)
    process.kill()
    process.communicate()
    wait_for(lambda: not workers(berth))
    assert berth.names() == []
    assert not list(berth.data.glob("distros/*/*"))  # the image never got a name
    berth("import", "y", rootfs).ok()
    assert berth.names() == ["y"] and berth.left_over() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_case_52_signal_stops_a_hung_worker(berth, rootfs, number):
    replace_worker(berth, "trap '' INT TERM; exec sleep 1000")
    process = berth.start("import", "x", rootfs)
    wait_for(lambda: list(berth.data.glob("distros/*")))
    process.send_signal(number)
    berth.finish(process, timeout=LIMIT).failed(-number, "import.cancelled", "cancelled", hint=False)
    nothing_left(berth)


def test_case_52_ctrl_c_ends_both_processes(berth):
    """The terminal's signal reaches the worker, too; the error reports the user's cancellation."""
    process = berth.start("import", "x", "-", stdin=subprocess.PIPE, start_new_session=True)
    process.stdin.write(tar_bytes()[:2048])
    process.stdin.flush()
    wait_for(lambda: workers(berth))
    os.killpg(process.pid, signal.SIGINT)
    berth.finish(process, timeout=LIMIT).failed(-signal.SIGINT, "import.cancelled", "cancelled", hint=False)
    assert workers(berth) == []
    nothing_left(berth)


def test_case_52_the_input_is_closed(berth):
    result = berth("import", "x", "-", data=tar_bytes()[:3000])
    result.failed(1, "import.read.truncated", "standard input")
    nothing_left(berth)


def test_case_52_closed_standard_input(berth):
    result = berth("import", "x", "-", preexec_fn=lambda: os.close(0), stdin=None)
    result.failed(1, result.code, "import x: ")
    assert result.code.startswith("import."), result
    nothing_left(berth)


def test_missing_worker(berth, rootfs):
    (berth.support / "berth-image").unlink()
    berth("import", "x", rootfs).failed(1, "import.worker.start", "berth-image")
    nothing_left(berth)


def test_silent_worker(berth, rootfs):
    replace_worker(berth, "exit 3")
    berth("import", "x", rootfs).failed(1, "import.worker.silent", "status 3")
    nothing_left(berth)


def test_worker_reports_success_and_fails(berth, rootfs):
    replace_worker(berth, "echo report 1 2 >&5; exit 1")
    berth("import", "x", rootfs).failed(1, "import.worker.silent", "status 1")
    nothing_left(berth)


@pytest.mark.parametrize("words", ["who are you", "progress one two three", "report 1 2 3 4 5 6 7 8 9",
                                   "error 1 2", "$(head -c 9000 /dev/zero | tr '\\0' w)"])
def test_worker_breaks_the_protocol(berth, rootfs, words):
    replace_worker(berth, f'echo "{words}" >&5; exec sleep 1000')
    berth("import", "x", rootfs).failed(1, "import.worker.protocol")
    nothing_left(berth)


def test_worker_output_is_sanitised(berth, rootfs):
    replace_worker(berth, r"printf 'error 3\tid\thint\033[31m\tred\033]0;title\007\n' >&5; "
                          r"printf '\033[31m'; printf '\033[31m' >&2; exit 1")
    result = berth("import", "x", rootfs).failed(1, "id", "red?]0;title?")
    assert "\033" not in result.err and result.hint == "hint?[31m"
    nothing_left(berth)


@pytest.mark.as_root  # the process is not inspectable by its own user
def test_worker_has_only_its_descriptors(berth, rootfs, tmp_path):
    """The descriptors it has open: the archive, the image, a spool file, the pipe, and /dev/null."""
    process, worker = start_waiting(berth)
    try:
        wait_for(lambda: is_locked_in(worker))  # earlier it still loads libraries
        names = open_files(worker)
    finally:
        process.kill()
        process.communicate()
    assert {names.pop(fd) for fd in (0, 1, 2)} == {"/dev/null"}
    assert names.pop(3).startswith("pipe:") and names.pop(5).startswith("pipe:")
    image, spool = names.pop(4), names.pop(6)
    assert image.startswith(str(berth.data)) and spool.startswith(str(berth.data))
    # libext2fs duplicates the image's descriptor, and the reader's thread has an eventfd.
    assert set(names.values()) <= {image, "anon_inode:[eventfd]"}, names


def test_berth_links_no_parser():
    """Only the worker links libraries that parse foreign files."""
    linked = subprocess.run(["ldd", BUILD / "cmd/berth"], capture_output=True, text=True).stdout
    for library in ("libarchive", "libext2fs", "libicu", "liblzma", "libzstd"):
        assert library not in linked, linked
