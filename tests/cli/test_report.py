"""`berth report`: what is in it, and that nothing private is."""
import json
import os
import socket

import pytest

BERTH_FILES = ["README.txt", "host.txt", "doctor.json", "versions.json", "status.json", "distros.json", "settings.txt"]
DISTRO_FILES = ["settings", "console", "keeper"]


def files_of(count):
    return sorted(BERTH_FILES + [f"distro-{number}-{part}.txt" for number in range(1, count + 1) for part in DISTRO_FILES])


def report(home, *words, where="r", **options):
    """The files of a report by name."""
    directory = home.path / where
    result = home("report", "--output", directory, *words, **options)
    assert result.status == 0 and result.err == "", result
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in directory.iterdir())
    found = {path.name: path.read_text() for path in directory.iterdir()}
    assert sorted(line.split()[0] for line in result.out.splitlines()[:-1]) == sorted(found)
    return found


def test_what_is_in_it(box, rootfs):
    box("import", "other", rootfs).ok()
    box("run", "-d", "box", "--", "true").ok()
    found = report(box)
    assert sorted(found) == files_of(2)
    assert [check["name"] for check in json.loads(found["doctor.json"])["checks"]][0] == "home"
    assert json.loads(found["versions.json"])["version"]
    assert [distro["name"] for distro in json.loads(found["distros.json"])["distros"]] == ["box", "other"]
    assert "fake-qemu: booting" in found["distro-1-console.txt"] and found["distro-2-console.txt"] == ""
    assert "memory" in found["settings.txt"] and "memory" in found["distro-1-settings.txt"]
    assert os.uname().release in found["host.txt"]
    for name in found:
        assert name == "README.txt" or name in found["README.txt"]


def test_of_one_distro(box, rootfs):
    box("import", "other", rootfs).ok()
    assert sorted(report(box, "OTHER")) == files_of(1)
    assert "berth logs --console other" in report(box, "OTHER", where="again")["README.txt"]
    box("report", "none").failed(1, "distro.not-found", "report none: ")


SECRETS = {"token": "ghp_0123456789abcdefXYZ", "password": "hunter2-hunter3", "plain": "correct horse battery",
           "project": "merger-with-acme", "host": "intranet.acme.example", "key": "b3BlbnNzaC1rZXk", "address": "192.0.2.77"}


def test_no_secret_is_in_it(box):
    secret = SECRETS
    project = box.path / secret["project"]
    project.mkdir()
    kernel = project / "vmlinux"
    kernel.write_text("")
    box.configure(f"# the password is {secret['password']}\n[berth]\nkernel = {kernel}\n"
                  f"outbound = {secret['address']}\n"
                  f"distro-list = https://me:{secret['password']}@{secret['host']}/{secret['token']}.json\n"
                  f"[distro box]\nresolv-conf = {project}/resolv.conf\n"
                  f"{secret['token']} = {secret['password']}\n")
    lines = [f"fetch https://u:{secret['password']}@{secret['host']}/?t={secret['token']}", f"{kernel}: broken",
             f"\x1b[1mgh\x1b[0mp_0123456789abcdefXYZ", f"root's password: {secret['password']}", f"PASSPHRASE='{secret['plain']}'",
             f"-----BEGIN OPENSSH PRIVATE KEY-----\n{secret['key']}\n{secret['key']}\n-----END OPENSSH PRIVATE KEY-----",
             f"{socket.gethostname()} login", f"says {secret['plain']}", f"gateway {secret['address']}"]
    text = "".join(f"{line}\n" for line in lines) * 2 + "the last line\n"
    directory = box.data / "distros" / box.ids()[0]
    (directory / "console.log").write_text(text)
    (directory / "console.log.old").write_text(text)
    runtime = box.runtime / box.ids()[0]
    runtime.mkdir(parents=True, mode=0o700)
    box.runtime.chmod(0o700)
    (runtime / "keeper.log").write_text(text)
    found = report(box, env={"GREETING": secret["plain"], "MY_TOKEN": secret["token"]})
    everything = "".join(found.values()) + "".join(found)
    for word in [*secret.values(), str(box.path)]:
        assert word not in everything, word
    assert "HOST login" in everything or socket.gethostname() in ["localhost", "berth", "root"]  # which tell nobody anything
    assert "the last line" in found["distro-1-console.txt"] and "the last line" in found["distro-1-keeper.txt"]
    assert "$GREETING" in found["distro-1-console.txt"]


def test_where_berth_does_not_work(box):
    """Its registry is damaged: the report says so in each part, and is made."""
    (box.data / "registry.db").write_bytes(b"no registry" * 100)
    found = report(box)
    assert sorted(found) == files_of(0)
    assert '"problem"' in found["doctor.json"] and "code: " in found["distros.json"]
    assert "exit status 1" in found["README.txt"]


def test_without_a_home(berth):
    found = report(berth, env={"HOME": "relative"})
    assert "doctor.json" in found and "code: " in found["settings.txt"]


def test_the_end_of_a_long_log(box):
    log = box.data / "distros" / box.ids()[0] / "console.log"
    log.write_bytes(b"first line\n" + b"x\0 y\n" * 200_000 + b"last line\n")
    text = report(box)["distro-1-console.txt"]
    assert len(text) <= 257 << 10
    assert text.startswith("(the end of ") and text.endswith("x? y\nlast line\n") and "first line" not in text


def test_a_directory_of_its_own(box):
    (box.path / "there").mkdir()
    box("report", "-o", box.path / "there").failed(1, "report.output.exists", "there")
    (box.path / "file").write_text("")
    box("report", "-o", box.path / "file").failed(1, "report.output.exists")
    box("report", "-o", box.path / "none" / "r").failed(1, "report.output.missing")
    result = box("report", cwd=box.path / "there")
    made, = (box.path / "there").iterdir()
    assert made.name.startswith("berth-report-") and made.name in result.out


@pytest.mark.parametrize("at", [1, 3, 9])
def test_a_full_disk_leaves_nothing(box, at):
    directory = box.path / "r"
    result = box("report", "-o", directory, env=box.faulty("berth", at, 28))
    assert result.status in (0, 1)
    assert directory.exists() == (result.status == 0), result
    assert result.status == 0 or result.code == "report.output.no-space", result
