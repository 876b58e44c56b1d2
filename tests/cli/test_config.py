# SPDX-License-Identifier: MIT
"""berth config: get, set, list, unset and check of the user's settings."""
import errno
import json
import os
import stat
import subprocess

import pytest
from test_read_only import as_plain_user


def settings(berth, *arguments, **environment):
    document = json.loads(berth("config", "list", "--json", *arguments, env=environment).ok())
    assert document["schema"] == 1
    return {setting["key"]: setting for setting in document["settings"]}


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def test_set_get_unset(box):
    said = box("config", "set", "memory", "2G").ok()
    assert said == f"memory = 2G in [berth] of {box.config}: takes effect at a distro's next start\n"
    assert box.config.read_text() == "[berth]\nmemory = 2G\n"
    assert stat.S_IMODE(box.config.stat().st_mode) == 0o600
    assert box("config", "get", "memory").ok() == f"{2 << 30}\n"
    assert "as it was" in box("config", "set", "memory", "2G").ok()
    box("config", "set", "--distro", "BOX", "memory", "3G").ok()
    assert box("config", "get", "-d", "box", "memory").ok() == f"{3 << 30}\n"
    assert box("config", "get", "memory").ok() == f"{2 << 30}\n"
    assert box("config", "unset", "memory").ok().startswith(f"memory is not set in [berth] of {box.config}")
    box("config", "unset", "--distro", "box", "memory").ok()
    assert box.config.read_text() == "[berth]\n\n[distro BOX]\n"
    assert names(box.config.parent) == ["berth.conf"]


def test_when_a_change_takes_effect(berth):
    assert berth("config", "set", "host-urls", "true").ok().endswith(": takes effect now\n")
    result = berth("config", "set", "mtu", "3000", env={"BERTH_MTU": "4000"})
    assert result.status == 0 and "BERTH_MTU in the environment is used instead" in result.err
    assert berth("config", "get", "mtu", env={"BERTH_MTU": "4000"}).ok() == "4000\n"


def test_where_values_come_from(box):
    box.configure("# mine\n[berth]\nmtu = 3000\ncpus = 1\n[distro box]\ncpus = 2\n")
    found = settings(box, "--distro", "box", BERTH_LOG_SIZE="2M")
    assert [(found[key]["source"], found[key]["line"]) for key in ("mtu", "cpus", "log-size", "ports")] == [
        ("file", 3), ("distro", 6), ("environment", None), ("default", None)]
    assert settings(box)["cpus"]["line"] == 4
    lines = {line.split()[0]: line.split() for line in box("config", "list", "--distro", "box").ok().splitlines()}
    assert lines["KEY"] == ["KEY", "VALUE", "DEFAULT", "FROM"]
    assert lines["cpus"][1:] == ["2", "0", f"{box.config}:6"]
    assert lines["accel"][1:] == ["tcg", "auto", "BERTH_ACCEL"]


@pytest.mark.parametrize("words, code, hint", [
    (["set", "memroy", "1G"], "config.key", "did you mean memory?"),
    (["get", "memroy"], "config.key", "did you mean memory?"),
    (["unset", "memroy"], "config.key", "did you mean memory?"),
    (["set", "mtu", "1"], "config.value", "from 1280 to 65520"),
    (["set", "memory", "lots"], "config.value", "a size such as"),
    (["set", "ports", "maybe"], "config.value", "true or false"),
    (["set", "accel", "kvn"], "config.value", "did you mean kvm?"),
    (["set", "publish", "x:y"], "config.value", ""),
    (["set", "outbound", "nine"], "config.value", "or none"),
    (["set", "kernel-command-line", 'a="b'], "config.value", "1024 bytes"),
    (["set", "kernel-command-line", "a\nb"], "config.value", "1024 bytes"),
    (["set", "wsl2.kernelCommandLine", "a" * 1025], "config.value", "1024 bytes"),
    (["set", "kernel", b"\xff"], "config.value", ""),
    (["set", "--distro", "box", "cache-size", "1G"], "config.global", "berth config set cache-size VALUE"),
    (["set", "--distro", "none", "mtu", "3000"], "distro.not-found", ""),
    (["unset", "--distro", "a b", "mtu"], "name.invalid", ""),
])
def test_what_is_refused(box, words, code, hint):
    result = box("config", *words) if not any(isinstance(word, bytes) for word in words) else raw(box, words)
    result.failed(1, code)
    assert hint in (result.hint or ""), result
    assert not box.config.exists()


