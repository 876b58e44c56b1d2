"""What is made of the table of commands beside the help: man pages, and completion in three shells."""
import json
import os
import pty
import re
import select
import shutil
import subprocess

import json_schema
import pytest

from conftest import BUILD, SOURCE
from test_help import COMMANDS
from waiting import LIMIT

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def manual(tmp_path):
    """A directory of man pages, as installed."""
    section = tmp_path / "man" / "man1"
    section.mkdir(parents=True)
    for page in (BUILD / "cmd").glob("*.1"):
        shutil.copy(page, section)
    (tmp_path / "man" / "man5").mkdir()
    for page in (BUILD / "cmd").glob("*.5"):
        shutil.copy(page, tmp_path / "man" / "man5")
    return section


def test_each_command_has_a_page(manual):
    assert sorted(page.stem for page in manual.iterdir()) == ["berth", *(f"berth-{name}" for name in COMMANDS)]


def test_the_table_of_wsls_rows_names_tests():
    """Each row of WSL's command line in CONTRIBUTING.md has tests, which exist."""
    text = (SOURCE / "CONTRIBUTING.md").read_text()
    rows = re.search(r"\| wsl\.exe \|.*?\n\n", text, re.S).group().splitlines()[2:]
    sources = {path.stem: path.read_text() for path in [*SOURCE.glob("tests/cli/test_*.py"), *SOURCE.glob("tests/vm/test_*.py")]}
    assert len(rows) >= 10
    for row in filter(None, rows):
        words = re.findall(r"`([^`]+)`", row.split(" | ")[-1])
        tests = [word for word in words if "test_" in word]
        assert tests, row
        file = None
        for word in tests:
            name, _, function = word.removeprefix("vm/").partition("::")
            file = name if function or name.rstrip("*") in sources or name.endswith("*") else file
            assert any(source.startswith(file.rstrip("*")) for source in sources), word
            function = function or ("" if file == name else name)
            assert not function or f"def {function}(" in sources[file], word


def test_pages_are_clean(manual):
    found = subprocess.run(["mandoc", "-Tlint", "-Wstyle", *sorted(manual.parent.glob("man*/*"))], cwd=manual.parent, capture_output=True,
                           text=True, env={**os.environ, "MANPATH": str(manual.parent)})
    assert [line for line in found.stdout.splitlines() if "referenced manual not found" not in line] == []
    named = {f"{name}.{section}".replace("\\-", "-") for page in manual.parent.glob("man*/*")
             for name, section in re.findall(r"^\.(?:It )?Xr (\S+) ([15])", page.read_text(), re.M)}
    assert named <= {page.name for page in manual.parent.glob("man*/*")}


def test_the_page_of_settings_has_every_key(berth, manual):
    page = subprocess.run(["mandoc", "-Tutf8", manual.parent / "man5" / "berth.conf.5"], capture_output=True, check=True)
    shown = re.sub(r"\s+", "", re.sub(r".\x08", "", page.stdout.decode())).lower()
    settings = json.loads(berth("config", "list", "--json").ok())["settings"]
    for setting in settings:
        for words in (setting["key"], setting["help"], setting["default"]):
            assert re.sub(r"\s+", "", words).lower() in shown, setting
    assert candidates(berth, "config", "set", "") == [setting["key"] for setting in settings]


def members(schema):
    """The names and the descriptions of the members at any depth, in order."""
    for name, member in schema.get("properties", {}).items():
        yield name, member["description"]
        yield from members(member)
    yield from members(schema["items"]) if "items" in schema else ()


def test_the_page_of_json_has_every_member(manual):
    page = subprocess.run(["mandoc", "-Tutf8", manual.parent / "man5" / "berth-json.5"], capture_output=True, check=True)
    shown = re.sub(r"\s+", "", re.sub(r".\x08", "", page.stdout.decode()))
    names = [path.stem for path in sorted(json_schema.DIRECTORY.glob("*.json"))]
    parts = re.split("|".join(re.escape(re.sub(r"\s+", "", json_schema.read(name)["title"])) for name in names), shown)[1:]
    assert len(parts) == len(names)
    for name, part in zip(names, parts):
        assert part.startswith(f"{name}.json,schema1"), name
        place = 0
        for member, description in members(json_schema.read(name)):
            if member == "schema":
                continue
            for words in (member, description):
                place = part.index(re.sub(r"\s+", "", words), place)


