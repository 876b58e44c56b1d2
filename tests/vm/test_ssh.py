"""ssh into distros without an ssh server, which are lent one: a Debian and a busybox; by the real OpenSSH client."""
import os
import socket
import subprocess
import threading
import uuid

import pytest

from host import eventually
from ports import free_port
from ssh_client import Ssh, can_connect, end, has_fuse, receive, through_socks
from waiting import accepts

ADD_USER = {"busybox": """
                echo worker:x:1000:1000::/home/worker:/bin/sh >>/etc/passwd
                echo worker:x:1000: >>/etc/group
                mkdir -p /home/worker
                chown worker:worker /home/worker""",
            "debian": "useradd --create-home --shell /bin/bash worker"}


@pytest.fixture(scope="module", params=["busybox", "debian"])
def ssh(request, host):
    name = f"ssh-{request.param}"
    host("import", "--no-user", name, os.environ[f"BERTH_TEST_{request.param.upper()}"])
    host("run", "-d", name, "-u", "root", "--", "sh", "-c", ADD_USER[request.param])
    yield Ssh(host, name)
    host("unregister", name)


@pytest.fixture
def web(ssh):
    """The port of a service on the distro's loopback that says "from the distro", and ends with the test."""
    port = free_port()
    script = f"exec nc -ll -p {port} -e echo from the distro"
    if "debian" in ssh.name:
        script = f"""exec python3 -c '
import socket
server = socket.create_server(("127.0.0.1", {port}))
while True:
    client = server.accept()[0]
    client.sendall(b"from the distro\\n")
    client.close()'"""
    service = ssh.host.spawn("run", "-d", ssh.name, "-u", "root", "--", "sh", "-c", script)
    hexadecimal = f":{port:04X} "
    eventually(lambda: hexadecimal in ssh("cat /proc/net/tcp /proc/net/tcp6").stdout, what="the service")
    yield port
    service.terminate()
    service.wait(timeout=30)


def servers(ssh):
    """The processes of servers in the distro."""
    script = "for c in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$c; echo; done 2>/dev/null"
    return [line for line in ssh.host.run(ssh.name, "sh", "-c", script).stdout.splitlines()
            if "dropbear" in line and "/proc/" not in line]