def raw(berth, words):
    """berth config with words that are bytes."""
    return berth.finish(subprocess.Popen([os.fsencode(berth.program), b"config", *map(os.fsencode, words)], env=berth.environment,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE))


@pytest.mark.parametrize("words", [["get"], ["set", "mtu"], ["set", "mtu", "1", "2"], ["unset"], ["list", "x"], ["gte", "mtu"],
                                   ["get", "mtu", "--json"]])
def test_wrong_words(berth, words):
    berth("config", *words).failed(2, "usage." + ("value" if words[0] == "gte" else "arguments"))


def test_names_of_wsl(berth):
    assert berth("config", "set", "processors", "2").ok().startswith(f"cpus = 2 in [berth] of {berth.config}: ")
    for word, key, value, own in (("wsl2.localhostForwarding", "ports", "false", "false"), ("WSL2.MEMORY", "memory", "1GB", f"{1 << 30}"),
                                  ("swap", "swap", "0", "0"), ("wsl2.swap", "swap", "8GB", f"{8 << 30}"), ("kernelBootTimeout", "boot-timeout", "30001", "31"), ("vmIdleTimeout", "idle-timeout", "60000", "60"), ("experimental.ignoredPorts", "ports-ignore", "22,80", "22,80")):
        berth("config", "set", word, value).ok()
        assert berth("config", "get", key).ok() == berth("config", "get", word).ok() == f"{own}\n"
    for word in ("vmIdleTimeout", "general.instanceIdleTimeout"):
        assert berth("config", "set", word, "--", "-1").out.startswith("idle = never in [berth]")
        assert "idle = never\n" in berth.config.read_text()
        assert berth("config", "unset", "idle").status == 0
    berth("config", "set", "bootTimeout", "--", "-1").failed(1, "config.key")
    berth("config", "unset", "wsl2.processors").ok()
    assert "cpus" not in berth.config.read_text() and "boot-timeout = 31\n" in berth.config.read_text()
    before = berth.config.read_text()
    for words in (["set", "swapFile", "1"], ["get", "wsl2.dnsProxy"]):
        berth("config", *words).failed(1, "config.wsl", "berth has no setting like WSL's")
    berth("config", "set", "general.processors", "1").failed(1, "config.key")
    assert berth.config.read_text() == before


# The keys that WSL 2 documents, are essential or useful on a Linux host, and have no setting of berth's.
@pytest.mark.parametrize("word, instead", [
    ("wsl2.safeMode", "berth start --rescue NAME"), ("wsl2.kernelModules", "no modules"), ("wsl2.loadKernelModules", "no modules"),
    ("wsl2.loadDefaultKernelModules", "no modules"), ("wsl2.virtiofs", "FUSE"), ("wsl2.virtio9p", "FUSE"), ("wsl2.virtio", "FUSE"),
    ("wsl2.mountDeviceTimeout", "boot-timeout"), ("wsl2.autoProxy", "--env"), ("wsl2.guiApplications", "windows"),
    ("wsl2.nestedVirtualization", "/dev/kvm"), ("wsl2.debugConsole", "berth logs"), ("wsl2.debugConsoleLogFile", "berth logs"),
    ("wsl2.earlyBootLogging", "berth logs"), ("wsl2.maxCrashDumpCount", "core dumps"), ("wsl2.crashDumpFolder", "core dumps"),
    ("experimental.autoMemoryReclaim", "goes back to this host"), ("experimental.sparseVhd", "sparse file"),
    ("experimental.hostAddressLoopback", "host-ports"), ("wsl2.networkingMode", "outbound=none"), ("wsl2.dnsProxy", "through the host"),
    ("wsl2.dnsTunneling", "through the host"), ("general.distributionInstallPath", "berth import NAME DIR FILE")])
def test_wsls_settings_without_one_of_berths_say_what_there_is(berth, word, instead):
    failed = berth("config", "set", word, "true").failed(1, "config.wsl")
    assert instead in failed.err and not berth.config.exists()


