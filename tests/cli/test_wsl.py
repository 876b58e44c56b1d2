"""wsl.exe's command line: each verb once in berth's spelling and once in WSL's; what only WSL has."""
import os
import pwd

import pytest

USER = pwd.getpwuid(os.getuid()).pw_name
VERBS = {"list": ["--list", "-l"], "status": ["--status"], "version": ["--version", "-v"], "terminate": ["--terminate", "-t"],
         "shutdown": ["--shutdown"], "unregister": ["--unregister"], "set-default": ["--set-default", "-s", "--setdefault"],
         "import": ["--import"], "import-in-place": ["--import-in-place"], "export": ["--export"], "manage": ["--manage"],
         "help": ["--help", "-h"], "console": ["--debug-shell"]}


@pytest.fixture(params=["berth", "wsl"])
def spoken(request, berth):
    """berth, with the first word of each command in one of the two spellings."""
    def run(verb, *arguments, **options):
        if request.param == "wsl":
            verb = VERBS[verb][0]
        return berth(verb, *arguments, **options)
    return run


@pytest.mark.parametrize("verb", VERBS)
def test_each_spelling_is_the_same_verb(berth, verb):
    """The usage error of no arguments at all, or the output; the error names the verb."""
    expected = berth(verb, "--help").ok()
    for spelling in VERBS[verb]:
        assert berth(spelling, "--help").ok() == expected
    for spelling in [verb, *VERBS[verb]]:
        assert berth(spelling, "--frobnicate").failed(125 if verb == "console" else 2, "usage.option").err.startswith(f"berth: {verb}: ")


def test_list(spoken, berth, rootfs):
    assert spoken("list", "--quiet").ok() == ""
    for name in ("one", "two"):
        berth("import", name, rootfs).ok()
    assert spoken("list").ok() == "  NAME  STATE\n* one   stopped\n  two   stopped\n"
    assert spoken("list", "--all", "-q").ok() == "one\ntwo\n"
    assert spoken("list", "--running", "--quiet").ok() == ""
    assert spoken("list", "-v").ok().splitlines()[1].split()[:3] == ["*", "one", "stopped"]
    spoken("set-default", "TWO").ok()
    assert spoken("list", "--quiet").ok() == "two\none\n"


@pytest.mark.parametrize("options", [["--quiet", "--verbose"], ["-qv"], ["--all", "--running"]])
def test_list_conflicts(spoken, options):
    spoken("list", *options).failed(2, "usage.value", "cannot be used together")


def test_life_of_a_distro(spoken, berth, rootfs, tmp_path):
    """Import into a directory, export, terminate, shut down, adopt, unregister."""
    spoken("import", "Box", tmp_path / "disks", rootfs, "--version", "2").ok()
    assert berth.info("Box")["disk"].startswith(f"{tmp_path}/disks/")
    spoken("import", "box", rootfs).failed(1, "registry.exists")
    assert berth("-d", "box", "--", "echo up").ok() == "up\n"
    spoken("export", "box", tmp_path / "a.tar").failed(1, "instance.running")
    spoken("terminate", "BOX").ok()
    assert spoken("terminate", "box").err == "berth: Box was not running\n"
    assert berth("-d", "box", "-e", "echo", "a", "", "b").ok() == "a  b\n"
    spoken("shutdown", "--force").ok()
    assert spoken("list", "--running", "-q").ok() == ""
    spoken("export", "box", tmp_path / "box.ext4", "--format", "ext4").ok()
    spoken("export", "box", tmp_path / "a.tar.gz").ok()
    assert (tmp_path / "a.tar.gz").read_bytes()[:2] == b"\x1f\x8b"
    spoken("import-in-place", "twin", tmp_path / "box.ext4").ok()
    spoken("unregister", "box").ok()
    assert berth.names() == ["twin"]
    spoken("unregister", "box").failed(1, "distro.not-found")


def test_manage(spoken, berth, rootfs, tmp_path):
    berth("import", "box", rootfs).ok()
    (tmp_path / "there").mkdir()
    spoken("manage", "box", "--move", tmp_path / "there").ok()
    assert berth.info("box")["disk"] == str(tmp_path / "there" / "box.ext4")
    spoken("manage", "box", "--resize", "2T").ok()
    assert berth.info("box")["disk_size"] == 2 << 40
    spoken("manage", "BOX", "--set-sparse", "true").ok()
    spoken("manage", "box", "--set-sparse", "false").failed(2, "usage.value", "sparse")
    spoken("manage", "none", "--set-sparse", "true").failed(1, "distro.not-found")
    spoken("manage", "none", "--set-default-user", "root").failed(1, "distro.not-found")
    for options in (["--set-default-user", "root", "--resize", "1T"], [], ["--move", "x", "--resize", "1T"], ["--resize", "1T", "--resize", "2T"], ["-s", "true", "-m", "x"]):
        spoken("manage", "box", *options).failed(2, "usage.arguments", "exactly one of its options")


