"""What the guest's carrier does with requests before and after a suspend (carrier_link.h), with a server that the test
plays."""
import select
import struct

from conftest import wait_until
from test_carrier import CHANGES, ENOENT, GETXATTR, LOOKS, REPLIES, RMDIR, STATFS, WRITE, Tree, ask, begin_again, carried, states, use_piped
from waiting import LIMIT

HOLD, UNHOLD, HELD = 1, 2, 3  # of carrier_link.h
PROBE = 2**64 - 2
WORD = struct.Struct("=II")


def say(carried, word, number=0):
    carried.agent.send(WORD.pack(word, number))


def has_held(carried):
    ready, _, _ = select.select([carried.agent], [], [], 0)
    return carried.agent in ready


def heard(carried):
    carried.agent.settimeout(LIMIT)
    return WORD.unpack(carried.agent.recv(64))


def answer_probe(host):
    """The first request after a hold."""
    opcode, unique, *_ = host.request()
    assert (opcode, unique) == (STATFS, PROBE)
    host.answer(unique, REPLIES[STATFS])


def answer_last_probe(host):
    """The last one before a hold: the kernel may have sent releases and forgets in its own time."""
    request = host.serve(held=STATFS)
    assert request[1] == PROBE
    host.answer_request(request)


def write_under_way(carried):
    host = Tree(carried).begin()
    process = use_piped(carried.directory, CHANGES[WRITE])
    return host, process, host.serve(held=WRITE)


WRITTEN = struct.pack("<II", 1, 0)


def test_a_hold_waits_for_changes_and_for_the_probe(carried):
    host, process, write = write_under_way(carried)
    reader = use_piped(carried.directory, LOOKS[GETXATTR])
    read = host.serve(held=GETXATTR)
    say(carried, HOLD, 7)
    answer_last_probe(host)
    host.answer_request(read)
    assert reader.wait() == 0  # so the answers before it were handled
    assert not has_held(carried)
    host.answer(write[1], WRITTEN)
    assert heard(carried) == (HELD, 7)
    say(carried, UNHOLD)
    answer_probe(host)
    host.serve(until=process.stdout)
    assert process.wait() == 0
    reader.stdout.close()
    process.stdout.close()


def test_a_hold_without_an_answer_of_the_probe_is_none(carried):
    host = Tree(carried).begin()
    say(carried, HOLD, 1)
    probe = host.serve(held=STATFS)
    assert probe[1] == PROBE and not has_held(carried)
    host.answer(probe[1], error=ENOENT)
    assert heard(carried) == (HELD, 1)


def test_nothing_is_sent_while_requests_are_held(carried):
    """Nor after it, before the server is known to be there."""
    host = Tree(carried).begin()
    for number in range(20):
        say(carried, HOLD, number)
        answer_last_probe(host)
        assert heard(carried) == (HELD, number)
        process = ask(carried.directory / f"missing-{number}")
        say(carried, UNHOLD)
        answer_probe(host)
        host.serve(until=process.stdout)
        assert process.wait() == ENOENT
        process.stdout.close()


def test_a_held_request_goes_to_the_next_server(carried):
    """A change, too: nobody had it."""
    host = Tree(carried).begin()
    for number in range(20):
        say(carried, HOLD, number)
        answer_last_probe(host)
        assert heard(carried) == (HELD, number)
        process = use_piped(carried.directory, CHANGES[RMDIR])
        wait_until(lambda: states(process.pid)[0] in "SD", "the request")
        host.port.close()
        host = begin_again(carried)
        say(carried, UNHOLD)
        host.serve(until=process.stdout)
        assert process.wait() == 0
        process.stdout.close()


def test_a_server_that_took_a_probe_and_ended_is_replaced(carried):
    """As one that ended while the machine was suspended, before the guest's kernel knows."""
    host = Tree(carried).begin()
    say(carried, HOLD, 1)
    answer_last_probe(host)
    assert heard(carried) == (HELD, 1)
    process = use_piped(carried.directory, CHANGES[RMDIR])
    say(carried, UNHOLD)
    assert host.request()[1] == PROBE
    host.port.close()
    host = begin_again(carried)
    host.serve(until=process.stdout)
    assert process.wait() == 0
    process.stdout.close()


def test_what_only_looks_does_not_keep_a_hold_waiting(carried):
    """It is asked again, however many servers had it: a suspend is not its fault."""
    host = Tree(carried).begin()
    process = use_piped(carried.directory, LOOKS[GETXATTR])
    request = host.serve(held=GETXATTR)
    for number in range(5):
        say(carried, HOLD, number)
        answer_last_probe(host)
        assert heard(carried) == (HELD, number)
        host.port.close()
        host = begin_again(carried)
        say(carried, UNHOLD)
        assert host.serve(held=GETXATTR) == request
    host.answer_request(request)
    host.serve(until=process.stdout)
    assert process.wait() == 0
    process.stdout.close()


def test_a_servers_end_ends_the_wait_of_a_hold(carried):
    host, process, _ = write_under_way(carried)
    say(carried, HOLD, 3)
    assert host.serve(held=STATFS)[1] == PROBE
    host.port.close()
    assert heard(carried) == (HELD, 3)
    say(carried, HOLD, 4)  # there is no server
    assert heard(carried) == (HELD, 4)
    host = begin_again(carried)
    say(carried, UNHOLD)
    host.serve(until=process.stdout)
    assert process.wait() == 0  # it was asked again
    process.stdout.close()