def test_pages_of_commands_with_json_refer_to_it(manual):
    for page in manual.glob("berth-*.1"):
        text = page.read_text()
        assert ("\n.It Fl \\-json\n" in text) == (".Xr berth-json 5" in text), page.name


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_says_what_the_help_says(berth, manual, command):
    text = subprocess.run(["mandoc", "-Tutf8", manual / f"berth-{command}.1"], capture_output=True, check=True)
    shown = re.sub(r"\s+", "", re.sub(r".\x08", "", text.stdout.decode()))
    help_text = berth("help", command).ok()
    usage, *paragraphs, options = help_text.split("\n\nAlso: ")[0].split("\n\n")
    for line in "\n".join([*paragraphs, re.sub(r"^ .*?  (?=\S)", "", options, flags=re.M)]).splitlines():
        assert re.sub(r"\s+", "", line).removesuffix(".") in shown or line == "Options:", line
    for option in re.findall(r"--[a-z-]+", options):
        assert option in shown


def candidates(berth, *words):
    lines = berth("__complete", "--", *words).ok().splitlines()
    return [line.split("\t")[0] for line in lines]


@pytest.fixture
def two(berth, rootfs):
    berth("import", "Debian", rootfs).ok()
    berth("import", "box", rootfs).ok()
    return berth


@pytest.mark.parametrize("words, expected", [
    (["sh"], ["shell", "shutdown", "share"]),
    (["nothing", ""], []),
    (["__c"], []),
    (["--shut"], ["--shutdown"]),
    (["--us"], ["--user"]),
    (["shell", ""], ["Debian", "box"]),
    (["shell", "deb"], ["Debian"]),
    (["shell", "box", ""], []),
    (["shell", "--user", ""], []),
    (["shell", "--user", "root", "b"], ["box"]),
    (["--terminate", "box", ""], ["Debian", "box"]),
    (["-d", ""], ["Debian", "box"]),
    (["run", "-d", "b"], ["box"]),
    (["run", "--distribution=b"], ["--distribution=box"]),
    (["run", "--distribution", "="], ["Debian", "box"]),
    (["run", "--distribution", "=", "b"], ["box"]),
    (["run", "-d", "box", "ls", "-"], []),
    (["run", "-d", "box", "--", "-"], []),
    (["run", "--shell-type", "l"], ["login"]),
    (["export", "box", "--format", "tar.x"], ["tar.xz"]),
    (["export", "box", ""], [":files"]),
    (["move", "box", ""], [":directories"]),
    (["import", ""], []),
    (["import", "new", ""], [":files"]),
    (["cp", "b"], ["box:", ":files"]),
    (["cp", "a", "box:b", ""], ["Debian:", "box:", ":files"]),
    (["cache", "p"], ["prune"]),
    (["help", "imp"], ["import", "import-in-place"]),
    (["list", "--r"], ["--running"]),
    (["list", "--quiet=", ""], []),
    (["list", "--quiet=x"], []),
    (["", ""], []),
    (["config", ""], ["list", "get", "set", "unset", "check"]),
    (["config", "get", "boot"], ["boot-timeout"]),
    (["config", "set", "--distro", "box", "acc"], ["accel"]),
    (["config", "set", "--distro", "b"], ["box"]),
    (["config", "set", "accel", ""], ["auto", "kvm", "tcg"]),
    (["config", "set", "ports", "t"], ["true"]),
    (["config", "set", "mtu", ""], ["32768"]),
    (["config", "set", "none", ""], []),
    (["config", "check", ""], [":files"]),
    (["config", "list", ""], []),
    (["set", "b"], ["box"]),
    (["set", "box", "acc"], ["accel="]),
    (["set", "box", "accel=t"], ["accel=tcg"]),
    (["set", "box", "accel", "=", "t"], ["tcg"]),
    (["set", "box", "accel=tcg", "mem"], ["memory="]),
    (["set", "box", "cache"], []),
    (["set", "box", "--unset", "mt"], ["mtu"]),
])
def test_candidates(two, words, expected):
    assert candidates(two, *words) == expected