@pytest.mark.smoke
def test_a_command_its_streams_and_its_status(ssh):
    result = ssh("id -u; pwd; echo wrong >&2; exit 7", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (7, "0\n/root\n", "wrong\n")


def test_a_users_name_groups_and_environment(ssh):
    out = ssh('id -un; id -gn; pwd; echo "$HOME $USER $LOGNAME"; echo $SSH_CONNECTION', user="worker").stdout
    assert out.splitlines() == ["worker", "worker", "/home/worker", "/home/worker worker worker",
                                "UNKNOWN 65535 UNKNOWN 65535"]


def test_the_login_session_that_is_open(ssh):
    """As a command of berth run's, which opens it where the distro has them."""
    script = "cat /proc/self/cgroup; echo $XDG_SESSION_ID $XDG_RUNTIME_DIR"
    expected = ssh.host("run", "-d", ssh.name, "-u", "worker", "--", "sh", "-c", script).stdout
    assert ssh(script, user="worker").stdout == expected
    assert "debian" not in ssh.name or "/user.slice/" in expected


def test_a_terminal_belongs_to_its_user(ssh):
    out = ssh('tty; stat -c "%U %a" "$(tty)"; test "$SSH_TTY" = "$(tty)" && echo same; echo $TERM', "-tt", user="worker",
              ).stdout.split()
    assert out[0].startswith("/dev/pts/") and out[1:4] == ["worker", "620", "same"]


def test_a_login_shell(ssh):
    """What an editor does first: no command, and words for the shell on its input."""
    result = ssh.call("ssh", "-T", ssh.where("worker"), input="echo $0; id -un; exit 3\n", check=False)
    assert result.returncode == 3
    assert result.stdout.splitlines()[-2:] in (["-sh", "worker"], ["-bash", "worker"])


def test_bytes_both_ways(ssh):
    data = os.urandom(3 << 20)
    assert ssh("cat", input=data, text=False).stdout == data


def test_scp_and_sftp(ssh, tmp_path):
    data = os.urandom(1 << 20)
    (tmp_path / "there").write_bytes(data)
    (tmp_path / "there").chmod(0o640)
    ssh.call("scp", "-p", tmp_path / "there", ssh.where("worker") + ":file with blanks")
    assert ssh('stat -c "%U %a %s" "file with blanks"', user="worker").stdout == f"worker 640 {len(data)}\n"
    ssh.call("scp", ssh.where("worker") + ":file with blanks", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    out = ssh.call("sftp", "-b", "-", ssh.where("worker"), input="mkdir d\nrename \"file with blanks\" d/f\nls -l d\npwd\n").stdout
    assert "worker" in out and "/home/worker" in out
    ssh("rm -r d", user="worker")


if has_fuse():  # what this user may on this host
    def test_sshfs(ssh, tmp_path):
        there = tmp_path / "there"
        there.mkdir()
        ssh.call("sshfs", ssh.where("worker") + ":/home/worker", there)
        try:
            (there / "made").write_text("on the host")
            assert ssh("cat made; stat -c %U made; rm made", user="worker").stdout == "on the hostworker\n"
            assert not list(there.glob("made"))
        finally:
            subprocess.run(["fusermount3", "-u", there], check=True)


def test_a_port_of_the_distro_on_the_host(ssh, web):
    assert ssh.call("ssh", "-W", f"127.0.0.1:{web}", ssh.where()).stdout == "from the distro\n"
    port = free_port()
    client = ssh.spawn("-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{port}:127.0.0.1:{web}", ssh.where())
    try:
        eventually(lambda: can_connect(port), what="the forward")
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            assert receive(connection, 16) == b"from the distro\n"
    finally:
        end(client)


def test_dynamic_forwarding(ssh, web):
    """What VS Code has its editor talk through."""
    proxy = free_port()
    client = ssh.spawn("-N", "-D", f"127.0.0.1:{proxy}", ssh.where("worker"))
    try:
        eventually(lambda: can_connect(proxy), what="the proxy")
        for _ in range(3):
            with through_socks(proxy, web) as connection:
                assert receive(connection, 16) == b"from the distro\n"
    finally:
        end(client)


def test_a_port_of_the_host_in_the_distro(ssh):
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            with server.accept()[0] as connection:
                connection.sendall(b"from the host\n")
        thread = threading.Thread(target=answer)
        thread.start()
        script = (f"exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3" if "debian" in ssh.name
                  else f"nc 127.0.0.1 {port} </dev/null")
        shell = f"exec bash -c '{script}'" if "debian" in ssh.name else script
        out = ssh(shell, "-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{port}:127.0.0.1:{server.getsockname()[1]}").stdout
        thread.join(timeout=60)
    assert out == "from the host\n"


def test_the_agent_of_the_host(ssh, tmp_path):
    listed = '[ -n "$SSH_AUTH_SOCK" ] && stat -c "%U %F" "$SSH_AUTH_SOCK" "$(dirname "$SSH_AUTH_SOCK")"; true'
    sock = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: accepts(sock), what="the agent")
        env = {**ssh.environment, "SSH_AUTH_SOCK": str(sock)}
        command = ssh.command("ssh", "-A", ssh.where("worker"), listed)
        out = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout
        assert out == "worker socket\nworker directory\n"
        assert ssh(listed, user="worker").stdout == ""  # only when asked for
    finally:
        agent.terminate()
        agent.wait()


def test_nothing_of_the_distro_is_touched(ssh):
    look = "ls -A /root /home/worker /etc/ssh 2>/dev/null; cat /etc/passwd; ls -A /run/sshd 2>/dev/null; cat /proc/mounts"
    before = ssh.host.run(ssh.name, "sh", "-c", look).stdout
    ssh("true", user="worker")
    assert ssh.host.run(ssh.name, "sh", "-c", look).stdout == before
    assert ":0016 " not in ssh("cat /proc/net/tcp /proc/net/tcp6").stdout  # port 22


def test_a_client_that_is_killed_leaves_no_server(ssh):
    client = ssh.spawn(ssh.where("worker"), "echo begun; exec sleep 1000")
    assert client.stdout.readline() == "begun\n"
    assert servers(ssh)
    end(client)
    eventually(lambda: not servers(ssh), what="the end of the server")


def test_refused_logins(ssh):
    result = ssh("true", user="nosuch", check=False)
    assert result.returncode == 255
    assert f"berth: ssh-proxy {ssh.name}: there is no user nosuch in {ssh.name}\ncode: ssh.user\n" in result.stderr
    other = ssh.host.root / "other-key"
    if not other.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    result = ssh("true", "-o", "IdentityFile=none", "-i", other, check=False)
    assert result.returncode == 0  # beside the distro's own
    config = ssh.config.read_text()
    try:
        ssh.config.write_text("".join(line + "\n" for line in config.splitlines() if "IdentityFile" not in line))
        result = ssh("true", "-i", other, check=False)
    finally:
        ssh.config.write_text(config)
    assert result.returncode == 255 and "Permission denied (publickey)" in result.stderr


def test_a_server_with_another_key_is_refused(ssh):
    known = next((ssh.host.root / "data/berth/distros").glob(f"{ssh.host.info(ssh.name)['id']}/ssh/known_hosts"))
    text = known.read_text()
    other = next(path for path in (ssh.host.root / "data/berth/distros").glob(f"{ssh.host.info(ssh.name)['id']}/ssh/client_key.pub"))
    fake = ssh.host.root / "wrong-hosts"
    fake.write_text(f"{ssh.name}.berth {other.read_text()}")
    result = ssh("true", "-o", f"UserKnownHostsFile={fake}", check=False)
    assert result.returncode == 255 and "Host key verification failed" in result.stderr
    assert known.read_text() == text


def test_many_at_once_start_the_distro(ssh):
    ssh.stop()
    words = [str(uuid.uuid4()) for _ in range(5)]
    clients = [ssh.spawn(ssh.where(), f"echo {word}") for word in words]
    outputs = [client.communicate(timeout=180) for client in clients]
    assert [out for out, _ in outputs] == [word + "\n" for word in words], outputs


def test_an_isolated_distro(ssh):
    ssh.stop()
    ssh.host("start", "--isolated", ssh.name)
    try:
        assert ssh("id -un", user="worker").stdout == "worker\n"
    finally:
        ssh.stop()


def test_a_distro_that_is_renamed_and_one_that_is_gone(ssh, host):
    host("terminate", ssh.name)
    host("clone", ssh.name, "Ssh-Clone")
    try:
        clone = Ssh(host, "Ssh-Clone")
        key = host.root / "data/berth/distros" / host.info("Ssh-Clone")["id"] / "ssh/client_key"
        assert clone("id -un", user="worker").stdout == "worker\n"
        assert key.read_text() not in ssh.config.read_text() and key.stat().st_mode & 0o777 == 0o600
        host("terminate", "Ssh-Clone")
        host("rename", "Ssh-Clone", "ssh-renamed")
        before = key.read_text()
        assert Ssh(host, "ssh-renamed")("id -un", user="worker").stdout == "worker\n"
        assert key.read_text() == before
    finally:
        name = next(row["name"] for row in host.json("list")["distros"] if row["name"].lower() in ("ssh-clone", "ssh-renamed"))
        host("unregister", name)
    assert not key.exists()
    result = clone("true", check=False)
    assert result.returncode == 255 and "code: distro.not-found" in result.stderr


def test_services_of_the_host(ssh):
    """Variables of those that the settings allow, for the distro's default user, in every kind of session."""
    settings = ssh.host.root / "config/berth/berth.conf"
    before = settings.read_text() if settings.exists() else ""
    script = "echo ${SSH_AUTH_SOCK-none} ${BROWSER-none}"
    ssh.stop()  # nobody has had a session yet
    assert ssh(script).stdout == "none none\n"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"{before}[distro {ssh.name}]\nhost-ssh-agent=true\nhost-urls=true\n")
    try:
        offered = "/run/berth/host-ssh-agent /run/berth/bin/berth-open\n"
        assert ssh(script).stdout == offered
        assert ssh(script, user="worker").stdout == "none none\n"
        assert ssh.host.shell(ssh.name, script).stdout == offered
        assert ssh.host("run", "-d", ssh.name, "-u", "worker", "--", "sh", "-c", script).stdout == "none none\n"
        assert ssh.host("run", "-d", ssh.name, "--env", "BROWSER=mine", "--", "sh", "-c", script).stdout.endswith(" mine\n")
    finally:
        settings.write_text(before)
