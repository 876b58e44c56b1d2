"""The working directory of a command, and `berth path`: this host's directories as a distro has them."""
import os
import signal

import pytest

from conftest import wait_for

ODD = "a b\n'ü"


@pytest.fixture
def guest(box, tmp_path):
    """Where the guest has this host's directories; of the home it has the same directories, but no files."""
    root = tmp_path / "guest"
    for name in ("src/x", ODD):
        (tmp_path / name).mkdir(parents=True)
        os.makedirs(f"{root}{tmp_path}/{name}")
    os.symlink("src/x", tmp_path / "link")
    os.symlink("/usr", tmp_path / "out")
    os.symlink("nowhere", tmp_path / "dangling")
    box.environment = box.fake_qemu({**box.environment, "FAKE_QEMU_SHARES": root})
    return f"{root}{tmp_path}"


@pytest.fixture
def start(box):
    """The directory in which a command starts that is told of none."""
    return box("run", "--cd", "~", "pwd").ok()


@pytest.mark.parametrize("name", ["", "src/x", ODD])
def test_commands_start_in_the_working_directory(box, guest, tmp_path, name):
    place = str((tmp_path / name)).rstrip("/")
    expected = f"{guest}{place.removeprefix(str(tmp_path))}\n"
    assert box("run", "pwd", cwd=place).ok() == expected
    assert box("--", "pwd", cwd=place).ok() == expected
    assert box("shell", cwd=place, data=b"pwd\n").ok() == expected


def test_another_directory_can_be_asked_for(box, guest, start, tmp_path):
    assert box("run", "--cd", "/usr", "pwd", cwd=tmp_path).ok() == "/usr\n"
    assert box("~", "-e", "pwd", cwd=tmp_path).ok() == start
    assert box("run", "--cd", "", "pwd", cwd=tmp_path).ok() == start


def test_links_are_resolved(box, guest, start, tmp_path):
    """The guest would follow them on its own disk."""
    def pwd(name):
        return box("run", "pwd", cwd=tmp_path / name, env={"PWD": str(tmp_path / name)}).ok()
    assert pwd("link") == f"{guest}/src/x\n"
    assert pwd("out") == start


def test_a_home_that_is_a_link(box, guest, tmp_path):
    """As on Fedora's ostree systems, whose /home is /var/home."""
    home = tmp_path.parent / f"{tmp_path.name}-link"
    os.symlink(tmp_path, home)
    box.environment["HOME"] = str(home)
    assert box("run", "pwd", cwd=home / "src/x", env={"PWD": str(home / "src/x")}).ok() == f"{guest}/src/x\n"
    assert box("path", home / "src/x").ok() == f"{guest}/src/x\n"


def test_a_directory_the_guest_cannot_enter_is_a_warning(box, guest, start, tmp_path):
    (tmp_path / "new").mkdir()
    result = box("run", "pwd", cwd=tmp_path / "new")
    assert (result.status, result.out) == (0, start)
    assert result.err == (f'berth: cannot change to "{guest}/new": No such file or directory; '
                          f'it starts in "{start.strip()}"\n')


def test_elsewhere_commands_start_in_the_home(box, guest, start):
    assert box("run", "pwd", cwd="/usr").ok() == start  # a script is told nothing


def test_elsewhere_a_terminal_gets_one_notice(box, guest, on_terminal):
    terminal = on_terminal("run", "true", cwd="/usr")
    terminal.expect(b"berth: /usr is not shared with box: this starts in the home directory\r\n")
    terminal.end(0)
    assert not box("run", "--cd", "/", "true", cwd="/usr").err


def test_a_directory_that_is_gone(box, guest, start, tmp_path, on_terminal):
    gone = tmp_path / "gone"
    def leave():
        os.mkdir(gone)
        os.chdir(gone)
        os.rmdir(gone)
    assert box("run", "pwd", preexec_fn=leave).ok() == start
    box("path", ".", preexec_fn=leave).failed(1, "path.working-directory.missing")


@pytest.mark.parametrize("settings", ["share-home=false", "isolated=true"])
def test_distro_without_directories_gives_no_notice(box, guest, on_terminal, tmp_path, settings):
    box.configure(f"[distro box]\n{settings}\n")
    box("terminate", "box").ok()
    terminal = on_terminal("run", "sh", "-c", "echo in:$(pwd)", cwd=tmp_path)
    terminal.expect(b"in:")
    terminal.end(0)
    assert b"berth:" not in terminal.rest()
    box("path", "/usr").failed(1, "path.no-shares", "box sees no directory of this host")


@pytest.mark.parametrize("path, expected", [
    ("{home}/src", "/src"), ("src", "/src"), (".", ""), ("./src/../missing//x/", "/missing/x"),
    ("link", "/src/x"), ("dangling", "/dangling"), (ODD, f"/{ODD}"), ("{home}", ""),
])
def test_a_path_of_this_host(box, guest, tmp_path, path, expected):
    for option in ([], ["-u"], ["-a"], ["-au"]):
        assert box("path", *option, "--", path.format(home=tmp_path), cwd=tmp_path).ok() == f"{guest}{expected}\n"


@pytest.mark.parametrize("path, expected", [
    ("{guest}/src", "/src"), ("src", "/src"), (".", ""), ("{guest}/src/../missing", "/missing"), ("{guest}", ""),
])
def test_a_path_of_the_guest(box, guest, tmp_path, path, expected):
    for option in (["-w"], ["-m"], ["-aw"], ["-d", "box", "-w"]):
        assert box("path", *option, path.format(guest=guest), cwd=tmp_path).ok() == f"{tmp_path}{expected}\n"


def test_paths_that_have_no_other_side(box, guest, tmp_path):
    assert box("path", "/usr", cwd=tmp_path).failed(1, "path.unshared", "/usr is not shared with box").hint == \
        "share a directory: berth share add box DIR"
    box("path", "out", cwd=tmp_path).failed(1, "path.unshared", f"{tmp_path}/out leads to /usr, which")
    assert guest in box("path", "-w", "/etc/passwd").failed(1, "path.unshared", "/etc/passwd of box").hint
    box("path", "-w", "x", cwd="/usr").failed(1, "path.unshared", "/usr is not shared with box")
    box("path", "-uw", "x").failed(2, "usage.option")
    box("path").failed(2, "usage.arguments")


def test_after_a_reboot_too(box, guest, tmp_path):
    box("start").ok()
    os.kill(box.qemus()[-1]["pid"], signal.SIGUSR1)  # the guest reboots
    wait_for(lambda: len(box.qemus()) == 2)
    assert box("run", "pwd", cwd=tmp_path / "src").ok() == f"{guest}/src\n"


def test_code_opens_a_shared_directory(box, guest, start, tmp_path):
    code = box.bin / "code"
    code.write_text('#!/bin/sh\nprintf "%s\\n" "$3"\n')
    code.chmod(0o755)
    box("ssh-config", "--install").ok()

    def opened(*words, cwd=tmp_path):
        return box("code", *words, cwd=cwd).ok()
    assert opened() == f"{guest}\n"
    assert opened("src") == opened(tmp_path / "src") == f"{guest}/src\n"
    assert opened(cwd="/usr") == start
    assert opened("/usr") == "/usr\n"  # the distro's own
