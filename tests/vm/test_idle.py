"""Real guests that nobody uses are suspended by themselves; those that work are not."""
import time
import urllib.request

import pytest

from conftest import required
from host import Host, eventually
from ports import free_port
from test_ports import serve


@pytest.fixture(scope="module")
def host():
    with Host(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"), BERTH_MEMORY="1G",
              BERTH_BOOT_TIMEOUT="120", BERTH_INIT_TIMEOUT="120", BERTH_IDLE="suspend", BERTH_IDLE_TIMEOUT="2") as made:
        made("import", "--no-user", "busybox", required("BERTH_TEST_BUSYBOX"))
        yield made


def status(host, name):
    return host.json("status", name)


def wait_until_idle(host, name):
    """Its state, but what keeps it awake where it does not come."""
    eventually(lambda: status(host, name)["state"] == "suspended", what=f"the suspend: {status(host, name)}")


def test_each_is_suspended_and_goes_on(host):
    host("import", "--no-user", "debian", required("BERTH_TEST_DEBIAN"))
    names = ["busybox", "debian"]
    for name in names:
        host("start", name)
    boots = {}
    for _ in range(2):
        for name in names:
            wait_until_idle(host, name)
        for name in names:
            boots.setdefault(name, set()).add(host.run(name, "cat", "/proc/sys/kernel/random/boot_id").stdout)
    assert [len(each) for each in boots.values()] == [1, 1]
    assert "debian is idle: it is suspended" in host("logs", "debian").stdout
    host("unregister", "debian")


def test_a_server_sleeps_and_a_connection_wakes_it(host):
    port = free_port()
    host.shell("busybox", "mkdir -p /h; echo served >/h/index.html")
    serve(host, "busybox", port)
    for _ in range(3):
        wait_until_idle(host, "busybox")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/h/index.html", timeout=60) as answer:
            assert answer.read() == b"served\n"
    host("terminate", "busybox")


def test_one_that_uses_a_share_is_awake(host):
    """So seldom that it computes little. What the host changes there keeps nothing awake."""
    directory = (host.root / "home").resolve() / "shared"
    directory.mkdir()
    file = directory / "file"
    file.write_text("0")
    guest = f"/mnt/host{directory}"
    host.shell("busybox", f"cd {guest}; (while [ ! -e enough ]; do echo x >>log; sleep 1; done) </dev/null >/dev/null 2>&1 &")
    begun = time.monotonic()
    eventually(lambda: time.monotonic() > begun + 4 * 2, what="four times the idle-timeout")
    row = status(host, "busybox")
    assert (row["state"], row["awake"]) == ("running", "share"), row
    (directory / "enough").touch()
    changed = []

    def changes_do_not_count():
        """To repeat them is work, which may keep it awake, since these samples are short."""
        file.write_text(file.read_text() + "1")
        changed.append(status(host, "busybox")["awake"])
        return changed[-1] != "share" and len(changed) > 50
    eventually(changes_do_not_count, what="changes of the host's that are no use")
    assert "share" not in changed[-10:], changed
    wait_until_idle(host, "busybox")
    assert host.shell("busybox", f"cat {guest}/file").stdout == file.read_text()
    host("terminate", "busybox")


def test_one_that_computes_is_awake(host):
    """Nobody waits for it, and it says nothing."""
    host.shell("busybox", "(while [ ! -e /tmp/enough ]; do :; done) </dev/null >/dev/null 2>&1 &")
    begun = time.monotonic()
    eventually(lambda: time.monotonic() > begun + 4 * 2, what="four times the idle-timeout")
    row = status(host, "busybox")
    assert (row["state"], row["awake"]) == ("running", "processor"), row
    host.run("busybox", "touch", "/tmp/enough")
    wait_until_idle(host, "busybox")
    host("terminate", "busybox")
