"""busybox, a distro without an init: berth's own init, sessions and life cycle."""
import hashlib
import os
import pty
import signal
import subprocess
import threading

import pytest

from host import eventually
from ports import free_port


@pytest.mark.smoke
def test_small_init_is_pid_1(host, busybox):
    assert host.info(busybox)["state"] in ("stopped", "running")
    assert host.run(busybox, "true").returncode == 0
    status = host.info(busybox)
    assert status["state"] == "running"
    assert status["init"] == "berth"
    assert status["accel"] in ("kvm", "tcg")


@pytest.mark.parametrize("status", [0, 1, 77, 124, 125, 255])
def test_exit_status(host, busybox, status):
    assert host.shell(busybox, f"exit {status}", check=False).returncode == status


def test_signals_and_missing_commands(host, busybox):
    assert host.shell(busybox, "kill -TERM $$", check=False).returncode == 128 + signal.SIGTERM
    missing = host.run(busybox, "no-such-command", check=False)
    assert missing.returncode == 127 and "no-such-command" in missing.stderr
    assert host.run(busybox, "/etc/passwd", check=False).returncode == 126


@pytest.mark.smoke
def test_arguments_are_a_vector(host, busybox):
    arguments = ["", " ", "a b", "$HOME", "*", "'\"", "\\n", "-x", "--", "ä\n€"]
    out = host.run(busybox, "sh", "-c", 'for a; do printf "%s\\0" "$a"; done', "sh", *arguments).stdout
    assert out.split("\0")[:-1] == arguments


def test_streams_stay_apart(host, busybox):
    result = host.shell(busybox, "echo out; echo err >&2; exit 3", check=False)
    assert (result.stdout, result.stderr, result.returncode) == ("out\n", "err\n", 3)


def test_ten_megabytes_both_ways(host, busybox):
    data = os.urandom(10 << 20)
    out = host.run(busybox, "cat", input=data, text=False).stdout
    assert hashlib.sha256(out).digest() == hashlib.sha256(data).digest()


def test_stdin_ends(host, busybox):
    assert host.run(busybox, "wc", "-c", input="").stdout.strip() == "0"


def test_background_child_does_not_hold_the_command(host, busybox):
    assert host.shell(busybox, "sleep 1000 & echo started", timeout=20).stdout == "started\n"


