"""Directories of the host that distros see: stored, listed, and handed over at a start."""
import concurrent.futures
import hashlib
import json
import os
import shutil
import signal

import pytest

from conftest import wait_for
from waiting import is_alive


@pytest.fixture
def box(berth, rootfs):
    berth("import", "box", rootfs).ok()
    return berth


@pytest.fixture
def source(tmp_path_factory):
    """A directory outside of the user's home."""
    return tmp_path_factory.mktemp("src").resolve()


def listed(berth, *name):
    return json.loads(berth("share", "list", "--json", *name).ok())["distros"]


def shares(berth, name="box"):
    (distro,) = listed(berth, name)
    return [(s["directory"], s["target"], s["read_only"]) for s in distro["shares"]]


def machine_shares(berth, name="box"):
    """The shares the running distro was started with, but that of the home."""
    text = (berth.runtime / berth.info(name)["id"] / "machine.conf").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("shares=")]
    return [s for s in line.removeprefix("shares=").split(";") if s][1:]


def test_no_share_is_there_by_default(box):
    assert listed(box) == [{"distro": "box", "shares": []}]
    assert box("share", "ls").ok().split() == ["DISTRO", "DIRECTORY", "TARGET", "ACCESS", "QUOTA"]


def test_add_and_remove(box, source):
    assert box("share", "add", "box", str(source)).ok() == ""
    box("share", "add", "--read-only", "box", str(source), "/work").ok()
    assert shares(box) == sorted([(str(source), str(source), False), (str(source), "/work", True)],
                                 key=lambda share: share[1])
    lines = [line.split() for line in box("share", "ls", "box").ok().splitlines()]
    assert ["box", str(source), "/work", "read-only", "-"] in lines
    assert ["box", str(source), str(source), "read-write", "-"] in lines
    box("share", "rm", "box", "/work").ok()
    assert shares(box) == [(str(source), str(source), False)]
    box("share", "rm", "box", str(source)).ok()
    assert shares(box) == []


@pytest.mark.parametrize("suffix, target, read_only", [
    ("", None, False), (":ro", None, True), (":/work", "/work", False), (":/work:ro", "/work", True),
])
def test_one_word_says_it_all(box, source, suffix, target, read_only):
    box("share", "add", "box", f"{source}{suffix}").ok()
    assert shares(box) == [(str(source), target or str(source), read_only)]
    box("share", "rm", "box", target or str(source)).ok()
    box("share", "add", "box", f"./{source.name}{suffix}", "-r", cwd=source.parent).ok()
    assert shares(box) == [(str(source), target or str(source), True)]


@pytest.mark.parametrize("name", ["a:b", "a:ro", "a:", ":a", "a:/b", "a:/b:ro", "ro:ro"])
def test_a_path_may_contain_colons(box, source, name):
    """As long as nothing else can be meant."""
    path = source / name
    path.mkdir(parents=True)
    for suffix, target, read_only in ("", None, False), (":ro", None, True), (":/work:ro", "/work", True):
        box("share", "add", "box", f"{path}{suffix}").ok()
        assert shares(box) == [(str(path), target or str(path), read_only)]
        box("share", "rm", "box", target or str(path)).ok()
    box("share", "add", "box", str(path), "/x:ro").ok()
    assert shares(box) == [(str(path), "/x:ro", False)]


def test_a_word_with_two_meanings_is_refused(box, source):
    for name in "a", "a:ro", "a:/work":
        (source / name).mkdir(parents=True)
    for word in "a:ro", "a:/work", "a:/work:ro":
        box("share", "add", "box", str(source / word)).failed(1, "share.colon", f"both {source}/a:", f"and {source}/a exist")
    box("share", "add", "box", str(source / "a:ro"), "/work").ok()
    assert shares(box) == [(str(source / "a:ro"), "/work", False)]


