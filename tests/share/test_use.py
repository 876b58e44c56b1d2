"""What counts as use of the shares, where the keeper reads it."""
import os
import struct

import pytest

from conftest import wait_until
from test_carrier_hold import HELD, HOLD, UNHOLD, heard, say
from test_events import CHANGES, both, write  # noqa: F401, both is a fixture

AT = 32  # wire/share_report.h


def requests(mounted):
    """0 before the first."""
    return struct.unpack("=Q", os.pread(mounted.ledger, 8, AT) or bytes(8))[0]


USES = {
    "stat": lambda at: os.stat(at / "new"),
    "list": lambda at: os.listdir(at),
    "read": lambda at: (at / "file").read_bytes(),
    "write": lambda at: write(at / "file", "again"),
    "create": lambda at: write(at / "another"),
    "mkdir": lambda at: os.mkdir(at / "directory"),
    "rename": lambda at: os.rename(at / "file", at / "renamed"),
}


@pytest.mark.parametrize("what", USES)
def test_what_a_program_does(mounted, source, share, what):
    write(source / "file")
    write(source / "new")
    before = requests(mounted)
    USES[what](share)
    assert requests(mounted) > before


def test_what_is_cached(mounted, share):
    """Once the server has seen that the events of the write are the guest's own."""
    write(share / "file")

    def is_cached():
        before = requests(mounted)
        for _ in range(10):
            os.stat(share / "file")
        return requests(mounted) == before
    wait_until(is_cached, "stat without a request")


@pytest.mark.parametrize("what", CHANGES)
def test_what_the_host_changes_is_none(mounted, source, both, what):  # noqa: F811
    """It is repeated in the guest, whose watchers see it."""
    each = both()
    before = requests(mounted)
    CHANGES[what](source)
    each.check()
    assert requests(mounted) == before


def test_a_suspend_is_none(mounted, share):
    os.listdir(share)
    before = requests(mounted)
    for number in range(3):
        say(mounted, HOLD, number)
        assert heard(mounted) == (HELD, number)
        say(mounted, UNHOLD)
    assert requests(mounted) == before


def test_another_server_goes_on_counting(mounted, source, share):
    os.listdir(share)
    before = requests(mounted)
    mounted.replace(("rw", source, "/home/ann"))
    write(share / "file")
    assert requests(mounted) > before
