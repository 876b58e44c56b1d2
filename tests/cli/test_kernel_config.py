# SPDX-License-Identifier: MIT
"""kernel/: the syntax of the fragments, check-config, and kernel/build with a kernel tree of three lines. Compiles no
kernel; tests/vm boots the real one.
"""
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import wait_for
from waiting import LIMIT

KERNEL = Path(__file__).resolve().parents[2] / "kernel"
FRAGMENTS = sorted((KERNEL / "config").glob("*.fragment"))
EXTRAS = sorted((KERNEL / "extra").glob("*.fragment"))
SETTING = re.compile(r'^(CONFIG_[A-Za-z0-9_]+)=("[^"]*"|[^\s#]+)\s+# \S')

MAKEFILE = """\
allnoconfig:
\t@mkdir -p $(O) && cp $(KCONFIG_ALLCONFIG) $(O)/.config
vmlinux:
\t@echo "$$(date +%N)" >> $(CURDIR)/../compiled
\t{compile}
\t@mkdir -p $(O)/include/config && echo 6.12.0-test > $(O)/include/config/kernel.release
\t@cp /bin/true $(O)/vmlinux
"""


def settings(fragments=FRAGMENTS):
    """Every (symbol, value) of the fragments."""
    matches = (SETTING.match(line) for path in fragments for line in path.read_text().splitlines())
    return [match.groups() for match in matches if match]


def check_config(text):
    return subprocess.run([KERNEL / "check-config", "-"], input=text, capture_output=True, text=True)


def as_config(pairs):
    """Format a .config as Kconfig does."""
    return "".join(f"# {name} is not set\n" if value == "n" else f"{name}={value}\n" for name, value in pairs)