@pytest.mark.parametrize("suffix, code, words", [
    (":rw", "share.option", '"rw" is no option'), (":ro:ro", "share.option", '"ro" is no option'),
    (":r0", "share.option", '"r0" is no option'), (":/work:rx", "share.option", '"rx" is no option'),
    (":", "share.option", '"" is no option'), (":work/x", "share.directory", "No such file"),
    (":/a:/b", "share.directory", "No such file"), (":ro:/work", "share.option", '"ro" is no option'),
    (":/a/../b:ro", "share.target", "/a/../b"), (":/:ro", "share.target", "/ cannot"),
])
def test_words_with_mistakes(box, source, suffix, code, words):
    box("share", "add", "box", f"{source}{suffix}").failed(1, code, words)
    assert shares(box) == []


def test_a_worktree_of_git_needs_its_repository(box, source):
    """One line with the command that shares it, unless the distro sees it."""
    repository = source / "main/.git"
    (repository / "worktrees/tree").mkdir(parents=True)
    tree = source / "tree"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {repository}/worktrees/tree\n")
    added = box("share", "add", "box", str(tree))
    assert added.status == 0
    command = f"share add --read-only box {repository}"
    assert added.err == f"berth: box does not see the repository of this git worktree: berth {command}\n"
    assert box(*command.split()).ok() == ""
    box("share", "rm", "box", str(tree)).ok()
    assert box("share", "add", "box", f"{tree}:ro").ok() == ""


def test_a_share_is_removed_by_its_directory(box, source):
    box("share", "add", "box", str(source), "/one").ok()
    box("share", "add", "box", str(source), "/two").ok()
    box("share", "rm", "box", str(source)).failed(1, "share.ambiguous", "/one and as /two")
    box("share", "rm", "box", "/one").ok()
    box("share", "rm", "box", ".", cwd=source).ok()
    assert shares(box) == []


GIB = 1 << 30


def quotas(box):
    (distro,) = listed(box, "box")
    return [(s["target"], s.get("quota"), s.get("quota_used")) for s in distro["shares"]]


@pytest.mark.parametrize("words", [("{}:/work:quota=4G",), ("{}", "/work", "--quota", "4GiB"), ("{}:/work", "-q", "4096M"),
                                   ("{}:/work", "--cow", "--quota=4G")])
def test_a_quota(box, source, words):
    box("share", "add", "box", *(word.format(source) for word in words)).ok()
    assert quotas(box) == [("/work", 4 * GIB, 0)]
    lines = box("share", "list").ok().splitlines()
    assert lines[1].endswith("  0 B of 4.0 GiB")


def test_the_count_is_of_the_files_and_ends_with_the_share(box, source):
    box("share", "add", "box", f"{source}:/one:quota=4G").ok()
    box("share", "add", "box", str(source), "/two").ok()
    counts = box.data / "distros" / box.info("box")["id"] / "counts"
    assert not counts.exists()
    assert quotas(box) == [("/one", 4 * GIB, 0), ("/two", None, None)]
    counts.mkdir()
    count = counts / hashlib.sha256(f"{source}\n/one".encode()).hexdigest()
    count.write_text(f"{GIB:020}\n")
    assert quotas(box)[0] == ("/one", 4 * GIB, GIB)
    assert "1.0 GiB of 4.0 GiB" in box("share", "list").ok()
    count.write_text("damaged")  # berth-share leaves no room then
    assert quotas(box)[0] == ("/one", 4 * GIB, 4 * GIB)
    box("share", "rm", "box", "/one").ok()
    assert not count.exists()
    count.write_text(f"{GIB:020}\n")  # left by a killed command
    box("share", "add", "box", f"{source}:/one:quota=4G").ok()
    assert quotas(box)[0] == ("/one", 4 * GIB, 0)