@pytest.mark.as_root  # root's session asks for the user, with the agent on the host
def test_manage_names_an_unknown_user(spoken, berth, rootfs):
    berth("import", "box", rootfs).ok()
    unknown = spoken("manage", "box", "--set-default-user", "nobody-has-it")
    assert unknown.status == 1 and unknown.out == "" and "id: " in unknown.err and "nobody-has-it" in unknown.err
    assert spoken("manage", "box", "--set-default-user", "").status == 1


def test_status_and_version(spoken, berth, rootfs):
    berth("import", "box", rootfs).ok()
    assert "Default distro: box\n" in spoken("status").ok()
    assert [line.split()[0] for line in spoken("version").ok().splitlines()] == ["berth", "kernel", "QEMU"]


RUN = [
    (["-d", "box", "-u", USER, "--", "echo $0"], ["run", "-d", "box", "-u", USER, "--shell-type", "standard", "--", "echo $0"]),
    (["--distribution", "BOX", "--exec", "echo", "$HOME"], ["run", "-d", "box", "--", "echo", "$HOME"]),
    (["--cd", "/", "-e", "pwd"], ["run", "--cd", "/", "pwd"]),
    (["~", "-e", "pwd"], ["run", "--cd", "~", "pwd"]),
    (["--shell-type", "none", "echo", "$HOME"], ["run", "echo", "$HOME"]),
    (["-e", "sh", "-c", "exit 42"], ["run", "sh", "-c", "exit 42"]),
]


def test_running(box):
    for wsl, ours in RUN:
        expected, got = box(*ours), box(*wsl)
        assert (got.status, got.out, got.err) == (expected.status, expected.out, expected.err), wsl
        assert got.status in (0, 42), got


def test_a_distro_by_its_id(box):
    distro = box.info("box")["id"]
    for word in (distro, distro.upper(), "{%s}" % distro):
        assert box("--distribution-id", word, "-e", "echo", "up").ok() == "up\n"
    box("--distribution-id", "{}", "true").failed(125, "distro.not-found")
    box("--distribution-id", distro, "-d", "box", "true").failed(125, "usage.value", "cannot be used together")


def test_an_id_as_the_first_word(box, rootfs):
    box("import", "other", rootfs).ok()
    distro = box.info("other")["id"]
    for word in ("{%s}" % distro, "{%s}" % distro.upper()):
        assert box(word, "-e", "sh", "-c", "echo $BERTH_DISTRO").ok() == "other\n"
        assert box(word, "echo", "$BERTH_DISTRO").ok() == "other\n"
        assert box(word, "--cd", "/", "--", "pwd").ok() == "/\n"
    box("{%s}" % ("0" * 16), "true").failed(125, "distro.not-found")
    box("{}", "true").failed(125, "distro.not-found")
    for option in (["-d", "box"], ["--distribution-id", distro]):
        box("{%s}" % distro, *option, "true").failed(125, "usage.value", "cannot be used together")
    box("{%s" % distro, "true").failed(2, "usage.command")


def test_a_distro_given_twice(box):
    box("-d", "box", "-d", "box", "true").failed(125, "usage.value", "--distribution is given more than once")


def test_options_without_their_words(box):
    for option in ("--exec", "-e", "--cd", "-u", "-d", "--shell-type", "--distribution-id"):
        box(option).failed(125, "usage.arguments" if option in ("--exec", "-e") else "usage.value", "command" if "-e" in option else option)
    box("--list", "--bogus").failed(2, "usage.option")
    for words in (["--import", "x"], ["--export", "box"], ["--terminate"], ["--unregister"], ["--set-default"]):
        box(*words).failed(2, "usage.arguments")
    assert box.names() == ["box"]


def test_unregister_of_a_lost_disk(spoken, box):
    (box.data / "distros" / box.ids()[0] / "disk.ext4").unlink()
    spoken("unregister", "box").ok()
    assert box.names() == [] and box.left_over() == []


@pytest.mark.parametrize("arguments, id", [
    (["--mount", "/dev/sdx"], "mount.disk"),
    (["--mount", "disk.img", "--vhd", "--name", "data", "--type", "ext4", "--options", "ro", "--partition", "1"], "mount.disk"),
    (["--mount", "disk.img", "--bare"], "mount.disk"),
    (["--unmount"], "mount.disk"),
    (["--unmount", "/dev/sdx"], "mount.disk"),
    (["--update", "--pre-release"], "update.unsupported"),
    (["--uninstall"], "uninstall.unsupported")])
def test_what_berth_does_not_have_says_what_to_use(berth, arguments, id):
    berth(*arguments).failed(1, id)


def test_mount_says_how_an_image_is_mounted(berth):
    assert "berth run -u root -- mount -o loop" in berth("--mount", "--vhd", "disk.img").failed(1, "mount.disk", "disk.img").hint
    assert "berth share add" in berth("--mount", "/dev/sdx").failed(1, "mount.disk", "/dev/sdx").hint
    assert "umount" in berth("--unmount", "/dev/sdx").failed(1, "mount.disk").hint


def test_uninstall_takes_nothing(berth):
    """So that it is not mistaken for --unregister."""
    berth("--uninstall", "debian").failed(2, "usage.arguments")
    berth("--mount").failed(2, "usage.arguments")
