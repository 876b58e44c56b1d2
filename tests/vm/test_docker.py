"""Containers: Docker under systemd, rootless podman, both with an image built from busybox; Docker used from the host.
"""
import http.client
import io
import itertools
import json
import os
import socket
import stat
import subprocess
import tarfile

import pytest

from host import eventually
from ports import free_port

CAPTAINS = itertools.count()
DOCKERFILE = """\
FROM scratch
ADD busybox.tar /
RUN mkdir /www && echo from-a-container >/www/index.html
CMD ["httpd", "-f", "-h", "/www"]
"""
COMPOSE = """\
version: "3"
services:
  one: {image: web}
  two: {image: web}
"""


def page(port, address="127.0.0.1"):
    """The page at the host's @address:@port, or None if it is not served."""
    connection = http.client.HTTPConnection(address, port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@pytest.fixture(scope="module")
def context(busybox_tar):
    """A build context as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in {"Dockerfile": DOCKERFILE.encode(), "docker-compose.yml": COMPOSE.encode(),
                              "busybox.tar": busybox_tar}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def web(devel, context):
    """Build the image "web"."""
    devel.host("run", "-d", devel.name, "-u", "root", "--", "sh", "-c", "mkdir -p /srv/web && tar -x -C /srv/web",
               input=context, text=False)
    devel.sh("docker build -q -t web /srv/web")
    return devel


def test_daemon_starts_with_the_machine(devel):
    assert devel.sh("docker info -f '{{.Driver}} {{.CgroupDriver}} {{.CgroupVersion}}'") == "overlay2 systemd 2\n"
    assert devel.sh("systemctl is-active docker containerd").split() == ["active", "active"]


def test_published_port_is_on_localhost(web):
    port = free_port()
    web.sh(f"docker run -d --name published -p {port}:80 web")
    assert eventually(lambda: page(port), what="the page") == "from-a-container\n"
    web.sh("docker rm -f published")
    eventually(lambda: page(port) is None, what="the end of the page")


def test_services_reach_each_other_by_name(web):
    out = web.sh("""
        cd /srv/web
        docker-compose up -d 2>&1
        docker exec web_two_1 wget -q -O - http://one/
        docker exec web_one_1 wget -q -O - http://two/
        docker-compose down -t 0 2>&1""")
    assert out.count("from-a-container\n") == 2


# --- the daemon used from the host ---


def test_port_published_without_docker_proxy(web):
    """dockerd then listens on the port without accepting; its NAT rules forward."""
    port = free_port()
    web.sh(f"""mkdir -p /etc/docker; echo '{{"userland-proxy": false}}' >/etc/docker/daemon.json
        systemctl restart docker; docker run -d --name bare -p {port}:80 web""")
    for address in ("127.0.0.1", "::1"):
        assert eventually(lambda: page(port, address), what=address) == "from-a-container\n"
    web.sh("docker rm -f bare; rm /etc/docker/daemon.json; systemctl restart docker")


@pytest.fixture(scope="module")
def docker_socket(web):
    """The socket that docker-env prints."""
    line = web.host("docker-env", web.name).stdout
    url = subprocess.run(["sh", "-c", f'{line}printf %s "$DOCKER_HOST"'], capture_output=True, text=True,
                         check=True).stdout
    assert line.startswith("export DOCKER_HOST=") and url.startswith("unix:///")
    return url.removeprefix("unix://")


class OverUnix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def ask(path, method, url, body=None, **headers):
    connection = OverUnix(path)
    if isinstance(body, dict):
        body = json.dumps(body)
        headers = {"Content-Type": "application/json"}
    connection.request(method, url, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status < 300, data
    return data


def test_docker_socket_is_private(docker_socket):
    assert stat.S_IMODE(os.stat(docker_socket).st_mode) == 0o600
    assert ask(docker_socket, "GET", "/_ping") == b"OK"


def test_image_export_and_load(docker_socket):
    """Two megabytes each way, which exceeds every window."""
    image = ask(docker_socket, "GET", "/images/web/get")
    assert len(image) > 1500000
    assert b"Loaded image: web" in ask(docker_socket, "POST", "/images/load", image)


def streams(data):
    """Decode Docker's frames: stream:u8 zero:3 bytes size:u32, big-endian."""
    out = b""
    while len(data) >= 8:
        size = int.from_bytes(data[4:8], "big")
        out, data = out + data[8:8 + size], data[8 + size:]
    return out


def test_a_half_closed_connection_still_answers(web, docker_socket):
    """docker run -i: after the end of standard input the rest of the output arrives."""
    created = json.loads(ask(docker_socket, "POST", "/containers/create", {
        "Image": "web", "Cmd": ["sh", "-c", "cat; echo the end"], "OpenStdin": True, "StdinOnce": True, "Tty": False,
        "AttachStdin": True, "AttachStdout": True}))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(docker_socket)
        client.sendall(f"POST /containers/{created['Id']}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n"
                       "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += client.recv(4096)
        assert seen.startswith(b"HTTP/1.1 101 ")
        ask(docker_socket, "POST", f"/containers/{created['Id']}/start")
        client.sendall(b"word\n" * 1000)
        client.shutdown(socket.SHUT_WR)
        while data := client.recv(65536):
            seen += data
    assert streams(seen.split(b"\r\n\r\n", 1)[1]) == 1000 * b"word\n" + b"the end\n"
    ask(docker_socket, "DELETE", f"/containers/{created['Id']}")


@pytest.fixture(scope="module")
def docker_client(tmp_path_factory):
    """The distro's docker client, run on this host."""
    directory = tmp_path_factory.mktemp("client")
    unpacker = subprocess.run(["tar", "-x", "--zstd", "-C", directory, "-f", os.environ["BERTH_TEST_DEVEL"], "./usr/bin/docker"],
                              check=True)
    assert unpacker.returncode == 0
    return directory / "usr/bin/docker"


def test_docker_client_of_the_host(docker_client, docker_socket, context):
    def docker(*arguments, **options):
        result = subprocess.run([docker_client, *arguments], capture_output=True, timeout=120, check=False,
                                env={**os.environ, "DOCKER_HOST": f"unix://{docker_socket}", "DOCKER_BUILDKIT": "0"}, **options)
        assert result.returncode == 0, result.stderr.decode()
        return result.stdout
    assert b"overlay2" in docker("info")
    docker("build", "-q", "-t", "from-here", "-", input=context)
    text = b"x" * 300000
    assert docker("run", "--rm", "-i", "from-here", "cat", input=text) == text
    port = free_port()
    docker("run", "-d", "--name", "mine", "-p", f"{port}:80", "from-here")
    assert eventually(lambda: page(port), what="the page") == "from-a-container\n"
    assert docker("exec", "mine", "cat", "/www/index.html") == b"from-a-container\n"
    docker("rm", "-f", "mine")


def test_docker_env_without_docker(host, busybox):
    result = host("docker-env", busybox, check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert "code: docker.none" in result.stderr and "hint: use a distro with a package manager" in result.stderr


# --- podman ---


def test_podman_without_root(web, context):
    port = free_port()
    captain = f"captain{next(CAPTAINS)}"  # when it is run again, there is another with containers
    web.sh(f"useradd --create-home --shell /bin/bash {captain}")
    web.host("run", "-d", web.name, "-u", captain, "--", "sh", "-c", "mkdir -p web && tar -x -C web",
             input=context, text=False)
    out = web.login(f"""
        set -e
        export STORAGE_DRIVER=overlay
        podman build -q -t web web >/dev/null
        podman info -f "{{{{.Store.GraphDriverName}}}} {{{{.Host.Security.Rootless}}}}"
        podman network create both >/dev/null
        podman run -d --network both -p {port}:80 --name one web >/dev/null
        podman run -d --network both --name two web >/dev/null
        podman exec two wget -q -O - http://one/
        podman exec one wget -q -O - http://two/""", user=captain)
    assert out == "overlay true\n" + 2 * "from-a-container\n"
    assert eventually(lambda: page(port), what="the page") == "from-a-container\n"
    web.login("podman rm -f -t 0 one two", user=captain)
