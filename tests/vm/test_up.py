"""`berth up` with a real distro: packages of its mirror, variables, a shared directory, a service."""
import pytest

from conftest import required

PROJECT = """[project]
archive = {archive}
cpus = 1
packages = hello
shares = .

[environment]
GREETING = good day, all

[step note]
root = id -un >/root/note; printf %s "$GREETING" >>/root/note

[step mine]
user = pwd >/tmp/where; id -un >>/tmp/where
"""


@pytest.fixture(scope="module")
def project(host):
    directory = host.root / "home" / "site"
    directory.mkdir()
    (directory / "berth.conf").write_text(PROJECT.format(archive=required("BERTH_TEST_DEBIAN")))
    yield directory
    host("unregister", "site", check=False)


def test_a_project_becomes_a_distro(host, project):
    first = host("up", project, timeout=900)
    assert "==> packages hello" in first.stdout and 'site is up; "berth shell site"' in first.stdout
    assert host.shell("site", "hello").stdout == "Hello, world!\n"
    assert host.shell("site", "echo $GREETING; grep -c berth /etc/environment").stdout == "good day, all\n2\n"
    assert host("run", "-d", "site", "-u", "root", "--", "cat", "/root/note").stdout == "root\ngood day, all"
    where, user = host.shell("site", "cat /tmp/where").stdout.split()
    assert where.endswith("/site") and user == host.shell("site", "id -un").stdout.strip()
    assert host.shell("site", "nproc").stdout == "1\n"

    again = host("up", project)
    assert "==>" not in again.stdout and again.stdout.count("done before:") == 6


def test_only_what_changed_is_done(host, project):
    text = (project / "berth.conf").read_text()
    (project / "berth.conf").write_text(text.replace("good day", "good night"))
    result = host("up", project)
    assert [line for line in result.stdout.splitlines() if line.startswith("==>")] == ["==> environment 1 variables"]
    assert host.shell("site", "echo $GREETING; grep -c GREETING /etc/environment").stdout == "good night, all\n1\n"
