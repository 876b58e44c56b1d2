"""berth install and berth list --online, against a web server of the tests' own."""
import hashlib
import json
import os
import signal
import sqlite3
import subprocess

import json_schema
import pytest

from conftest import Terminal, tar_bytes, wait_for
from ports import free_port
from web_server import Answer, WebServer
from waiting import LIMIT

ARCHIVE = tar_bytes({"usr": os.urandom(200_000)})
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def web():
    server = WebServer()
    yield server
    server.stop()


def version(name, url, sha256=DIGEST, default=False, **others):
    return {"Name": name, "FriendlyName": f"The {name}", "Default": default,
            "Amd64Url": {"Url": url, "Sha256": sha256}, **others}


def manifest(web):
    """Two flavours; all versions are the same archive."""
    url = web.serve("/root.wsl", ARCHIVE)
    return {
        "Default": "Toy",
        "ModernDistributions": {
            "Toy": [version("Toy-2", url), version("Toy-3", url, "0x" + DIGEST.upper(), default=True),
                    {"Name": "Toy-arm", "FriendlyName": "x", "Default": False, "Arm64Url": {"Url": url, "Sha256": DIGEST}}],
            "other": [version("other-linux", url, default=True, Comment=["new"])]},
        "Distributions": [{"Name": "Legacy-Toy"}]}


@pytest.fixture
def lists(berth, web):
    """@berth with the server's list as the public one."""
    web.serve("/list.json", json.dumps(manifest(web)).encode())
    set_lists(berth, web.url("/list.json"))
    return berth


def set_lists(berth, public, *own):
    berth.configure(f"[berth]\ndistro-list = {public}\ndistro-lists = {';'.join(own)}\n")


def online(berth, **options):
    answer = json.loads(berth("list", "--online", "--json", **options).out)
    json_schema.check(answer, json_schema.read("list-online"))
    return {one["name"]: one for one in answer["online"]}


def nobody_listens():
    return f"http://127.0.0.1:{free_port()}/list.json"


# --- lists ---

def test_the_list(lists):
    lines = lists("list", "--online").ok().splitlines()
    assert lines[2].split() == ["NAME", "FRIENDLY", "NAME"]
    assert "Toy-2        The Toy-2" in lines and "other-linux  The other-linux" in lines
    assert not [line for line in lines if "arm" in line or "Legacy" in line]
    assert lists("list", "-o").out == lists("install").ok() == "\n".join(lines) + "\n"
    assert "Toy-3" in lists("list", "--online", "--quiet").ok().split("\n")


def test_the_list_as_json(lists, web):
    one = online(lists)["Toy-3"]
    assert one == {"name": "Toy-3", "flavour": "Toy", "title": "The Toy-3", "default": True, "url": web.url("/root.wsl"),
                   "sha256": DIGEST, "source": web.url("/list.json")}


def test_own_lists_come_first(lists, web, tmp_path):
    other = tar_bytes({"usr": b"mine"})
    url = web.serve("/mine.tar", other)
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"ModernDistributions": {
        "Toy": [version("Toy-2", url, hashlib.sha256(other).hexdigest())]}}))
    set_lists(lists, web.url("/list.json"), mine.as_uri())
    lists("install", "--no-launch", "toy-2").ok()
    assert "/mine.tar" in web.paths() and "/root.wsl" not in web.paths()


def test_conflicts(lists):
    for other in ("--verbose", "--all", "--running"):
        lists("list", "--online", other).failed(2, "usage.value")


def broken_lists():
    return {
        "no-json": b"{", "not-a-manifest": b"[]", "empty": b"", "no-text": b"\xff\xfe{}",
        "deep": b"[" * 1000,
        "bad-url": json.dumps({"ModernDistributions": {"T": [version("T-1", "javascript:x")]}}).encode(),
        "bad-name": json.dumps({"ModernDistributions": {"T": [version("../x", "https://a/b")]}}).encode(),
        "bad-digest": json.dumps({"ModernDistributions": {"T": [version("T-1", "https://a/b", "12")]}}).encode(),
    }


@pytest.mark.parametrize("kind", broken_lists())
def test_broken_lists_are_left_out(berth, web, kind):
    set_lists(berth, web.serve("/list.json", broken_lists()[kind]))
    result = berth("list", "--online", "--quiet")
    assert result.status == 0 and "berth: notice: " in result.err and "is left out" in result.err, result
    assert "T-1" not in result.out
    assert not list((berth.path / ".cache/berth/lists").glob("*"))


def test_the_last_good_copy_is_used(lists, web):
    lists("list", "--online").ok()
    web.serve("/list.json", Answer(b"gone", 404))
    result = lists("list", "--online", "--quiet")
    assert result.status == 0 and "Toy-2" in result.out
    assert result.err.startswith("berth: notice: the list of 20") and "404" in result.err


def test_without_internet(berth, rootfs):
    set_lists(berth, nobody_listens())
    result = berth("install", "Toy").failed(1, "catalog.offline", "the server does not answer")
    assert "--from-file" in result.hint and "berth import" in result.hint
    berth("install", "--name", "x", "--from-file", rootfs).ok()


# --- by name ---

@pytest.mark.parametrize("word,name", [("toy", "Toy-3"), ("Toy-2", "Toy-2"), ("OTHER", "other-linux"), ("TOY-3", "Toy-3")])
def test_by_flavour_and_version(lists, word, name):
    assert lists("install", "--no-launch", word).ok() == f'{name} is installed; "berth shell {name}" opens a shell in it\n'
    assert lists.names() == [name]


