"""berth run --rm with real guests: clones for one command, beside each other, isolated, and gone afterwards."""
import signal
import socketserver
import subprocess
import threading
from pathlib import Path

import pytest

from host import eventually
from waiting import is_alive

AT_ONCE = 3


@pytest.fixture
def template(host, scratch):
    """A busybox distro with a file of its own; stopped, and not to be changed by what runs in its clones."""
    host.shell(scratch, "echo template >/root/mark")
    host("terminate", scratch)
    disk = Path(host.info(scratch)["disk"])
    before = disk.stat()
    yield scratch
    after = disk.stat()  # of 1 TiB no checksum is made
    assert (after.st_ino, after.st_mtime_ns, after.st_blocks) == (before.st_ino, before.st_mtime_ns, before.st_blocks)
    assert host.state(scratch) == "stopped"


def rm(host, name, script, *options, **more):
    return host("run", "--rm", "-d", name, *options, "--", "sh", "-c", script, **more)


def start(host, name, script):
    return host.spawn("run", "--rm", "-d", name, "--", "sh", "-c", script, text=True, stdin=subprocess.PIPE,
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def clones(host, name):
    return [row for row in host.json("list")["distros"] if row.get("template") == name]


def gone(host, name):
    assert clones(host, name) == []
    ids = {row["id"] for row in host.json("list")["distros"]}
    assert {path.name for path in (host.root / "data/berth/distros").iterdir()} <= ids
    assert {path.name for path in (host.root / "run/berth").glob("?" * 16)} <= ids
    return True


def test_changes_are_gone_with_the_command(host, template):
    result = rm(host, template, "cat /root/mark; echo changed >/root/mark; cat /root/mark - ; exit 9", check=False,
                input="input\n")
    assert (result.returncode, result.stdout) == (9, "template\nchanged\ninput\n"), result.stderr
    assert rm(host, template, "cat /root/mark").stdout == "template\n"
    assert gone(host, template)


def test_each_is_a_machine_of_its_own(host, template):
    """Boot, host name and address differ, and none sees what another does."""
    script = 'hostname; cat /proc/sys/kernel/random/boot_id; read -r word; echo "$word" >/root/own; sync; cat /root/own'
    running = [start(host, template, script) for _ in range(AT_ONCE)]
    seen = [[process.stdout.readline() for _ in range(2)] for process in running]
    rows = clones(host, template)
    assert sorted(row["name"] for row in rows) == sorted(lines[0].strip() for lines in seen)
    for values in zip(*seen):
        assert len(set(values)) == AT_ONCE
    assert len({row["address"] for row in rows}) == AT_ONCE
    for number, process in enumerate(running):
        out, err = process.communicate(f"{number}\n", timeout=180)
        assert (process.returncode, out, err) == (0, f"{number}\n", "")
    assert gone(host, template)


def test_signal_ends_the_command_and_the_clone(host, template):
    process = start(host, template, "trap 'exit 21' TERM; echo begun; while :; do sleep 0.1; done")
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=180)
    assert process.returncode == 21
    assert gone(host, template)


def test_killed_client(host, template):
    process = start(host, template, "echo begun; cat")
    assert process.stdout.readline() == "begun\n"
    (row,) = clones(host, template)
    process.kill()
    process.communicate()
    eventually(lambda: not is_alive(row["qemu_pid"]) and not is_alive(row["keeper_pid"]), what="the end of the machine")
    assert gone(host, template)


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"host\n")


@pytest.fixture
def service():
    """A port of the host's loopback."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_host_is_out_of_reach(host, template, service):
    """Its files, and its loopback even where the settings open it; with --host-access as for the template."""
    (host.root / "home/secret").write_text("of the host\n")
    host("config", "set", "-d", template, "host-ports", service)
    script = f"cat /mnt/host{host.root}/home/secret {host.root}/home/secret 2>/dev/null; nc -w 5 host.berth.internal {service} </dev/null"
    try:
        closed = rm(host, template, script, check=False)
        assert closed.stdout == "", closed
        opened = rm(host, template, script, "--host-access")
        assert opened.stdout == "of the host\nhost\n", opened
    finally:
        host("config", "unset", "-d", template, "host-ports")
        (host.root / "home/secret").unlink()