@pytest.fixture
def tree(tmp_path):
    """A kernel tree that builds at once; tree.compile(line) changes the command that builds vmlinux."""
    path = tmp_path / "tree"
    path.mkdir()
    (path / "Kconfig").touch()

    class Tree:
        source = path
        env = {**os.environ, "KERNEL_SOURCE": str(path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
        cache = tmp_path / "cache" / "berth" / "kernel"

        @staticmethod
        def compile(line="@true"):
            (path / "Makefile").write_text(MAKEFILE.format(compile=line))

        @staticmethod
        def compiled():
            log = tmp_path / "compiled"
            return len(log.read_text().splitlines()) if log.exists() else 0

        def build(self, **env):
            return subprocess.run([KERNEL / "build"], env={**self.env, **env}, capture_output=True, text=True)

    Tree.compile()
    return Tree()


def left_over(tree):
    return [path.name for path in tree.cache.glob(".build.*")]


class TestFragments:
    def test_every_line_is_a_setting_with_its_reason(self):
        for path in FRAGMENTS + EXTRAS:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if line and not line.startswith("#"):
                    assert SETTING.match(line), f"{path.name}:{number}: {line}"

    def test_no_symbol_is_set_twice(self):
        names = [name for name, _ in settings(FRAGMENTS + EXTRAS)]
        assert sorted(names) == sorted(set(names))

    def test_nothing_is_a_module(self):
        assert [name for name, value in settings() if value == "m"] == []


class TestCheckConfig:
    def test_all_settings_match(self):
        result = check_config(as_config(settings()))
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")

    def test_each_missing_symbol_is_named_with_its_fragment(self):
        without = [pair for pair in settings() if pair[0] not in ("CONFIG_PVH", "CONFIG_INET_DIAG_DESTROY")]
        result = check_config(as_config(without))
        assert result.returncode == 1
        assert result.stderr.splitlines() == [
            "check-config: 10-machine.fragment: wants CONFIG_PVH=y, the configuration has n",
            "check-config: 60-net.fragment: wants CONFIG_INET_DIAG_DESTROY=y, the configuration has n",
        ]

    def test_forbidden_symbol_is_reported(self):
        result = check_config(as_config(settings()) + "CONFIG_MODULES=y\n")
        assert result.returncode == 1
        assert "wants CONFIG_MODULES=n, the configuration has y" in result.stderr

    def test_a_different_string(self):
        result = check_config(as_config(settings()).replace('="berth"', '="other"'))
        assert result.returncode == 1
        assert 'wants CONFIG_DEFAULT_HOSTNAME="berth", the configuration has "other"' in result.stderr

    def test_unreadable_file_is_an_error(self):
        result = subprocess.run([KERNEL / "check-config", "/nonexistent"], capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (2, "check-config: /nonexistent: cannot read\n")


class TestBuild:
    def test_prints_the_path_and_nothing_else(self, tree):
        result = tree.build()
        assert result.returncode == 0, result.stderr
        vmlinux = Path(result.stdout.removesuffix("\n"))
        assert vmlinux.parent.parent == tree.cache
        assert vmlinux.read_bytes().startswith(b"\x7fELF")
        assert sorted(path.name for path in vmlinux.parent.iterdir()) == ["config", "version", "vmlinux"]
        assert left_over(tree) == []

    def test_second_run_compiles_nothing(self, tree):
        first, second = tree.build(), tree.build()
        assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
        assert tree.compiled() == 1

    def test_changed_source_rebuilds(self, tree):
        first = tree.build()
        (tree.source / "new.c").touch()
        assert tree.build().stdout != first.stdout

    def test_concurrent_builds_compile_once(self, tree):
        tree.compile("@sleep 1")
        runs = [subprocess.Popen([KERNEL / "build"], env=tree.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for _ in range(2)]
        outputs = {run.communicate()[0] for run in runs}
        assert [run.returncode for run in runs] == [0, 0]
        assert len(outputs) == 1
        assert tree.compiled() == 1

    def test_failure_names_the_log_and_leaves_no_result(self, tree):
        tree.compile("@echo 'fatal error: no luck' >&2; false")
        result = tree.build()
        log = tree.cache / "failed.log"
        assert (result.returncode, result.stdout) == (1, "")
        assert "kernel/build: compile failed\n" in result.stderr
        assert result.stderr.endswith(f"hint: the whole log is {log}\n")
        assert "no luck" in log.read_text()
        assert list(tree.cache.glob("*/vmlinux")) == [] and left_over(tree) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted_leaves_nothing(self, tree, number):
        tree.compile("@touch $(CURDIR)/../begun; sleep 1000")
        run = subprocess.Popen([KERNEL / "build"], env=tree.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        begun = tree.source.parent / "begun"
        wait_for(begun.exists)
        run.send_signal(number)
        stdout, _ = run.communicate(timeout=LIMIT)
        assert (run.returncode, stdout) == (128 + number, b"")
        assert left_over(tree) == [] and list(tree.cache.glob("*/vmlinux")) == []

    def test_missing_symbol_fails_before_compiling(self, tree):
        text = (tree.source / "Makefile").read_text()
        (tree.source / "Makefile").write_text(text.replace("cp $(KCONFIG_ALLCONFIG)", "grep -v PVH $(KCONFIG_ALLCONFIG) >"))
        result = tree.build()
        assert result.returncode == 1
        assert "wants CONFIG_PVH=y" in result.stderr and "this source does not take the configuration" in result.stderr
        assert tree.compiled() == 0 and left_over(tree) == []

    def test_missing_tools_are_listed_with_a_hint(self, tree, tmp_path):
        path = tmp_path / "bin"
        path.mkdir()
        for directory in ("/usr/bin", "/bin"):
            for tool in Path(directory).iterdir():
                if tool.name not in ("flex", "bc") and not (path / tool.name).exists():
                    (path / tool.name).symlink_to(tool)
        result = tree.build(PATH=str(path))
        assert result.returncode == 1
        assert result.stderr == "kernel/build: not found: flex, bc\nhint: apt-get install flex bc\n"

    @pytest.mark.parametrize("source, message", [
        ("/nonexistent", "KERNEL_SOURCE=/nonexistent: no such file or directory"),
        ("/usr", "/usr: not a kernel tree"),
        ("/etc/passwd", "/etc/passwd: not a tarball"),
    ])
    def test_wrong_source(self, tree, source, message):
        result = tree.build(KERNEL_SOURCE=source)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith(f"kernel/build: {message}\n")

    def test_a_tarball_builds_like_a_tree(self, tree):
        tarball = shutil.make_archive(str(tree.source.parent / "linux-test"), "gztar", tree.source.parent, "tree")
        result = tree.build(KERNEL_SOURCE=tarball)
        assert result.returncode == 0, result.stderr

    def test_extra_fragment_builds_another_kernel(self, tree):
        plain = tree.build()
        extra = subprocess.run([KERNEL / "build", "--with", "kvm"], env=tree.env, capture_output=True, text=True)
        assert extra.returncode == 0, extra.stderr
        assert extra.stdout != plain.stdout
        assert "CONFIG_KVM=y" in (Path(extra.stdout.strip()).parent / "config").read_text()
        assert "CONFIG_KVM=y" not in (Path(plain.stdout.strip()).parent / "config").read_text()

    @pytest.mark.parametrize("arguments", [["--with"], ["--with", "nothing"]])
    def test_unknown_extra_lists_the_known_ones(self, arguments):
        result = subprocess.run([KERNEL / "build", *arguments], capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (2, "")
        assert "hint: one of: disks iptables-legacy kvm" in result.stderr

    def test_arguments_are_refused(self):
        result = subprocess.run([KERNEL / "build", "--fast"], capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (2, "")


PATCH = """\
one line more

--- a/file
+++ b/file
@@ -1,2 +1,3 @@
 one
 two
+three
"""


class TestPatches:
    """The source is the distribution's, with kernel/ as it is but for the patches."""

    @pytest.fixture
    def patched(self, tree, tmp_path):
        kernel = shutil.copytree(KERNEL, tmp_path / "kernel")
        shutil.rmtree(kernel / "patches")
        (kernel / "patches").mkdir()
        (kernel / "patches/more.patch").write_text(PATCH)
        (tree.source / "file").write_text("one\ntwo\n")
        tree.compile("@cp file $(CURDIR)/../../../../built")
        del tree.env["KERNEL_SOURCE"]

        def build():
            """From a tarball that is made once: its size and its time, to the second, are part of the key."""
            tarball = str(tmp_path / "linux.tar.gz")
            if not os.path.exists(tarball):
                shutil.make_archive(tarball.removesuffix(".tar.gz"), "gztar", tmp_path, "tree")
            return subprocess.run([kernel / "build"], env={**tree.env, "BERTH_KERNEL_PACKAGE_TARBALL": tarball},
                                  capture_output=True, text=True)
        tree.build = build
        tree.patch = kernel / "patches/more.patch"
        return tree

    def test_they_are_applied_and_part_of_the_key(self, patched, tmp_path):
        first = patched.build()
        assert first.returncode == 0, first.stderr
        assert (tmp_path / "cache/built").read_text() == "one\ntwo\nthree\n"
        assert patched.build().stdout == first.stdout
        patched.patch.write_text(PATCH.replace("+three", "+four"))
        second = patched.build()
        assert second.returncode == 0 and second.stdout != first.stdout
        assert (tmp_path / "cache/built").read_text() == "one\ntwo\nfour\n"

    @pytest.mark.parametrize("lines", ["one\nother\n", "one\ntwo\nthree\n"], ids=["not the lines", "already there"])
    def test_one_that_does_not_fit_is_an_error(self, patched, lines):
        (patched.source / "file").write_text(lines)
        result = patched.build()
        assert result.returncode == 1 and "kernel/build: more.patch failed\n" in result.stderr
        assert left_over(patched) == [] and list(patched.cache.glob("*/vmlinux")) == []

    def test_a_given_source_is_built_as_it_is(self, patched, tmp_path):
        patched.env["KERNEL_SOURCE"] = str(patched.source)
        (patched.source / "file").write_text("mine\n")
        patched.compile("@cp $(CURDIR)/file $(CURDIR)/../mine")
        assert patched.build().returncode == 0
        assert (tmp_path / "mine").read_text() == (patched.source / "file").read_text() == "mine\n"