def test_wsl_s_spelling(lists, tmp_path):
    lists("--install", "-d", "toy", "--name", "mine", "-l", tmp_path / "place", "--vhd-size", "2G", "-n",
          "--web-download").ok()
    assert (tmp_path / "place/mine.ext4").stat().st_size == 2 << 30
    assert lists.names() == ["mine"]


def test_an_unknown_name(lists):
    assert "did you mean Toy-2?" in lists("install", "tyo-2").failed(1, "offer.not-found").hint
    assert "list --online" in lists("install", "something-else").failed(1, "offer.not-found").hint


def test_a_taken_name_is_refused_before_the_download(lists, web, rootfs):
    lists("import", "toy-3", rootfs).ok()
    lists("install", "Toy").failed(1, "registry.exists", "toy-3")
    assert "/root.wsl" not in web.paths()
    lists("install", "Toy", "--name", "second").ok()


def test_a_wrong_digest(lists, web):
    web.serve("/root.wsl", ARCHIVE + b"more")
    lists("install", "Toy").failed(1, "fetch.digest", DIGEST, hashlib.sha256(ARCHIVE + b"more").hexdigest())
    assert lists.names() == [] and lists.left_over() == []
    assert not list((lists.path / ".cache/berth/downloads").iterdir())


def test_a_download_is_kept_by_its_digest(lists, web):
    lists("install", "toy").ok()
    lists("install", "toy", "--name", "second").ok()
    assert web.paths().count("/root.wsl") == 1
    lists("cache", "prune", "--all").ok()
    lists("install", "toy", "--name", "third").ok()
    assert web.paths().count("/root.wsl") == 2


def test_a_download_that_is_cut(lists, web):
    web.serve("/root.wsl", Answer(ARCHIVE, cut=100_000), ARCHIVE)
    lists("install", "toy").ok()
    assert web.requests[-1].headers["Range"] == "bytes=100000-"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(lists, web, number):
    web.serve("/root.wsl", Answer(ARCHIVE, cut=100_000, stall=True))
    process = lists.start("install", "toy")
    wait_for(lambda: "/root.wsl" in web.paths())
    process.send_signal(number)
    process.wait(timeout=LIMIT)
    assert process.returncode == -number
    process.communicate()
    assert lists.names() == [] and lists.left_over() == []
    assert not list((lists.path / ".cache/berth/downloads").iterdir())


# --- by URL and file ---

def test_an_url(berth, web):
    url = web.serve("/root.tar", ARCHIVE)
    berth("install", url).failed(2, "usage.value", "no name")
    berth("install", url, "--name", "x").ok()
    assert berth.names() == ["x"]


def test_a_file(berth, rootfs):
    berth("install", "--from-file", rootfs).failed(2, "usage.value", "no name")
    berth("install", "Toy", "--from-file", rootfs).failed(2, "usage.value")
    berth("install", "--from-file", "/nonexistent", "--name", "x").failed(1, "import.archive.missing")
    berth("install", "--from-file", rootfs, "--name", "x").ok()
    berth("install", "-f", "-", "--name", "y", data=ARCHIVE).ok()
    assert berth.names() == ["x", "y"]


def test_the_same_disk_as_an_import_s(lists, tmp_path):
    (tmp_path / "root.tar").write_bytes(ARCHIVE)
    lists("import", "one", tmp_path / "root.tar").ok()
    lists("install", "toy", "--name", "two").ok()
    disks = [lists.data / "distros" / one / "disk.ext4" for one in lists.ids()]
    listings = [subprocess.run(["debugfs", "-R", "ls -l /", disk], capture_output=True, check=True).stdout for disk in disks]
    assert len(disks) == 2 and listings[0] == listings[1]


def test_bad_values(berth, rootfs):
    for words in (["--size", "many"], ["--user", "no user"], ["--user", "Root"]):
        berth("install", "--name", "x", "-f", rootfs, *words).failed(2, "usage.value")
    assert berth.names() == []


def test_the_account(berth, rootfs):
    berth("install", "--name", "x", "-f", rootfs, "--user", "somebody").ok()
    with sqlite3.connect(berth.data / "registry.db") as registry:
        assert registry.execute("SELECT account FROM distro").fetchall() == [("somebody",)]


def test_templates(lists):
    """What berth itself describes can be read, and has a checked digest."""
    found = {name: one for name, one in online(lists).items() if "/templates/distros/" in one["source"]}
    assert set(found) == {"Alpine-3.22", "Rocky-10", "Void"}


def test_sums(lists, web, tmp_path):
    """A template whose digest is in a file of checksums."""
    templates = lists.support / "templates"
    templates.unlink()
    (templates / "distros").mkdir(parents=True)
    url = web.serve("/deep/own.tar", ARCHIVE)
    template = templates / "distros/own.conf"
    template.write_text(f"[distro]\nflavour = Own\nname = Own-1\ntitle = My own\nurl = {url}\n"
                        f"sums = {web.serve('/SUMS', f'{DIGEST} *./own.tar'.encode())}\n")
    lists("install", "own").ok()
    web.serve("/SUMS", b"nothing of it\n")
    lists("install", "own", "--name", "second").failed(1, "fetch.sums", "/SUMS")
    template.write_text("[distro]\nflavour = Own\n")
    assert "own.conf: flavour and name" in lists("list", "--online").err


def test_nothing_is_installed(berth):
    result = berth("list")
    assert "berth install NAME" in result.err
    assert "berth install NAME" in berth().hint


def test_a_shell_opens_on_a_terminal(lists):
    terminal = Terminal(lists, "install", "toy")
    try:
        terminal.expect(b"Toy-3 is installed; opening a shell in it")
        wait_for(terminal.is_raw)
        terminal.type(b"exit 7\n")
        terminal.end(7)
    finally:
        terminal.close()