TEXT = """# My settings.

  # about all
[berth]
mtu=3000
\tcpus =  1
nonsense = kept

; = kept, too

[distro later]
cpus = 3
# the end"""


@pytest.mark.parametrize("before, after", [
    (TEXT, TEXT.replace("cpus =  1", "cpus =  7")),
    (TEXT.replace("\n", "\r\n"), TEXT.replace("cpus =  1", "cpus =  7").replace("\n", "\r\n")),
    ("\ufeff" + TEXT, "\ufeff" + TEXT.replace("cpus =  1", "cpus =  7")),
    ("[berth]\ncpus = 1\nmtu = 3000\ncpus = 2\n", "[berth]\nmtu = 3000\ncpus = 7\n"),
    ("# only this", "# only this\n\n[berth]\ncpus = 7\n"),
    ("", "[berth]\ncpus = 7\n"),
    ("# gr\udcfcn\n[berth]\n", "# gr\udcfcn\n[berth]\ncpus = 7\n"),
])
def test_the_rest_of_the_file_stays(berth, before, after):
    berth.configure("")
    berth.config.write_bytes(before.encode(errors="surrogateescape"))
    berth("config", "set", "cpus", "7")
    assert berth.config.read_bytes() == after.encode(errors="surrogateescape")


def test_a_mark_and_carriage_returns_are_read(berth):
    berth.configure("")
    berth.config.write_bytes(b"\xef\xbb\xbf[berth]\r\ncpus = 7\r\n")
    assert berth("config", "get", "cpus").ok() == "7\n"
    assert settings(berth)["cpus"]["line"] == 2
    assert berth("config", "check").ok() == ""


def test_mode_and_link_stay(berth, tmp_path):
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    real = dotfiles / "the.conf"
    real.write_text("[berth]\n")
    real.chmod(0o640)
    berth.config.parent.mkdir(parents=True)
    berth.config.symlink_to("../../dotfiles/the.conf")
    berth("config", "set", "cpus", "2").ok()
    assert berth.config.is_symlink() and real.read_text() == "[berth]\ncpus = 2\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert names(dotfiles) == ["the.conf"]
    real.unlink()
    berth("config", "set", "cpus", "1").ok()
    assert berth.config.is_symlink() and real.read_text() == "[berth]\ncpus = 1\n"


@pytest.mark.parametrize("content, word", [
    (b"cpus = 2\n", ":1: "), (b"[berth]\nwhat is this\n", ":2: "), (b"[berth]\ncpus = 1\x00\n", "not a text file"),
    ("[berth]\ncpus = 1\n".encode("utf-16"), "not a text file"), (b"[berth\n", ":1: "), (b"\xff\xfe\n", ":1: "),
])
def test_a_file_that_is_none_is_left_alone(berth, content, word):
    berth.configure("")
    berth.config.write_bytes(content)
    for words in (["set", "mtu", "3000"], ["unset", "mtu"], ["check"], ["list"], ["get", "mtu"]):
        result = berth("config", *words).failed(1, "config.syntax", str(berth.config), word)
        assert "\udcff" not in result.err
    assert berth.config.read_bytes() == content


def test_a_huge_file(berth):
    berth.configure("[berth]\n" + "# a line of no use\n" * 50_000)
    assert berth.config.stat().st_size < 1 << 20
    berth("config", "set", "cpus", "2").ok()
    assert berth("config", "get", "cpus").ok() == "2\n"
    berth.configure("[berth]\n" + "#" * (1 << 20))
    before = berth.config.read_bytes()
    for words in (["set", "cpus", "3"], ["get", "cpus"], ["check"]):
        berth("config", *words).failed(1, "config.too-big", f"{berth.config}: larger than 1 MiB")
    assert berth.config.read_bytes() == before


@pytest.mark.parametrize("make, code, word", [(os.mkdir, "config.write.io", "is a directory"),
                                              (os.mkfifo, "config.write", "not a regular file")])
def test_something_else_in_its_place(berth, make, code, word):
    berth.config.parent.mkdir(parents=True)
    make(berth.config)
    berth("config", "set", "cpus", "2").failed(1, code, word, str(berth.config))
    assert names(berth.config.parent) == ["berth.conf"]