@pytest.mark.smoke
def test_terminal(host, busybox):
    leader, follower = pty.openpty()
    import fcntl, struct, termios
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 101, 0, 0))
    before = termios.tcgetattr(follower)
    client = host.spawn("run", "-d", busybox, "--", "sh", "-c", "stty size; tty; read x; echo got $x; stty size",
                        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    seen = b""

    def read_until(text):
        nonlocal seen
        while text not in seen:
            seen += os.read(leader, 4096)

    read_until(b"/dev/pts/")
    assert b"41 101" in seen
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
    os.write(leader, b"word\r")
    read_until(b"30 90")
    assert b"got word" in seen
    assert client.wait(30) == 0
    assert termios.tcgetattr(follower) == before
    os.close(leader)
    os.close(follower)


def test_killed_client_hangs_up_the_command(host, busybox):
    client = host.spawn("run", "-d", busybox, "--", "sh", "-c", "echo $$; exec sleep 1234", stdout=subprocess.PIPE)
    pid = client.stdout.readline().decode().strip()
    client.kill()
    client.wait()
    eventually(lambda: host.shell(busybox, f"kill -0 {pid}", check=False).returncode != 0, what="the hang-up")


def test_stalled_command_blocks_no_other(host, busybox):
    stalled = host.spawn("run", "-d", busybox, "--", "cat", "/dev/zero", stdout=subprocess.PIPE)
    stalled.stdout.read(1 << 20)
    stalled.send_signal(signal.SIGSTOP)
    assert host.run(busybox, "echo", "quick", timeout=20).stdout == "quick\n"
    stalled.kill()
    stalled.wait()


def test_forty_commands_at_once(host, busybox):
    results = []
    threads = [threading.Thread(target=lambda i=i: results.append(host.shell(busybox, f"echo {i}").stdout == f"{i}\n"))
               for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 40


def test_starts_on_demand_and_terminates_twice(host, scratch):
    assert host.state(scratch) == "stopped"
    assert host.run(scratch, "echo", "hi").stdout == "hi\n"
    assert host.state(scratch) == "running"
    host("terminate", scratch)
    assert host.state(scratch) == "stopped"
    host("terminate", scratch)


@pytest.mark.smoke
def test_writes_survive_a_restart(host, scratch):
    host.shell(scratch, "echo kept >/root/file; sync")
    host("terminate", scratch)
    assert host.run(scratch, "cat", "/root/file").stdout == "kept\n"


def test_two_starts_at_once_make_one_instance(host, scratch):
    clients = [host.spawn("run", "-d", scratch, "--", "cat", "/proc/sys/kernel/random/boot_id",
                          stdout=subprocess.PIPE, text=True) for _ in range(4)]
    boots = {client.communicate(timeout=120)[0] for client in clients}
    assert len(boots) == 1 and all(client.returncode == 0 for client in clients)


@pytest.mark.parametrize("victim", ["keeper_pid", "qemu_pid"])
def test_killed_instance_starts_again(host, scratch, victim):
    host.shell(scratch, "echo kept >/root/file; sync")
    status = host.info(scratch)
    os.kill(status[victim], signal.SIGKILL)
    assert host.run(scratch, "cat", "/root/file").stdout == "kept\n"
    assert host.info(scratch)["keeper_pid"] != status["keeper_pid"]


def test_stuck_keeper_is_ended_by_force(host, scratch):
    host.run(scratch, "true")
    os.kill(host.info(scratch)["keeper_pid"], signal.SIGSTOP)
    assert host.info(scratch)["state"] == "unresponsive"
    host("terminate", "--force", scratch, timeout=60)
    assert host.state(scratch) == "stopped"
    assert host.run(scratch, "echo", "again").stdout == "again\n"


@pytest.mark.smoke
def test_kernel_panic_is_named_and_the_next_run_works(host, scratch):
    result = host.shell(scratch, "sync; echo c >/proc/sysrq-trigger; sleep 60", check=False)
    assert result.returncode == 125
    assert "the guest's kernel panicked: " in result.stderr
    assert "code: instance.panic" in result.stderr
    assert host.run(scratch, "echo", "again").stdout == "again\n"


@pytest.mark.smoke
def test_poweroff_and_reboot_typed_inside(host, scratch):
    before = host.run(scratch, "cat", "/proc/sys/kernel/random/boot_id").stdout
    host.run(scratch, "reboot", check=False)

    def rebooted():
        now = host.run(scratch, "cat", "/proc/sys/kernel/random/boot_id", check=False)
        return now.returncode == 0 and now.stdout != before
    eventually(rebooted, timeout=60, what="the reboot")
    host.run(scratch, "poweroff", check=False)
    eventually(lambda: host.state(scratch) == "stopped", timeout=60, what="the power-off")


def test_two_distros_at_once_and_shutdown_of_all(host, busybox, scratch):
    host("start", busybox)
    host("start", scratch)
    assert host.state(busybox) == host.state(scratch) == "running"
    assert host.run(scratch, "hostname").stdout == "scratch\n"
    host("shutdown")
    assert host.state(busybox) == host.state(scratch) == "stopped"


def test_unregister_removes_all_of_it(host, scratch):
    host.run(scratch, "true")
    disk = host.info(scratch)["disk"]
    host("unregister", scratch)
    assert not os.path.exists(os.path.dirname(disk))
    assert scratch not in host("list", "-q").stdout.split()


@pytest.mark.smoke
def test_web_server_of_busybox(host, busybox):
    import socket
    port = free_port()
    host.shell(busybox, f"mkdir -p /srv && echo from-busybox >/srv/index.html && httpd -p {port} -h /srv")

    def page():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return b"".join(iter(lambda: connection.recv(4096), b""))
        except ConnectionRefusedError:
            return None
    assert b"from-busybox" in eventually(page, what="the page")


def test_kernel_log_is_kept(host, busybox):
    host.run(busybox, "true")
    host.shell(busybox, "echo a-line-on-the-console >/dev/console")
    eventually(lambda: "a-line-on-the-console" in host("logs", busybox).stdout, what="the line")


@pytest.mark.smoke
def test_accel_kvm_fails_clearly_where_it_does_not_work(host, scratch):
    host.environment["BERTH_ACCEL"] = "kvm"
    try:
        result = host.run(scratch, "true", check=False, timeout=30)
    finally:
        del host.environment["BERTH_ACCEL"]
    if result.returncode == 0:  # the host's KVM works
        assert host.info(scratch)["accel"] == "kvm"
    else:
        assert result.returncode == 125
        assert "code: accel.kvm-unusable" in result.stderr and "hint: " in result.stderr


def test_panicking_guest_is_an_error_not_a_hang(host, scratch):
    host.environment["BERTH_KERNEL"], kept = "/bin/true", host.environment["BERTH_KERNEL"]
    try:
        result = host.run(scratch, "true", check=False, timeout=60)
    finally:
        host.environment["BERTH_KERNEL"] = kept
    assert result.returncode == 125 and "code: " in result.stderr
    assert host.run(scratch, "echo", "fine").stdout == "fine\n"


def test_what_status_says_of_the_guest(host, busybox):
    """As the guest's own df and free have it; the last known while it is suspended."""
    host("start", busybox)
    host.shell(busybox, "dd if=/dev/zero of=/fill bs=1M count=8; sync")

    def seen():
        status = host.json("status", busybox)
        total, used = map(int, host.shell(busybox, "df -k / | tail -1").stdout.split()[1:3])
        return status if abs(status["guest_disk_used"] - (used << 10)) < 1 << 20 else None
    first = eventually(seen)
    memory = int(host.shell(busybox, "grep MemTotal: /proc/meminfo").stdout.split()[1]) << 10
    assert first["guest_memory"] == memory
    assert 0 < first["guest_memory_used"] < memory
    host.shell(busybox, "nslookup localhost; true")
    eventually(lambda: all(host.json("status", busybox)[name] > 0 for name in ("net_received", "net_sent")), what="traffic")
    host.shell(busybox, "dd if=/dev/zero of=/fill bs=1M count=24; sync")
    host("suspend", busybox)
    kept = host.json("status", busybox)
    assert kept["guest_disk_used"] - first["guest_disk_used"] > 8 << 20
    assert host.json("status", busybox)["guest_seen"] == kept["guest_seen"]
    host.shell(busybox, "rm /fill")
    host("terminate", busybox)