@pytest.mark.parametrize("words, status, code, text", [
    (("{}:ro:quota=4G",), 2, "usage.option", "a read-only share cannot have a quota"),
    (("{}", "--read-only", "--quota", "1G"), 2, "usage.option", "a read-only share cannot have a quota"),
    (("{}:quota=1G", "--quota", "1G"), 2, "usage.option", "given twice"),
    (("{}", "--quota", "0"), 2, "usage.value", '"0" is not a size'),
    (("{}", "--quota", "4X"), 2, "usage.value", '"4X" is not a size'),
    (("{}", "--quota", "-1"), 2, "usage.value", '"-1" is not a size'),
    (("{}", "--quota", "8E"), 2, "usage.value", '"8E" is not a size'),
    (("{}", "--quota", str(1 << 63)), 2, "usage.value", "is not a size"),
    (("{}:quota=0",), 1, "share.option", '"quota=0" is no option'),
    (("{}:quota=",), 1, "share.option", '"quota=" is no option'),
    (("{}:quota=1G:quota=1G",), 1, "share.option", '"quota=1G" is no option'),
])
def test_no_quota(box, source, words, status, code, text):
    box("share", "add", "box", *(word.format(source) for word in words)).failed(status, code, text)
    assert shares(box) == []


@pytest.mark.parametrize("action", ["rm", "list"])
def test_a_quota_is_for_add(box, action):
    box("share", action, "box", *(["/x"] if action == "rm" else []), "--quota", "1G").failed(2, "usage.option", "--quota is for add and set only")


def access(box):
    (distro,) = listed(box, "box")
    (share,) = distro["shares"]
    return "ro" if share["read_only"] else "cow" if share["copy_on_write"] else "rw"


@pytest.mark.parametrize("before, option, after", [
    ("rw", "--ro", "ro"), ("rw", "--read-only", "ro"), ("rw", "--cow", "cow"), ("rw", "--no-cow", "rw"), ("rw", "--rw", "rw"),
    ("ro", "--rw", "rw"), ("ro", "--cow", "cow"), ("ro", "--no-cow", "ro"),
    ("cow", "--ro", "ro"), ("cow", "--rw", "rw"), ("cow", "--no-cow", "rw"), ("cow", "--cow", "cow"),
])
def test_the_access_is_set(box, source, before, option, after):
    box("share", "add", "box", f"{source}:/work", *{"rw": [], "ro": ["--read-only"], "cow": ["--cow"]}[before]).ok()
    assert box("share", "set", "box", "/work", option).ok() == ""
    assert access(box) == after and shares(box)[0][:2] == (str(source), "/work")


def test_a_quota_is_set_and_its_count_stays(box, source):
    box("share", "add", "box", f"{source}:/work:quota=4G").ok()
    counts = box.data / "distros" / box.info("box")["id"] / "counts"
    counts.mkdir()
    count = counts / hashlib.sha256(f"{source}\n/work".encode()).hexdigest()
    count.write_text(f"{GIB:020}\n")
    box("share", "set", "box", str(source), "--quota", "2G").ok()
    assert quotas(box) == [("/work", 2 * GIB, GIB)]
    box("share", "set", "box", str(source), "--rw").ok()
    assert quotas(box) == [("/work", 2 * GIB, GIB)]
    box("share", "set", "box", "/work", "--quota=none").ok()
    assert quotas(box) == [("/work", None, None)] and not count.exists()
    box("share", "set", "box", "/work", "--quota", "8G").ok()
    assert quotas(box) == [("/work", 8 * GIB, 0)]
    box("share", "set", "box", "/work", "--ro").failed(1, "share.read-only-quota", "/work has a quota")
    assert access(box) == "rw"
    box("share", "set", "box", "/work", "--ro", "--quota", "none").ok()
    assert (access(box), quotas(box)) == ("ro", [("/work", None, None)])
    box("share", "set", "box", "/work", "--quota", "1G").failed(1, "share.read-only-quota")
    box("share", "set", "box", "/work", "--rw", "--quota", "1G").ok()
    assert (access(box), quotas(box)) == ("rw", [("/work", GIB, 0)])