@pytest.mark.parametrize("what, code", [("file", "config.write.read-only"), ("directory", "config.create.denied")])
def test_a_read_only_place(berth, what, code):
    berth.configure("[berth]\n")
    place = berth.config if what == "file" else berth.config.parent
    place.chmod(0o400 if what == "file" else 0o500)
    try:
        berth("config", "set", "cpus", "2", preexec_fn=as_plain_user).failed(1, code, str(berth.config.parent))
        assert berth("config", "get", "cpus", preexec_fn=as_plain_user).ok() == "0\n"
    finally:
        place.chmod(0o700)
    assert berth.config.read_text() == "[berth]\n" and names(berth.config.parent) == ["berth.conf"]


@pytest.mark.parametrize("home, code, word", [("/dev/null/none", "layout.io", "/dev/null/none"), ("", "layout.home", "no home")])
def test_a_missing_home(berth, home, code, word):
    berth("config", "set", "cpus", "2", env={"HOME": home}).failed(1, code, word)


def test_an_unknown_key_of_the_file_can_be_removed(berth):
    berth.configure("[berth]\nmemroy = 1G\ncpus = 2\n")
    berth("config", "get", "cpus").failed(1, "config.key", f"{berth.config}:2: ")
    berth("config", "unset", "memroy").ok()
    assert berth("config", "get", "cpus").ok() == "2\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_write_that_fails_changes_nothing(berth, number):
    berth.configure("[berth]\ncpus = 1\n")
    process = subprocess.Popen([berth.program, "config", "set", "cpus", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=berth.faulty("berth", 1, number))
    berth.finish(process).failed(1, "config.write.io" if number == errno.EIO else "config.write.no-space", str(berth.config))
    assert names(berth.config.parent) == ["berth.conf"]
    assert berth.config.read_text() == "[berth]\ncpus = 1\n"


KEYS = ["cpus", "mtu", "boot-timeout", "init-timeout", "stop-timeout", "ports", "share-home", "isolated", "owner-only",
        "host-urls"]


def test_concurrent_sets_lose_nothing(berth):
    value = {key: "3000" if key == "mtu" else "2" if key in ("cpus", "boot-timeout", "init-timeout", "stop-timeout") else "true"
             for key in KEYS}
    for _ in range(3):
        running = [berth.start("config", "set", key, value[key]) for key in KEYS]
        assert [berth.finish(process).status for process in running] == [0] * len(KEYS)
        lines = berth.config.read_text().splitlines()
        assert sorted(lines) == sorted(["[berth]", *(f"{key} = {value[key]}" for key in KEYS)])
        assert names(berth.config.parent) == ["berth.conf"]
        running = [berth.start("config", "unset", key) for key in KEYS]
        assert [berth.finish(process).status for process in running] == [0] * len(KEYS)
        assert berth.config.read_text() == "[berth]\n"


@pytest.mark.parametrize("text, found", [
    ("[berth]\ncpus = 2\n[distro later]\nmtu = 3000\n", []),
    ("[bert]\ncpus = 2\n", ['1: unknown group "bert": did you mean [berth]?']),
    ("[BERTH]\ncpsu = 2\n[distro a]\nmtu = 1\n", ['2: unknown key "cpsu" in [BERTH]: did you mean cpus?', '4: mtu: "1" is not allowed']),
    ("[berth]\nkernel = \\q\n", ["2: kernel: the value is not UTF-8, or has an unknown escape"]),
])
def test_check(berth, tmp_path, text, found):
    path = tmp_path / "some.conf"
    path.write_text(text)
    result = berth("config", "check", path)
    assert result.err == "" and result.status == bool(found)
    assert result.out == "".join(f"{path}:{line}\n" for line in found)
    berth.configure(text)
    assert berth("config", "check").out == "".join(f"{berth.config}:{line}\n" for line in found)


def test_check_of_no_file(berth, tmp_path):
    assert berth("config", "check").ok() == ""
    berth("config", "check", tmp_path / "none").failed(1, "config.missing", "none: no such file")
    berth("config", "check", tmp_path).failed(1, "config.io", f"{tmp_path}: is a directory")
