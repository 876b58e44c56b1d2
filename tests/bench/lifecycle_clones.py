# SPDX-License-Identifier: MIT
"""The rows of tests/bench/lifecycle about copies of a Debian that have its memory."""
import concurrent.futures
import contextlib
import socket
import statistics
import subprocess
import time
from pathlib import Path

import ports
from measure import below, private, timed
from waiting import wait_for

CLONES = 8
CLONE_MAX, PARALLEL_MAX, OWN_MAX, PAUSE_MAX = 0.08, 3, 110, 60


def cold_starts(host, name, runs):
    """The median of `berth run true` of a stopped distro, which is suspended then."""
    times = []
    for _ in range(runs):
        host("terminate", name)
        times.append(timed(lambda: host.run(name, "true")))
    host("suspend", name)
    return statistics.median(times)


def throw_away(host, name):
    return timed(lambda: host("run", "--rm", "-d", name, "true"))


def clone_live(host, name):
    def clone():
        host("clone", "--live", name, "twin")
        host.run("twin", "true")
    taken = timed(clone)
    host("unregister", "twin")
    return taken


def clones_row(host, options, report):
    host("import", "--no-user", "debian", options.debian)
    cold = cold_starts(host, "debian", options.runs)
    throw_away(host, "debian")  # the source's memory is sealed by the first one
    one = statistics.median(throw_away(host, "debian") for _ in range(options.runs))
    live = statistics.median(clone_live(host, "debian") for _ in range(options.runs))
    eight = []
    for _ in range(options.runs):
        with concurrent.futures.ThreadPoolExecutor(CLONES) as pool:
            eight.append(timed(lambda: list(pool.map(throw_away, [host] * CLONES, ["debian"] * CLONES))))
    report.row("run --rm true, cold start", one * 1000, "ms", one / cold, CLONE_MAX, cold * 1000)
    report.row("live clone and command, cold", live * 1000, "ms", live / cold, CLONE_MAX, cold * 1000)
    ours = statistics.median(eight)
    report.row("run --rm true, 8 at once, one", ours * 1000, "ms", ours / one, PARALLEL_MAX, one * 1000)
    host("unregister", "debian")


def own_row(host, options, report):
    host("import", "--no-user", "debian", options.debian)
    host.run("debian", "true")
    host("suspend", "debian")
    disk = Path(host.info("debian")["disk"])
    before = disk.stat()
    with contextlib.ExitStack() as stack:
        clones = [stack.enter_context(host.spawn("run", "--rm", "-d", "debian", "--", "sh", "-c", "echo up; cat",
                                                 text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
                  for _ in range(CLONES)]
        assert [clone.stdout.readline() for clone in clones] == ["up\n"] * CLONES
        keepers = [row["keeper_pid"] for row in host.json("list")["distros"] if row.get("template") == "debian"]
        sizes = [sum(private(pid) for pid in below(keeper)) for keeper in keepers]
        for clone in clones:
            clone.stdin.close()
    after = disk.stat()
    assert len(sizes) == CLONES and (after.st_mtime_ns, after.st_blocks) == (before.st_mtime_ns, before.st_blocks)
    report.row("own memory of 8 clones, largest", max(sizes), "MiB", max(sizes), OWN_MAX)
    host("unregister", "debian")


class Echo:
    """The times in ms that a distro takes to send a byte back, over a connection that stays, from now to end()."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), 60)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.times, self.ended = [], False
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.turn()
        self.running = self.pool.submit(self.run)

    def turn(self):
        self.connection.sendall(b"1")
        assert self.connection.recv(1) == b"1"

    def run(self):
        while not self.ended:
            self.times.append(timed(self.turn) * 1000)
            time.sleep(0.002)

    def end(self):
        self.ended = True
        self.running.result()
        self.pool.shutdown()
        self.connection.close()


ECHO = """import socket
server = socket.create_server(("", {port}))
while True:
    client, _ = server.accept()
    while data := client.recv(16):
        client.sendall(data)
"""


def answers(port):
    try:
        Echo(port).end()
    except (OSError, AssertionError):
        return False
    return True


def longest_echo(port, action):
    """The longest echo during @action, beyond the median before it."""
    echo = Echo(port)
    wait_for(lambda: len(echo.times) >= 200, what="the echoes")
    usual, begun = statistics.median(echo.times), len(echo.times)
    action()
    echo.end()
    return max(echo.times[begun:]) - usual


def pause_row(host, options, report):
    host("import", "--no-user", "debian", options.debian)
    port = ports.free_port()
    host.shell("debian", "head -c 100000000 /dev/urandom >/dev/shm/used; cat >/run/echo.py; "
               "systemd-run -q --collect python3 /run/echo.py", input=ECHO.format(port=port))
    wait_for(lambda: answers(port), what="the echo server")
    snapshots, clones = [], []
    for _ in range(options.runs):
        snapshots.append(longest_echo(port, lambda: host("snapshot", "debian", "it")))
        host("snapshot", "--remove", "debian", "it")
        clones.append(longest_echo(port, lambda: host("clone", "--live", "debian", "twin")))
        host("unregister", "twin")
    for name, times in ("snapshot", snapshots), ("live clone", clones):
        middle = statistics.median(times)
        report.row(f"pause of a {name}", middle, "ms", middle, PAUSE_MAX)
    host("unregister", "debian")