def test_each_command_and_option_is_offered(berth):
    assert sorted(candidates(berth, "")) == COMMANDS
    for command in COMMANDS:
        options = berth("help", command).ok().split("Options:\n")[1].split("\n\n")[0]
        assert candidates(berth, command, "--") == re.findall(r"^(?:  -.,|     ) (--[a-z-]+)", options, re.M)


def test_candidates_need_no_home(berth):
    result = berth("__complete", "--", "shell", "", env={"HOME": "/dev/null/none"})
    assert result.out == ""


START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source {scripts}/berth.bash"),
    "zsh": (["zsh", "-f", "-i"],
            "unsetopt zle_bracketed_paste; fpath=({scripts} $fpath); autoload -U compinit; compinit -u -D"),
}


def read_until(terminal, words):
    """Read what the terminal shows, but for its control sequences, until @words have appeared."""
    shown = b""
    while words not in re.sub(rb"\x1b\[[?0-9;]*[a-zA-Z]|\x00", b"", shown):
        assert select.select([terminal], [], [], LIMIT)[0], shown
        shown += os.read(terminal, 4096)


def complete_in_terminal(berth, shell, line, whole):
    """Type @line and a tab in an interactive shell; it must become @whole."""
    program, prepare = START[shell]
    us, its = pty.openpty()
    environment = {**berth.environment, "TERM": "vt100", "PATH": f"{BUILD / 'cmd'}:{berth.environment['PATH']}"}
    process = subprocess.Popen(program, stdin=its, stdout=its, stderr=its, start_new_session=True, env=environment,
                               cwd=berth.path, close_fds=True)
    os.close(its)
    prepare = prepare.format(scripts=SOURCE / "cmd" / "completions")
    os.write(us, f"{prepare}; echo re''ady\n".encode())
    read_until(us, b"ready\r\n")
    os.write(us, f"{line}\t".encode())
    try:
        read_until(us, whole.encode())
    finally:
        process.kill()
        process.wait()
        os.close(us)


@pytest.mark.parametrize("line, whole", [
    ("berth unreg", "unregister "), ("berth shell De", "shell Debian"), ("berth export box --format=tar.z", "--format=tar.zst"),
    ("berth move box --de", "--default"), ("berth import new one-f", "one-file"), ("berth import --location=one-d", "=one-dir"),
    ("berth cp De", "cp Debian:"), ("berth set box accel=t", "accel=tcg"), ("berth set box acc", "box accel=")])
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_in_a_terminal(two, shell, line, whole):
    (two.path / "one-file").touch()
    (two.path / "one-dir").mkdir()
    complete_in_terminal(two, shell, line, whole)


def test_tags_of_snapshots_are_completed(two):
    two("snapshot", "box", "before-upgrade").ok()
    for words in (["restore", "BOX", "bef"], ["snapshot", "--remove", "box", "x", "be"], ["restore", "-t", "box", ""]):
        assert two("__complete", "--", *words).ok() == "before-upgrade\tsnapshot\n"
    for words in (["restore", "none", ""], ["restore", "Debian", ""], ["undo", "box", ""]):
        assert two("__complete", "--", *words).ok() == ""


@pytest.mark.parametrize("line, expected", [
    ("berth unreg", "unregister\tDelete a distro and all its files"), ("berth shell De", "Debian\tdistro"),
    ("berth export box --format=tar.z", "--format=tar.zst"), ("berth import new one-f", "one-file"),
    ("berth move box ", "one-dir/"), ("berth shell ", "box\tdistro")])
def test_completion_in_fish(two, line, expected):
    (two.path / "one-file").touch()
    (two.path / "one-dir").mkdir()
    environment = {**two.environment, "PATH": f"{BUILD / 'cmd'}:{two.environment['PATH']}"}
    script = f"source {SOURCE}/cmd/completions/berth.fish; complete -C '{line}'"
    result = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, env=environment, cwd=two.path,
                            timeout=LIMIT)
    lines = result.stdout.splitlines()
    assert expected in lines or expected in [line.split("\t")[0] for line in lines], result