@pytest.mark.parametrize("words, status, code, text", [
    (["box", "/work"], 2, "usage.option", "nothing is to be set"),
    (["box", "/work", "--ro", "--rw"], 2, "usage.option", "exclude each other"),
    (["box", "/work", "--ro", "--cow"], 2, "usage.option", "exclude each other"),
    (["box", "/work", "--cow", "--no-cow"], 2, "usage.option", "exclude each other"),
    (["box", "/work", "--ro", "--quota", "1G"], 2, "usage.option", "a read-only share cannot have a quota"),
    (["box", "/work", "--quota", "0"], 2, "usage.value", '"0" is not a size'),
    (["box", "/work", "--quota", "nothing"], 2, "usage.value", '"nothing" is not a size'),
    (["box", "/work", "--quota", "8E"], 2, "usage.value", '"8E" is not a size'),
    (["box", "/work", "--json", "--rw"], 2, "usage.arguments", "--json"),
    (["box", "--rw"], 2, "usage.arguments", "missing"),
    (["box", "/other", "--rw"], 1, "share.not-found", "/other"),
    (["box", "{}", "--rw"], 1, "share.ambiguous", "/work"),
    (["nobody", "/work", "--rw"], 1, "distro.not-found", "nobody"),
])
def test_nothing_is_set(box, source, words, status, code, text):
    for target in "/work", "/zz":
        box("share", "add", "box", str(source), target).ok()
    before = listed(box)
    box("share", "set", *(word.format(source) for word in words)).failed(status, code, text)
    assert listed(box) == before


@pytest.mark.parametrize("action", ["add", "rm", "list"])
@pytest.mark.parametrize("option", ["--ro", "--rw", "--no-cow"])
def test_options_of_set_alone(box, action, option):
    words = {"add": ["box", "/usr"], "rm": ["box", "/usr"], "list": []}[action]
    box("share", action, *words, option).failed(2, "usage.option", f"{option} is for set only")


def test_a_link_is_followed_when_the_share_is_added(box, source, tmp_path):
    other = source / "other"
    other.mkdir()
    os.symlink(other, tmp_path / "link")
    box("share", "add", "box", "link", "/work", cwd=tmp_path).ok()
    os.unlink(tmp_path / "link")
    os.symlink("/usr", tmp_path / "link")
    assert shares(box) == [(str(other), "/work", False)]


@pytest.mark.parametrize("arguments, status, code", [
    ([], 2, "usage.arguments"),
    (["add", "box"], 2, "usage.arguments"),
    (["add", "box", "/usr", "/a", "/b"], 2, "usage.arguments"),
    (["add", "box", "/usr", "--json"], 2, "usage.arguments"),
    (["rm", "box"], 2, "usage.arguments"),
    (["list", "box", "x"], 2, "usage.arguments"),
    (["list", "--read-only"], 2, "usage.arguments"),
    (["mount", "box", "/usr"], 2, "usage.value"),
    (["add", "box", "/nowhere"], 1, "share.directory"),
    (["add", "box", ""], 1, "share.directory"),
    (["add", "box", "/etc/passwd"], 1, "share.directory"),
    (["add", "box", "/"], 1, "share.directory"),
    (["add", "box", "/proc"], 1, "share.directory"),
    (["add", "box", "/proc/self"], 1, "share.directory"),
    (["add", "box", "/sys/kernel"], 1, "share.directory"),
    (["add", "box", "/dev"], 1, "share.directory"),
    (["add", "box", "/usr", "work"], 1, "share.target"),
    (["add", "box", "/usr", ""], 1, "share.target"),
    (["add", "box", "/usr", "/"], 1, "share.target"),
    (["add", "box", "/usr", "/a/../b"], 1, "share.target"),
    (["add", "box", "/usr", "/a/"], 1, "share.target"),
    (["rm", "box", "/usr"], 1, "share.not-found"),
    (["add", "nobody", "/usr"], 1, "distro.not-found"),
    (["rm", "nobody", "/usr"], 1, "distro.not-found"),
    (["list", "nobody"], 1, "distro.not-found"),
])
def test_invalid_arguments(box, arguments, status, code):
    box("share", *arguments).failed(status, code)
    assert shares(box) == []


