"""libberth as `meson install` leaves it: found by pkg-config, with what its headers declare and nothing else."""
import json
import os
import re
import subprocess

import pytest
from conftest import BUILD
from test_installed import alone, find, installed  # noqa: F401, a fixture

# Lists the distros, and says where the library has found berth's other programs.
PROGRAM = r"""
#include <berth.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) environment = g_get_environ();
    g_autoptr(Berth) berth = berth_new((const char *const *)environment, &error);
    if (argc > 1 && berth != NULL && !berth_set_default(berth, argv[1], &error))
        return printf("%s: %s\n", berth_error_id(error), error->message) < 0;
    g_autoptr(GPtrArray) distros = berth != NULL ? berth_list(berth, &error) : NULL;
    g_autoptr(BerthStatus) status = distros != NULL ? berth_status(berth, &error) : NULL;
    if (status == NULL)
        return fprintf(stderr, "%s\n", error->message), 1;
    for (guint i = 0; i < distros->len; i++)
        printf("%s %s\n", ((BerthInfo *)distros->pdata[i])->name, ((BerthInfo *)distros->pdata[i])->state);
    printf("%s %s\n", berth_version(), status->support);
    return 0;
}
"""


def output(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **options).stdout


def option(name):
    options = json.loads(output("meson", "introspect", "--buildoptions", BUILD))
    return next(option["value"] for option in options if option["name"] == name)


@pytest.fixture
def compiled(berth, installed):  # noqa: F811
    """A program of a stranger's, and the environment in which it finds the library."""
    pc = find(installed, "berth.pc")
    prefix = find(installed, "bin/berth").parents[1]
    pc.write_text(re.sub("^prefix=.*", f"prefix={prefix}", pc.read_text(), count=1, flags=re.M))  # DESTDIR is not in it
    flags = output("pkg-config", "--cflags", "--libs", "berth", env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent)}).split()
    (berth.path / "lister.c").write_text(PROGRAM)
    sanitize = option("b_sanitize")
    output("cc", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", *([f"-fsanitize={sanitize}"] if sanitize != "none" else []),
           "-o", berth.path / "lister", berth.path / "lister.c", *flags)
    environment = {**berth.environment, "LD_LIBRARY_PATH": str(pc.parents[1])}
    del environment["BERTH_SUPPORT_DIR"]
    return berth.path / "lister", environment


def test_a_program_of_a_strangers(berth, rootfs, installed, compiled):  # noqa: F811
    program, environment = compiled
    berth("import", "box", rootfs).ok()
    berth("import", "other", rootfs).ok()
    version = berth("--version").ok().split()[1]
    support = find(installed, "berth-keeper").parent
    assert output(*alone(program), env=environment) == f"box stopped\nother stopped\n{version} {support}\n"
    assert output(program, "nobody", env=environment).startswith("distro.not-found: ")


def exported(library):
    return {line.split()[-1].partition("@")[0] for line in output("nm", "-D", "--defined-only", library).splitlines()}


def declared(directory):
    """The functions that a compiler sees declared in the headers below @directory."""
    source, list_ = directory / "source.c", directory / "list"
    source.write_text("#include <berth.h>\n")
    include = find(directory, "berth.h").parent
    glib = output("pkg-config", "--cflags", "glib-2.0").split()
    output("gcc", "-fsyntax-only", "-aux-info", list_, f"-I{include}", *glib, source)
    pattern = re.compile(rf"/\* {re.escape(str(include))}/\S+:\d+:\S+ \*/ extern .*?\b(\w+) \(")
    return {match.group(1) for match in map(pattern.match, list_.read_text().splitlines()) if match}


def test_it_exports_what_its_headers_declare(installed):  # noqa: F811
    found = exported(find(installed, "libberth.so.?.?.?"))
    assert found == declared(installed)
    assert {"berth_new", "berth_error_hint"} <= found
    assert all(name.startswith("berth_") for name in found)


def test_each_header_stands_alone(berth, installed):  # noqa: F811
    include = find(installed, "berth.h").parent
    glib = output("pkg-config", "--cflags", "glib-2.0").split()
    nouns = sorted(path.name for path in include.glob("berth_*.h"))
    assert re.findall(r'^#include "(berth_\w+\.h)"', (include / "berth.h").read_text(), re.M) == nouns
    for noun in nouns:
        (berth.path / "alone.c").write_text(f"#include <{noun}>\n")
        output("cc", "-fsyntax-only", "-Wall", "-Werror", f"-I{include}", *glib, berth.path / "alone.c")


def test_a_header_that_declares_more_is_noticed(installed):  # noqa: F811
    header = find(installed, "berth_handle.h")
    header.write_text(header.read_text().replace("void berth_free(", "int berth_forgotten(void);\nvoid berth_free("))
    assert declared(installed) - exported(find(installed, "libberth.so.?.?.?")) == {"berth_forgotten"}
