# SPDX-License-Identifier: MIT
"""FREEZE and THAW, with a directory in place of the hierarchy of control groups."""

import socket
import struct

import pytest
import wire


def own_group():
    """The agent's group right below the root, or ""."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        lines = [line.strip().split(":", 2) for line in file]
    path = next((path for number, _, path in lines if number == "0"), "/")
    return path.split("/")[1]


class Groups:
    def __init__(self, root):
        self.root, self.names = root, ["system.slice", "user.slice", "machine.slice"]
        for name in [*self.names, *filter(None, [own_group()])]:
            (root / name).mkdir()
            (root / name / "cgroup.freeze").write_text("0")
            self.report(name, 0)
        (root / "cgroup.procs").touch()

    def report(self, name, frozen):
        """As the kernel, once all processes of the group are."""
        (self.root / name / "cgroup.events").write_text(f"populated 1\nfrozen {frozen}\n")

    def are(self, value):
        return all((self.root / name / "cgroup.freeze").read_text() == value for name in self.names)


@pytest.fixture
def groups(tmp_path):
    return Groups(tmp_path)


@pytest.fixture
def host(start_agent, groups):
    return start_agent("--no-listeners", "--cgroups", str(groups.root)).host


def freeze(host, groups):
    before = len(host.find(wire.FROZEN))
    host.queue(wire.frame(wire.FREEZE))
    host.until(lambda: groups.are("1"))
    for name in groups.names:
        groups.report(name, 1)
    host.until(lambda: len(host.find(wire.FROZEN)) > before)
    return wire.Fields(host.find(wire.FROZEN)[-1].payload).string()


def test_all_groups_but_its_own(host, groups):
    assert freeze(host, groups) == ""
    if own_group():
        assert (groups.root / own_group() / "cgroup.freeze").read_text() == "0"
    assert host.run("echo", "on").stdout == b"on\n"  # the agent itself goes on
    host.queue(wire.frame(wire.THAW))
    host.until(lambda: groups.are("0"))


def test_again_and_again(host, groups):
    for count in range(1, 6):
        assert freeze(host, groups) == ""
        assert len(host.find(wire.FROZEN)) == count
        host.queue(wire.frame(wire.THAW))
        host.until(lambda: groups.are("0"))


def test_a_thaw_while_it_freezes(host, groups):
    """Nothing is reported as frozen: the freezer would wait. All continue, and the next freeze works."""
    host.queue(wire.frame(wire.FREEZE))
    host.queue(wire.frame(wire.THAW))
    host.run("true")  # both were handled
    host.until(lambda: groups.are("0"))
    assert freeze(host, groups) == ""


def test_a_freeze_after_a_thaw(host, groups):
    """It waits for the end of the freezer that the thaw killed, and is answered."""
    for count in range(1, 11):
        host.queue(wire.frame(wire.FREEZE) + wire.frame(wire.THAW))
        assert freeze(host, groups) == ""
        assert len(host.find(wire.FROZEN)) == count
        host.queue(wire.frame(wire.THAW))
        host.until(lambda: groups.are("0"))
        for name in groups.names:
            groups.report(name, 0)


def test_only_the_last_of_several_is_answered(host, groups):
    host.queue((wire.frame(wire.FREEZE) + wire.frame(wire.THAW)) * 10)
    host.run("true")  # all were handled
    host.until(lambda: groups.are("0"))
    assert freeze(host, groups) == ""
    assert len(host.find(wire.FROZEN)) == 1


def test_one_that_cannot_be_frozen(host, groups):
    """It is named by its reason, and the others continue."""
    file = groups.root / "user.slice" / "cgroup.freeze"
    file.unlink()
    file.mkdir()
    groups.names.remove("user.slice")
    host.queue(wire.frame(wire.FREEZE))
    assert host.until_machine(wire.FROZEN).string() == "Is a directory"
    assert groups.are("0")


def test_one_that_was_removed(host, groups):
    (groups.root / "user.slice" / "cgroup.freeze").unlink()
    groups.names.remove("user.slice")
    (groups.root / "user.slice" / "cgroup.events").unlink()
    assert freeze(host, groups) == ""


def test_no_hierarchy(start_agent, tmp_path):
    for options in ([], ["--cgroups", str(tmp_path / "none")]):
        host = start_agent("--no-listeners", *options).host
        host.queue(wire.frame(wire.FREEZE))
        assert host.until_machine(wire.FROZEN).string() == ""
        host.queue(wire.frame(wire.THAW))
        assert host.run("echo", "on").stdout == b"on\n"


# ---- the carrier of the shares ----

HOLD, RELEASE, HELD, LOST, FOUND = 1, 2, 3, 4, 5  # of carrier_link.h
WORD = struct.Struct("=II")


class Carrier:
    def __init__(self):
        self.socket, self.agents = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(180)

    def hears(self):
        return WORD.unpack(self.socket.recv(64))

    def says(self, word, number):
        self.socket.send(WORD.pack(word, number))


@pytest.fixture
def carrier():
    made = Carrier()
    yield made
    made.socket.close()
    made.agents.close()


@pytest.fixture
def sharing(start_agent, groups, carrier):
    number = carrier.agents.fileno()
    started = start_agent("--no-listeners", "--cgroups", str(groups.root), "--carrier", str(number), pass_fds=[number])
    carrier.agents.close()
    return started.host


def freeze_processes(host, groups):
    host.queue(wire.frame(wire.FREEZE))
    host.until(lambda: groups.are("1"))
    for name in groups.names:
        groups.report(name, 1)



def test_requests_to_shares_are_held_once_all_is_frozen(sharing, groups, carrier):
    for count in range(1, 6):
        freeze_processes(sharing, groups)
        assert carrier.hears() == (HOLD, count)
        assert sharing.run("echo", "on").stdout == b"on\n"
        assert len(sharing.find(wire.FROZEN)) == count - 1
        carrier.says(HELD, count)
        sharing.until(lambda: len(sharing.find(wire.FROZEN)) == count)
        sharing.queue(wire.frame(wire.THAW))
        sharing.until(lambda: groups.are("0"))
        assert carrier.hears() == (RELEASE, 0)
        for name in groups.names:
            groups.report(name, 0)


def test_a_thaw_while_requests_are_under_way(sharing, groups, carrier):
    """The answer to the former hold comes late, and is not taken for that to the next."""
    freeze_processes(sharing, groups)
    assert carrier.hears() == (HOLD, 1)
    sharing.queue(wire.frame(wire.THAW))
    sharing.until(lambda: groups.are("0"))
    assert carrier.hears() == (RELEASE, 0)
    carrier.says(HELD, 1)
    freeze_processes(sharing, groups)
    assert carrier.hears() == (HOLD, 2)
    carrier.says(HELD, 1)
    assert sharing.run("echo", "on").stdout == b"on\n"
    assert sharing.find(wire.FROZEN) == []
    carrier.says(HELD, 2)
    assert sharing.until_machine(wire.FROZEN).string() == ""


def test_the_carriers_end_ends_the_wait(sharing, groups, carrier):
    freeze_processes(sharing, groups)
    assert carrier.hears() == (HOLD, 1)
    carrier.socket.close()
    assert sharing.until_machine(wire.FROZEN).string() == ""
    sharing.queue(wire.frame(wire.THAW))
    sharing.until(lambda: groups.are("0"))


def test_what_cannot_be_frozen_holds_nothing(sharing, groups, carrier):
    file = groups.root / "user.slice" / "cgroup.freeze"
    file.unlink()
    file.mkdir()
    sharing.queue(wire.frame(wire.FREEZE))
    assert sharing.until_machine(wire.FROZEN).string() == "Is a directory"
    sharing.queue(wire.frame(wire.THAW))
    assert sharing.run("echo", "on").stdout == b"on\n"
    assert carrier.hears() == (RELEASE, 0)
