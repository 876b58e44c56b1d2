"""ssh into a distro with an sshd and a PAM of its own, whose service does not run."""
import os
import subprocess

import pytest

from host import eventually
from ports import free_port
from ssh_client import Ssh, can_connect, end, has_fuse, through_socks
from waiting import accepts


@pytest.fixture(scope="module")
def ssh(devel):
    devel.sh("""
        systemctl stop ssh.service
        cp -a /etc/ssh /root/ssh
        rm -f /etc/ssh/ssh_host_*
        echo 'AllowUsers nobody' >/etc/ssh/sshd_config
        useradd --create-home --shell /bin/bash visitor""")
    yield Ssh(devel.host, devel.name)
    devel.sh("""
        rm -r /etc/ssh
        mv /root/ssh /etc/ssh
        systemctl start ssh.service
        userdel --remove --force visitor""")


def test_its_own_server_with_a_login_session(ssh):
    out = ssh('ps -o comm= -p $PPID; id -un; echo $XDG_RUNTIME_DIR; sed -n s/^0:://p /proc/self/cgroup', user="visitor").stdout
    lines = out.splitlines()
    assert len(lines) == 4, out
    server, user, runtime, group = lines
    assert server.startswith("sshd") and user == "visitor" and runtime.startswith("/run/user/")
    assert group.startswith("/user.slice/user-")


def test_status_terminal_and_streams(ssh):
    result = ssh("echo out; echo err >&2; exit 9", user="visitor", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (9, "out\n", "err\n")
    assert ssh('stat -c %U "$(tty)"', "-tt", user="visitor").stdout.split() == ["visitor"]


def test_files(ssh, tmp_path):
    data = os.urandom(1 << 20)
    (tmp_path / "there").write_bytes(data)
    ssh.call("scp", tmp_path / "there", ssh.where("visitor") + ":scp")
    out = ssh.call("sftp", "-b", "-", ssh.where("visitor"), input=f"get scp {tmp_path}/back\nrm scp\nls\n").stdout
    assert (tmp_path / "back").read_bytes() == data and "scp\n" not in out.split("sftp> ls")[1]


def test_rsync(ssh, tmp_path):
    tree = tmp_path / "tree"
    for name in ("a", "b/c", "b/d e"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / "link").symlink_to("b/c")
    transport = " ".join(ssh.command("ssh"))
    subprocess.run(["rsync", "-a", "--delete", "-e", transport, f"{tree}/", ssh.where("visitor") + ":tree/"],
                   check=True, env=ssh.environment, timeout=120)
    assert ssh("cd tree && cat a b/c 'b/d e' && readlink link", user="visitor").stdout == "ab/cb/d eb/c\n"
    subprocess.run(["rsync", "-a", "-e", transport, ssh.where("visitor") + ":tree/", f"{tmp_path}/back/"],
                   check=True, env=ssh.environment, timeout=120)
    assert (tmp_path / "back/b/d e").read_text() == "b/d e" and (tmp_path / "back/link").is_symlink()


if has_fuse():  # what this user may on this host
    def test_sshfs(ssh, tmp_path):
        there = tmp_path / "there"
        there.mkdir()
        ssh.call("sshfs", ssh.where("visitor") + ":/usr/lib", there)
        try:
            assert (there / "os-release").read_text() == ssh("cat /usr/lib/os-release").stdout
        finally:
            subprocess.run(["fusermount3", "-u", there], check=True)


def test_forwarding(ssh):
    port, proxy = free_port(), free_port()
    script = f"""exec python3 -c '
import socket
server = socket.create_server(("127.0.0.1", {port}))
while True:
    server.accept()[0].sendall(b"x")'"""
    service = ssh.host.spawn("run", "-d", ssh.name, "-u", "root", "--", "sh", "-c", script)
    client = ssh.spawn("-N", "-D", f"127.0.0.1:{proxy}", ssh.where("visitor"))
    try:
        eventually(lambda: can_connect(proxy), what="the proxy")
        eventually(lambda: f":{port:04X} " in ssh("cat /proc/net/tcp /proc/net/tcp6").stdout, what="the service")
        with through_socks(proxy, port) as connection:
            assert connection.recv(1) == b"x"
    finally:
        end(client)
        service.terminate()
        service.wait(timeout=60)


def test_the_agent_of_the_host(ssh, tmp_path):
    sock, key = tmp_path / "agent", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "on the host", "-f", key], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: accepts(sock), what="the agent")
        env = {**ssh.environment, "SSH_AUTH_SOCK": str(sock)}
        subprocess.run(["ssh-add", "-q", key], env=env, check=True)
        out = subprocess.run(ssh.command("ssh", "-A", ssh.where("visitor"), "ssh-add -l"), env=env, check=True,
                             capture_output=True, text=True, timeout=60).stdout
        assert "on the host" in out
    finally:
        agent.terminate()
        agent.wait()


def test_sessions_reach_the_agent_of_the_host(ssh, devel, tmp_path):
    """Where the setting allows it; not another user's, not in place of one that is set."""
    sock, key, settings = tmp_path / "agent", tmp_path / "key", devel.host.root / "config/berth/berth.conf"
    before = settings.read_text() if settings.exists() else ""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of sessions", "-f", key], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)

    def seen(*options):
        words = [devel.host.program, "run", "-d", devel.name, *options, "--", "sh", "-c",
                 "echo ${SSH_AUTH_SOCK-none}; ssh-add -l 2>&1"]
        return subprocess.run(words, env={**devel.host.environment, "SSH_AUTH_SOCK": str(sock)}, capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=180).stdout.splitlines()
    settings.parent.mkdir(parents=True, exist_ok=True)
    try:
        eventually(lambda: accepts(sock), what="the agent")
        subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(sock)}, check=True)
        assert seen()[0] == "none"
        settings.write_text(f"{before}[distro {devel.name}]\nhost-ssh-agent=true\n")
        path, listed = seen()
        assert path == "/run/berth/host-ssh-agent" and "of sessions" in listed
        assert seen("-u", "visitor")[0] == "none"
        assert "of sessions" in ssh("ssh-add -l").stdout
        assert ssh("echo ${SSH_AUTH_SOCK-none}", user="visitor").stdout == "none\n"
        assert seen("--env", "SSH_AUTH_SOCK=/mine")[0] == "/mine"
    finally:
        settings.write_text(before)
        agent.terminate()
        agent.wait()


def test_the_distros_service_and_files_are_left_alone(ssh):
    out = ssh("systemctl is-active ssh.service; ls /etc/ssh/ssh_host_* 2>/dev/null; ls -A ~/.ssh 2>/dev/null; true",
              user="visitor").stdout
    assert out in ("inactive\n", "failed\n")
