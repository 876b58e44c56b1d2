"""OpenSSH's client with the configuration that berth prints, and nothing of this user's own."""
import os
import socket
import subprocess


class Ssh:
    def __init__(self, host, name):
        self.host, self.name = host, name
        self.config = host.root / f"ssh-{name}"
        self.environment = {key: value for key, value in host.environment.items() if key != "SSH_AUTH_SOCK"}
        self.write()

    def write(self):
        """@name's configuration; the client otherwise knows nothing, and asks nobody anything."""
        self.config.write_text(self.host("ssh-config", self.name).stdout + "Host *\n    BatchMode yes\n")
        return self

    def command(self, program, *arguments):
        return [program, "-F", str(self.config), *map(str, arguments)]

    def where(self, user=None):
        return f"{user}@{self.name}.berth" if user else f"{self.name}.berth"

    def call(self, program, *arguments, check=True, **options):
        options.setdefault("text", True)
        options.setdefault("timeout", 120)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        result = subprocess.run(self.command(program, *arguments), capture_output=True, env=self.environment, **options)
        if check:
            assert result.returncode == 0, (result.args, result.returncode, result.stdout, result.stderr)
        return result

    def __call__(self, script, *flags, user=None, **options):
        """@script in the distro, by ssh's own words."""
        return self.call("ssh", *flags, self.where(user), script, **options)

    def spawn(self, *arguments, **options):
        return subprocess.Popen(self.command("ssh", *arguments), env=self.environment, stdin=subprocess.DEVNULL,
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def stop(self):
        return self.host("terminate", self.name)


def end(client):
    """End a client of spawn. By force: ssh 9.2 can miss a SIGTERM between looking for one and waiting. The proxy has to
    notice by itself, or its standard error would stay open."""
    client.kill()
    client.communicate(timeout=60)


def through_socks(proxy, port):
    """A connection to the distro's own localhost, through the proxy of `ssh -D` at @proxy."""
    connection = socket.create_connection(("127.0.0.1", proxy), timeout=60)
    connection.sendall(b"\x05\x01\x00")
    assert receive(connection, 2) == b"\x05\x00"
    connection.sendall(b"\x05\x01\x00\x03\x09localhost" + port.to_bytes(2, "big"))
    assert receive(connection, 10)[1] == 0
    return connection


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, f"the connection ended after {data!r}"
        data += part
    return data


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def has_fuse():
    return os.access("/dev/fuse", os.R_OK | os.W_OK)