def test_berths_own_directories_are_refused(box, source):
    os.symlink(box.data, source / "link")
    box.runtime.mkdir(mode=0o700, exist_ok=True)
    for directory in box.data, box.data / "distros", source / "link", box.data.parent, box.runtime, box.runtime.parent:
        box("share", "add", "box", str(directory), "/x").failed(1, "share.directory", "files of berth's own")
    assert shares(box) == []


def test_targets_that_overlap_are_refused(box, source, tmp_path):
    box("share", "add", "box", str(source), "/work/src").ok()
    box("share", "add", "box", "/usr", "/work/src").failed(1, "share.exists", str(source))
    box("share", "add", "box", "/usr", "/work").failed(1, "share.nested", "/work/src")
    box("share", "add", "box", "/usr", "/work/src/deep").failed(1, "share.nested", "/work/src")
    box("share", "add", "box", "/usr", box.environment["HOME"] + "/x").failed(1, "share.home", "share-home")
    assert shares(box) == [(str(source), "/work/src", False)]


def test_rename_keeps_and_a_clone_drops_them(box, source):
    box("share", "add", "box", str(source), "/work").ok()
    box("clone", "box", "copy").ok()
    box("rename", "box", "crate").ok()
    assert shares(box, "copy") == []
    assert shares(box, "crate") == [(str(source), "/work", False)]
    box("unregister", "crate").ok()
    assert [distro["distro"] for distro in listed(box)] == ["copy"]


def test_a_start_hands_them_over(box, source):
    box("share", "add", "box", str(source), "/work", "-r").ok()
    box("start", "box").ok()
    assert machine_shares(box) == [f"ro:{source}:/work"]


def test_a_running_distro_has_them_at_once(box, source):
    """As far as the keeper knows: this guest mounts nothing, and has finished starting."""
    box("start", "box").ok()
    later = "the change takes effect at its next start"
    added = box("share", "add", "box", str(source), "/work")
    assert (added.status, later in added.err) == (0, True)
    assert machine_shares(box) == [f"rw:{source}:/work"]
    assert box("share", "add", "--read-only", "box", "/usr", "/usr").status == 0
    assert machine_shares(box) == ["ro:/usr:/usr", f"rw:{source}:/work"]
    assert box("share", "rm", "box", "/work").status == 0
    assert machine_shares(box) == ["ro:/usr:/usr"]


def test_a_running_distro_has_what_is_set_at_once(box, source):
    box("share", "add", "box", f"{source}:/work").ok()
    box("start", "box").ok()
    def set_share(*options):
        assert box("share", "set", "box", "/work", *options).status == 0
        (line,) = machine_shares(box)
        return line
    assert set_share("--ro") == f"ro:{source}:/work"
    assert set_share("--rw", "--quota", "1G").startswith(f"quota:{source}:/work:")
    assert set_share("--quota", "2G").endswith(f":{2 * GIB}")
    assert set_share("--cow").startswith(f"cow-quota:{source}:/work:")
    assert set_share("--no-cow", "--quota", "none") == f"rw:{source}:/work"


@pytest.fixture
def guest(box, tmp_path_factory):
    """Where the guest says to have mounted the shares."""
    root = str(tmp_path_factory.mktemp("guest"))
    box.environment = box.fake_qemu({**box.environment, "FAKE_QEMU_SHARES": root})
    return root


def test_a_guest_that_has_mounted_them_knows_the_new_list(box, source, guest):
    box("start", "box").ok()
    box("path", "-d", "box", str(source)).failed(1, "path.unshared")
    added = box("share", "add", "box", str(source), "/work")
    assert added.status == 0 and "open files of this host stay open" in added.err
    assert box("path", "-d", "box", str(source)).ok() == f"{guest}/work\n"
    assert box("share", "rm", "box", "/work").status == 0
    box("path", "-d", "box", str(source)).failed(1, "path.unshared")


