"""Reading the command line: help texts, usage errors."""
import json
import subprocess

import pytest

from conftest import check_golden
from waiting import LIMIT

COMMANDS = ["accept", "autostart", "cache", "changes", "clone", "code", "compact", "config", "console", "cp", "diff", "discard", "docker-env", "doctor", "export", "forward", "help", "host", "import", "import-in-place", "install",
            "keep", "list", "logs", "manage", "mcp", "mount", "move", "park", "path", "ports", "rename", "report", "resize", "restore", "run", "set", "set-default", "share", "shell", "shutdown", "snapshot", "snapshots", "ssh-config",
            "start", "status", "suspend", "templates", "terminate", "top", "umount", "undo", "unregister", "up", "version"]


def test_overview(berth):
    text = berth("help").ok()
    check_golden("help.txt", text)
    assert all(len(line) <= 80 for line in text.splitlines())
    listed = [line.split()[0] for line in text.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    assert sorted(listed) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(berth, command):
    text = berth("help", command).ok()
    check_golden(f"help-{command}.txt", text)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert berth(command, "--help").ok() == text
    assert berth(command, "-h").ok() == text


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_works_without_home(berth, word):
    assert berth(word, env={"HOME": "/nonexistent"}).ok().startswith("Usage: berth")


@pytest.mark.parametrize("word, meant", [("lst", "list"), ("imprt", "import"), ("stat", "start"),
                                         ("terminat", "terminate")])
def test_similar_command_is_suggested(berth, word, meant):
    hint = berth(word).failed(2, "usage.command", f'"{word}"').hint
    assert hint == f'did you mean "berth {meant}"?'


@pytest.mark.parametrize("arguments, id, meant", [
    (["list", "--runing"], "usage.option", "--running"),
    (["export", "a", "b", "--fromat=tar"], "usage.option", "--format"),
    (["run", "--shell-type", "lgoin", "true"], "usage.value", "login"),
    (["cache", "purne"], "usage.value", '"berth cache prune"'),
    (["host", "lst"], "usage.value", '"berth host list"')])
def test_similar_word_of_a_fixed_set_is_suggested(berth, arguments, id, meant):
    status = 125 if arguments[0] == "run" else 2
    assert berth(*arguments).failed(status, id).hint == f"did you mean {meant}?"


def test_nothing_similar_is_not_suggested(berth):
    assert berth("list", "--frobnicate").failed(2, "usage.option").hint == '"berth list --help" lists its options'
    assert berth("cache", "x").failed(2, "usage.value").hint.startswith("usage: berth cache ls")


def test_an_option_of_another_command_names_it(berth):
    """In WSL's syntax, where the command's own option is missing."""
    failed = berth("--set-default-user", "box", "root").failed(125, "usage.option", "--set-default-user")
    assert failed.hint == 'it is an option of --manage: "berth manage --help" shows how'
    assert berth("--quiet").failed(125, "usage.option").hint == '"berth run --help" lists its options'  # of several
    assert "--manage" not in berth("run", "--resize", "1T").failed(125, "usage.option").hint


def test_a_usage_error_names_the_help(berth):
    assert berth("run", "--user").failed(125, "usage.value").hint == '"berth run --help" shows its options and their values'


@pytest.mark.parametrize("word", ["frobnicate", "x", "-", "", "a\nb", "z" * 1000])
def test_unknown_command(berth, word):
    assert berth(word).failed(2, "usage.command").hint == '"berth help" lists the commands'


def test_help_of_unknown_command(berth):
    berth("help", "frobnicate").failed(2, "usage.command", "frobnicate")


@pytest.mark.parametrize("arguments", [["import"], ["import", "a"], ["import", "a", "b", "c", "d"],
                                       ["terminate"], ["unregister"], ["unregister", "a", "b"],
                                       ["set-default"], ["list", "a"], ["start", "a", "b"],
                                       ["version", "a"], ["shutdown", "a"]])
def test_number_of_arguments(berth, arguments):
    result = berth(*arguments).failed(2, "usage.arguments")
    assert result.hint.startswith(f"usage: berth {arguments[0]}")


@pytest.mark.parametrize("arguments, code", [
    (["list", "--frob"], "usage.option"),
    (["list", "-vz"], "usage.option"),
    (["list", "--json=yes"], "usage.value"),
    (["terminate", "a", "--grace"], "usage.value"),
    (["terminate", "a", "--grace", "soon"], "usage.value"),
    (["terminate", "a", "--grace=-1"], "usage.value"),
])
def test_invalid_options(berth, arguments, code):
    berth(*arguments).failed(2, code)


@pytest.mark.parametrize("command", COMMANDS)
def test_usage_errors_fit_80_columns(berth, command):
    """The words are short: what was typed is shown whole."""
    lines = []
    alone = ["-n", "0"] if command == "top" else []  # top goes on until it is ended
    for words in (["--no-such-option"], ["a", "b", "c", "d", "e", "f"], ["a"], alone):
        error = berth(command, *words, cwd=berth.path).err  # report writes where it is
        lines += error.splitlines() if "code: usage." in error else []
    assert lines and all(len(line) <= 80 for line in lines), lines


def test_usage_errors_of_run_have_status_125(berth):
    berth("run", "--frob").failed(125, "usage.option", "--frob")
    berth("-z").failed(125, "usage.option", "-z")
    berth("run", "--env", "=x", "true").failed(125, "usage.value")


def test_version(berth):
    """The fake QEMU's version, and that of no kernel, since the file is none."""
    version = json.loads(berth("version", "--json").ok())
    assert version["schema"] == 1
    assert version["protocol"] == 7 and version["control_protocol"] == 8
    assert version["version"].startswith("0.") and (version["kernel"], version["qemu"]) == (None, "7.2.0")
    assert berth("version").ok() == f"berth  {version['version']}\nkernel not found\nQEMU   7.2.0\n"
    (berth.support / "vmlinux").write_bytes(b"\x7fELF Linux version %s \0Linux version 6.12.9-berth (root)\0")
    assert berth("version").ok().splitlines()[1] == "kernel 6.12.9-berth"
    (berth.support / "vmlinux").write_bytes(b"")
    assert berth("version", env={"BERTH_EMULATOR": "/none"}).ok().endswith("kernel not found\nQEMU   not found\n")


def test_write_error_on_output_fails(berth):
    with open("/dev/full", "w") as full:
        result = berth("help", stdout=full)
    assert result.status == 1 and result.code == "output.no-space"


def test_closed_standard_output_fails(berth):
    process = subprocess.run(f"'{berth.program}' list >&- 2>&-", shell=True,
                             env=berth.environment, timeout=LIMIT)
    assert process.returncode == 0  # the output is discarded, and reaches no file opened meanwhile
    assert (berth.data / "registry.db").read_bytes().startswith(b"SQLite format 3")
