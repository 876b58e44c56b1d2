# SPDX-License-Identifier: MIT
"""MEASURE: what the distro uses of its memory and its disk."""
import os
import struct

import wire


def measure(host):
    """The answer: memory, available, disk, used."""
    before = len(host.find(wire.MEASURED))
    host.queue(wire.frame(wire.MEASURE))
    host.until(lambda: len(host.find(wire.MEASURED)) > before)
    return struct.unpack("<QQQQ", host.find(wire.MEASURED)[-1].payload)


def test_memory_and_disk(start_agent, tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemFree: 1 kB\nMemAvailable: 512 kB\n")
    host = start_agent("--no-listeners", "--proc", str(tmp_path)).host
    memory, available, disk, used = measure(host)
    assert (memory, available) == (2048 << 10, 512 << 10)
    root = os.statvfs("/")
    assert disk == root.f_blocks * root.f_frsize
    assert 0 < used <= disk
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemAvailable: 100 kB\n")
    assert measure(host)[1] == 100 << 10


def test_without_a_proc(start_agent, tmp_path):
    host = start_agent("--no-listeners", "--proc", str(tmp_path / "none")).host
    assert measure(host)[:2] == (0, 0)
