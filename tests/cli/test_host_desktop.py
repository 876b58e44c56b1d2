# SPDX-License-Identifier: MIT
"""xdg-open, berth-copy and berth-paste of a distro, which use the desktop of the host."""
import os

import pytest

from conftest import wait_for
from host_guest import Guest
from waiting import LIMIT

ALLOWED = "[distro box]\nhost-urls=true\nhost-clipboard=true\n"
X11 = {"DISPLAY": ":7"}
WAYLAND = {"WAYLAND_DISPLAY": "wayland-7", "DISPLAY": ":7"}


@pytest.fixture
def guest(box):
    """PATH has only what each test puts there, beside the usual tools."""
    guest = Guest(box)
    box.configure(ALLOWED)
    for tool in ("xdg-open", "wl-copy", "wl-paste", "xclip", "xsel"):
        if any(os.path.exists(f"{directory}/{tool}") for directory in box.environment["PATH"].split(":")):
            pytest.skip(f"this host has {tool}")
    return guest


def program(guest, name, text):
    path = guest.box.bin / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def follow(guest, desk):
    guest.box("run", "true", env=desk).ok()


@pytest.mark.parametrize("name", ["xdg-open", "berth-open"])
@pytest.mark.parametrize("url", ["http://localhost:8080/a?b=c&d='$(>ran)'", "HTTPS://example.org/ü", "mailto:a@example.org"])
def test_a_url_is_opened_on_the_host(guest, name, url):
    opened = guest.box.path / "opened"
    program(guest, "xdg-open", f'printf "%s|%s" "$DISPLAY" "$*" > {opened}')
    follow(guest, X11)
    assert guest(url, name=name) == (0, b"", "")
    assert opened.read_text() == f":7|{url}"
    assert not (guest.box.path / "ran").exists()


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "/etc/passwd", "a@b", "javascript:alert(1)", "ssh://a", "http:/a", "https://a b", "http://a\n",
    "mailto:a@b?attach=/etc/passwd", "mailto:a@b?subject=x&%41ttachment=/etc/passwd", "vscode://x/http://a",
])
def test_no_other_url_is(guest, url):
    opened = guest.box.path / "opened"
    program(guest, "xdg-open", f"touch {opened}")
    follow(guest, X11)
    status, out, err = guest(url, name="xdg-open")
    assert (status, out, err.count("\n")) == (125, b"", 1) and "mailto" in err
    assert not opened.exists()


def test_a_browser_outlives_the_program_that_opened_it(guest):
    """xdg-open returns at once, while what it started holds its streams."""
    pid = guest.box.path / "pid"
    program(guest, "xdg-open", f"sleep 1000 & echo $! > {pid}")
    follow(guest, X11)
    assert guest("http://a", name="xdg-open")[0] == 0
    browser = int(pid.read_text())
    os.kill(browser, 0)
    os.kill(browser, 9)


def test_an_opener_that_fails(guest):
    program(guest, "xdg-open", "exit 4")
    follow(guest, X11)
    assert guest("http://a", name="xdg-open") == (1, b"", "xdg-open failed: exit status 4\n")


@pytest.mark.parametrize("desk, tools, copied, pasted", [
    (WAYLAND, ["wl-copy", "wl-paste", "xclip"], "wl-copy:", "wl-paste:--no-newline"),
    (WAYLAND, ["xclip"], "xclip:-selection clipboard -in", "xclip:-selection clipboard -out"),
    (X11, ["wl-copy", "wl-paste", "xclip", "xsel"], "xclip:-selection clipboard -in", "xclip:-selection clipboard -out"),
    (X11, ["xsel"], "xsel:--clipboard --input", "xsel:--clipboard --output"),
], ids=["wayland", "xwayland", "x11", "xsel"])
def test_the_clipboard(guest, desk, tools, copied, pasted):
    """Like the real programs, these stay behind after a copy, with the streams that they have."""
    store = guest.box.path / "store"
    for tool in tools:
        program(guest, tool, f'case "$*" in *out*|--no*) cat {store}; printf "%s" "{tool}:$*" > {store}.out;;\n'
                             f'*) cat > {store}; printf "%s" "{tool}:$*" > {store}.in; sleep 1000 & echo $! > {store}.pid;; esac')
    follow(guest, desk)
    data = os.urandom(1 << 20)
    assert guest(name="berth-copy", data=data) == (0, b"", "")
    assert guest(name="berth-paste") == (0, data, "")
    assert (guest.box.path / "store.in").read_text() == copied
    wait_for(lambda: (guest.box.path / "store.out").read_text() == pasted)
    os.kill(int((guest.box.path / "store.pid").read_text()), 9)


def test_paste_takes_no_input(guest):
    program(guest, "xclip", "cat")
    follow(guest, X11)
    read, write = os.pipe()
    os.write(write, b"mine")
    process = guest.start(name="berth-paste", stdin=read)
    os.kill(process.pid, 15)
    process.wait(timeout=LIMIT)
    assert os.read(read, 100) == b"mine"


CALLS = [("xdg-open", ["http://a"], "host-urls"), ("berth-copy", [], "host-clipboard"), ("berth-paste", [], "host-clipboard")]


@pytest.mark.parametrize("name, words, setting", CALLS, ids=[call[0] for call in CALLS])
def test_what_the_host_does_not_allow_or_have(guest, name, words, setting):
    """Each setting allows its own service and no other; then what is missing is named."""
    def refused(*texts):
        status, out, err = guest(*words, name=name)
        assert (status, out, err.count("\n")) == (125, b"", 1) and err.startswith(f"{name}: "), err
        for text in texts:
            assert text in err
    follow(guest, {})
    refused("no desktop")
    follow(guest, X11)
    refused("install")
    for tool in ("xdg-open", "xclip"):
        program(guest, tool, "exit 0")
    assert guest(*words, name=name)[0] == 0
    others = {"host-urls", "host-clipboard", "host-commands"} - {setting}
    guest.box.configure("[distro box]\n" + "".join(f"{other}=true\n" for other in others))
    refused(f"{setting}=true", "[distro box]", "berth.conf")
    guest.box.configure(ALLOWED + "isolated=true\n")
    refused("isolated")


@pytest.mark.parametrize("name, words", [("xdg-open", []), ("xdg-open", ["a", "b"]), ("berth-open", ["--x"]), ("berth-copy", ["x"]),
                                         ("berth-paste", ["x"])], ids=str)
def test_usage(guest, name, words):
    status, out, err = guest(*words, name=name)
    assert (status, out) == (125, b"") and err.startswith(f"usage: {name}")
    assert guest("--help", name=name)[1].startswith(f"usage: {name}".encode())