def test_a_guest_that_does_not_go_on(box, source, guest):
    """The answer waits for it: no longer than the limit, and no longer than the user."""
    box.environment = box.fake_qemu({**box.environment, "FAKE_QEMU_SHARES": guest, "FAKE_QEMU_MUTE": "1"})
    box("start", "box").ok()
    process = box.start("share", "add", "box", f"{source}:/one")
    wait_for(lambda: machine_shares(box) == [f"rw:{source}:/one"])
    process.send_signal(signal.SIGINT)
    assert box.finish(process).status == -signal.SIGINT
    assert shares(box) == [(str(source), "/one", False)]
    added = box("share", "add", "box", f"{source}:/two")
    assert added.status == 0 and "box: the change takes effect when it continues" in added.err
    assert len(machine_shares(box)) == 2


def test_a_directory_that_vanishes_is_a_notice(box, source, guest):
    """Between berth's look at it and berth-share's start."""
    gone = source / "gone"
    box.environment = box.fake_qemu({**box.environment, "FAKE_QEMU_SHARES": guest, "FAKE_QEMU_VANISH": str(gone)})
    gone.mkdir()
    box("share", "add", "box", f"{gone}:/gone").ok()
    line = f"box does not see {gone}: no such file or directory"
    started = box("start", "box")
    assert started.status == 0 and line in started.err and not gone.exists()
    assert line in box("logs", "box").ok()
    box("share", "rm", "box", "/gone")
    gone.mkdir()
    added = box("share", "add", "box", f"{gone}:/gone")
    assert added.status == 0 and line in added.err and "open files of this host stay open" in added.err


def test_an_isolated_distro_gets_none(box, source, guest):
    box("start", "--isolated", "box").ok()
    added = box("share", "add", "box", str(source), "/work")
    assert added.status == 0
    assert "box: the change takes effect at its next start: box runs isolated" in added.err
    assert shares(box) == [(str(source), "/work", False)]


def test_a_distro_that_started_without_any_has_them_at_once(box, source, guest):
    box.configure("[distro box]\nshare-home=false\n")
    box("start", "box").ok()
    box("path", "-d", "box", str(source)).failed(1, "path.no-shares")
    added = box("share", "add", "box", str(source), "/work")
    assert added.status == 0 and "next start" not in added.err
    assert box("path", "-d", "box", str(source)).ok() == f"{guest}/work\n"
    removed = box("share", "rm", "box", "/work")
    assert "open files of this host stay open" in removed.err
    box("path", "-d", "box", str(source)).failed(1, "path.no-shares")


def test_a_keeper_that_is_gone_hinders_nothing(box, source):
    box("start", "box").ok()
    keeper = box.info("box")["keeper_pid"]
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: not is_alive(keeper))
    added = box("share", "add", "box", str(source), "/work")
    assert (added.status, added.err) == (0, "")
    box("start", "box").ok()
    assert machine_shares(box) == [f"rw:{source}:/work"]


def test_commands_at_once_leave_the_registrys_list(box, source, guest):
    box("start", "box").ok()
    names = [f"d{i}" for i in range(6)]
    for name in names:
        (source / name).mkdir()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for added in pool.map(lambda name: box("share", "add", "box", str(source / name), f"/{name}"), names):
            assert added.status == 0, added.err
    assert machine_shares(box) == [f"rw:{source}/{name}:/{name}" for name in names]


def test_a_vanished_directory_hinders_nothing(box, source):
    for name in "gone", "kept", "link":
        (source / name).mkdir()
        box("share", "add", "box", str(source / name), f"/{name}").ok()
    shutil.rmtree(source / "gone")
    (source / "link").rmdir()
    os.symlink("/usr", source / "link")
    started = box("start", "box")
    assert started.status == 0
    assert f"{source}/gone is not shared with box: No such file" in started.err
    assert f"{source}/link is not shared with box: a symbolic link" in started.err
    assert machine_shares(box) == [f"rw:{source}/kept:/kept"]
