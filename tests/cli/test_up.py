"""`berth up` and `berth templates`: a project's file becomes a distro, step by step. The guest is this host: no step here changes it."""
import json
import os
import signal
import subprocess

import pytest

from conftest import SOURCE, wait_for
from ports import free_port
from waiting import LIMIT

TEMPLATES = ["c", "docker", "go", "k3s", "node", "podman", "postgres", "python", "rust"]


class Directory:
    """A project: its berth.conf, and what its steps have done."""

    def __init__(self, berth, rootfs):
        self.berth = berth
        self.path = berth.path / "web"
        self.path.mkdir()
        self.rootfs = rootfs
        self.trace = berth.path / "trace"
        self.trace.write_text("")

    def write(self, text, project=""):
        (self.path / "berth.conf").write_text(f"# a project\n[project]\narchive = {self.rootfs}\n{project}\n{text}")

    def step(self, name, word, key="user"):
        return f"[step {name}]\n{key} = echo {word} >>{self.trace}\n"

    def done(self):
        words = self.trace.read_text().split()
        self.trace.write_text("")
        return words

    def up(self, *words, **options):
        return self.berth("up", self.path, *words, **options)

    def log(self):
        return (self.berth.data / "distros" / self.berth.info("web")["id"] / "up.log").read_text()


@pytest.fixture
def project(berth, rootfs):
    return Directory(berth, rootfs)


def titles(result):
    return [line for line in result.out.splitlines() if line.startswith(("==>", "done before:"))]


def test_from_nothing(project, berth):
    port = free_port()
    project.write(project.step("first", "one") + project.step("second", "two"), f"memory = 1G\nforwards = {port}:80")
    result = project.up()
    assert result.status == 0, result
    assert project.done() == ["one", "two"]
    assert titles(result)[0] == f"==> install web from {project.rootfs}"
    assert [line.split(" echo")[0] for line in titles(result)[1:]] == [
        "==> memory 1G", f"==> forward {port}:80", "==> step first (user)", "==> step second (user)"]
    assert result.out.endswith('web is up; "berth shell web" opens a shell in it\n')
    assert berth.info("web")["state"] == "running"
    assert berth("config", "get", "--distro", "web", "memory").ok() == f"{1 << 30}\n"
    assert [rule["rule"] for rule in json.loads(berth("forward", "list", "--json", "web").ok())["forwards"]] == [f"{port}:80"]
    assert "step first (user)" in project.log()


def test_a_step_is_done_once_unless_it_changes(project):
    project.write(project.step("first", "one") + project.step("second", "two"))
    assert project.up().status == 0 and project.done() == ["one", "two"]
    again = project.up()
    assert again.ok() and project.done() == []
    assert all(line.startswith("done before: step") for line in titles(again)) and len(titles(again)) == 2
    project.write(project.step("first", "uno") + project.step("second", "two") + project.step("third", "three"))
    assert project.up().status == 0 and project.done() == ["uno", "three"]
    assert project.up("--again").status == 0 and project.done() == ["uno", "two", "three"]
    assert project.up().ok() and project.done() == []


def test_a_failed_step_is_the_next(project):
    project.write(project.step("first", "one") + project.step("third", "three"))
    assert project.up().status == 0 and project.done() == ["one", "three"]
    broken = "[step second]\nuser = echo what is wrong >&2; exit 7\n"
    project.write(project.step("first", "one") + broken + project.step("third", "three"))
    failed = project.up()
    assert failed.status == 1 and failed.code == "up.step" and "step second (user): exit status 7" in failed.err
    assert "what is wrong" in failed.err and "what is wrong" in project.log() and "up.log" in failed.hint
    project.write(project.step("first", "one") + project.step("second", "two") + project.step("third", "three"))
    assert project.up().status == 0 and project.done() == ["two"]  # the others were done


def test_what_is_no_longer_asked_for(project):
    project.write(project.step("first", "one"))
    assert project.up().status == 0
    project.write("")
    result = project.up()
    assert result.status == 0 and "no longer in the project, left as it is: step first (user)" in result.err
    assert project.up().ok()  # said once


def test_made_from_something_else(project, berth):
    project.write("")
    assert project.up().status == 0
    other = project.rootfs.rename(berth.path / "other.tar")
    project.rootfs = other
    project.write("")
    for _ in range(2):
        result = project.up()
        assert result.status == 0 and "web was made from another source" in result.err


def test_a_distro_of_that_name_is_not_touched(project, berth):
    berth("import", "web", project.rootfs).ok()
    project.write(project.step("first", "one"))
    project.up().failed(1, "up.exists", "web")
    assert project.done() == []
    assert project.up("--existing").status == 0 and project.done() == ["one"]


def test_state_goes_with_the_distro(project, berth):
    project.write(project.step("first", "one"))
    assert project.up().status == 0
    berth("unregister", "web").ok()
    assert berth.left_over() == []
    assert project.up().status == 0 and project.done() == ["one", "one"]


def test_environment_is_never_shown(project):
    """Nor are there steps that only the guest could do: here it is only planned."""
    project.write("[environment]\nTOKEN = a-secret-value\nOTHER = x y\n", "packages = git curl")
    text = project.up("--dry-run").ok()
    assert "# environment 2 variables\n" in text and "a-secret-value" not in text
    assert "apt-get" in text and text.rstrip().endswith("sh git curl")


def test_dry_run_can_be_pasted(project):
    project.write("[step a]\nuser = echo 'a  b'\n", "user = ada")
    lines = [line for line in project.up("-n").ok().splitlines() if line.startswith("berth run")]
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {lines[0]}"], capture_output=True, text=True, check=True).stdout
    assert words.splitlines() == ["berth", "run", "-d", "web", "-u", "ada", "--no-tty", "--", "sh", "-c", "echo 'a  b'"]


def test_environment_script(project, tmp_path):
    """The guest's /etc/environment, here another file."""
    script = (SOURCE / "cmd/berth/up_plan.c").read_text().split("set_environment[] =\n")[1].split(";\n\n")[0]
    lines = [json.loads(line.strip()) for line in script.splitlines() if line.strip().startswith('"')]
    file = tmp_path / "environment"
    text = "".join(lines).replace("/etc/environment", str(file))

    def run(*words):
        subprocess.run(["sh", "-c", text, "sh", *words], check=True)
        return file.read_text()

    assert run("A=1", "B=x y") == "# begin of berth up\nA=1\nB=x y\n# end of berth up\n"
    file.write_text("PATH=/bin\n" + file.read_text() + "LANG=C\n")
    assert run("A=2") == "PATH=/bin\nLANG=C\n# begin of berth up\nA=2\n# end of berth up\n"


@pytest.mark.parametrize("text, code, line, word", [
    ("[project]\ndistro = x\n[projekt]\n", "project.group", 3, "projekt"),
    ("[project]\ndistro = x\npackage = git\n", "project.key", 3, "package"),
    ("[project]\ndistro = x\ndistro = y\n", "project.key", 3, "distro"),
    ("[project]\ndistro = x\nforwards = 0.0.0.0:80:80\n", "project.value", 3, "0.0.0.0"),
    ("[project]\ndistro = x\nshares = ../other\n", "project.value", 3, "../other"),
    ("[project]\ndistro = x\nshares = a/../../b\n", "project.value", 3, "a/../"),
    ("[project]\ndistro = x\nshares = /etc\n", "project.value", 3, "/etc"),
    ("[project]\ndistro = --from-file\n", "project.value", 2, "--from-file"),
    ("[project]\ndistro = x\npackages = git -y\n", "project.value", 3, "-y"),
    ("[project]\ndistro = x\ncpus = many\n", "project.value", 3, "many"),
    ("[project]\ndistro = x\n[environment]\nA B = x\n", "project.key", 4, "A B"),
    ("[project]\ndistro = x\n[step a]\nrun = x\n", "project.key", 4, "run"),
    ("distro = x\n", "project.syntax", 1, "distro"),
    ("[project]\nnonsense\n", "project.syntax", 2, "nonsense"),
])
def test_bad_lines_are_named(project, berth, text, code, line, word):
    (project.path / "berth.conf").write_text(text)
    project.up().failed(1, code, f"berth.conf:{line}: ", word)
    assert berth.names() == []


@pytest.mark.parametrize("text, code", [
    ("[project]\npackages = git\n", "project.source"),
    ("[project]\ndistro = a\nimage = b\n", "project.source"),
    ("", "project.source"),
    ("[project]\ndistro = \xff\n", "project.syntax"),
])
def test_bad_files(project, text, code):
    (project.path / "berth.conf").write_bytes(text.encode("latin-1"))
    project.up().failed(1, code, "berth.conf: ")


def test_no_file_no_directory(project, berth):
    project.up().failed(1, "up.none", str(project.path))
    missing = berth("up", berth.path / "none").failed(1, "up.directory.missing", f"{berth.path}/none: no such directory")
    assert "berth up DIRECTORY" in missing.hint
    (berth.path / "file").write_text("")
    berth("up", berth.path / "file").failed(1, "up.directory.io")
    (project.path / "berth.conf").mkdir()
    project.up().failed(1, "project.syntax")


def test_a_link_out_of_the_project_is_not_shared(project, berth):
    (project.path / "out").symlink_to("/etc")
    project.write("", "shares = out")
    project.up().failed(1, "up.share.outside", "out")
    project.write("", "shares = missing")
    project.up().failed(1, "up.share.missing", "missing")
    assert berth.names() == []


def test_a_share(project, berth):
    (project.path / "src").mkdir()
    project.write("", "shares = src:/work:ro")
    for _ in range(2):
        assert project.up().status == 0
    shared, = json.loads(berth("share", "list", "--json", "web").ok())["distros"][0]["shares"]
    assert shared["directory"] == str(project.path / "src") and shared["read_only"]


def test_a_share_below_the_home_that_is_shared(project, berth):
    """Unless it should be read-only: share-home would let the distro write."""
    berth.configure("[berth]\nshare-home = true\n")
    project.write("", "shares = .")
    first = project.up()
    assert first.status == 0 and "notice: it is so already" in first.err
    assert project.up().ok()
    project.write("", "shares = .:ro")
    failed = project.up()
    assert failed.status == 1 and "share.home" in failed.err and failed.code != "up.none"


def test_what_the_user_added_already(project, berth):
    port = free_port()
    project.write("", f"forwards = {port}")
    berth("import", "web", project.rootfs).ok()
    berth("forward", "add", "web", port).ok()
    assert project.up("--existing").status == 0


def test_one_up_at_a_time_and_a_stop(project, berth):
    project.write(f"[step wait]\nuser = echo here >{project.trace}; exec sleep 1000\n")
    process = berth.start("up", project.path)
    wait_for(lambda: project.trace.read_text() == "here\n")
    project.up().failed(1, "up.busy", "web")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=LIMIT) == -signal.SIGTERM
    process.communicate()
    wait_for(lambda: berth.info("web")["sessions"] == 0)  # its command has ended with it
    project.write(project.step("wait", "done"))
    assert wait_for(lambda: project.up().status == 0)


# --- templates ---

def test_templates(berth):
    assert berth("templates", "-q").ok().split() == TEMPLATES
    listed = json.loads(berth("templates", "--json").ok())
    assert listed["schema"] == 1 and [entry["name"] for entry in listed["templates"]] == TEMPLATES
    assert all(entry["summary"] and os.path.exists(entry["file"]) for entry in listed["templates"])
    assert [line.split()[0] for line in berth("templates").ok().splitlines()] == ["NAME", *TEMPLATES]


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_template_is_a_plan(berth, name):
    text = berth("up", "--template", name, "--dry-run", cwd=berth.path).ok()
    assert text.startswith(f"# install {name} from Debian\nberth install --no-launch --name {name} Debian\n")
    assert "# packages " in text


def test_templates_of_the_user(berth, rootfs):
    own = berth.config.parent / "templates"
    own.mkdir(parents=True)
    (own / "go.conf").write_text(f"# my own\n[project]\narchive = {rootfs}\n")
    (own / "mine.conf").write_text(f"[project]\nname = other\narchive = {rootfs}\n[step a]\nuser = echo made >{berth.path}/made\n")
    (own / ".hidden.conf").write_text("")
    listed = {entry["name"]: entry["summary"] for entry in json.loads(berth("templates", "--json").ok())["templates"]}
    assert sorted(listed) == sorted([*TEMPLATES, "mine"]) and listed["go"] == "my own" and listed["mine"] == ""
    result = berth("install", "--template", "MINE", cwd=berth.path)
    assert result.status == 0 and (berth.path / "made").exists() and berth.names() == ["other"]
    assert berth("up", "-t", "go", "--name", "gopher", cwd=berth.path).status == 0
    assert berth("up", "-t", "python", "--from-file", rootfs, "--dry-run", cwd=berth.path).ok().splitlines()[1].endswith(f"--from-file {rootfs}")


def test_templates_that_are_not_there(berth):
    hint = berth("up", "--template", "pyton").failed(1, "template.not-found", "pyton").hint
    assert hint == "did you mean python?"
    berth("install", "--template", "../x").failed(1, "template.not-found")
    berth("install", "--template", "go", "Debian").failed(2, "usage.value")
    berth("install", "--template", "go", "--size", "1G").failed(2, "usage.value")


# --- devcontainer.json ---

def devcontainer(project, text, path=".devcontainer/devcontainer.json"):
    (project.path / path).parent.mkdir(exist_ok=True)
    (project.path / path).write_text(text)


@pytest.mark.parametrize("path", [".devcontainer/devcontainer.json", ".devcontainer.json"])
def test_devcontainer(project, path):
    (project.path / "data").mkdir()
    devcontainer(project, """// an editor's
    {"name": "My App", "image": "debian:12", "remoteUser": "ada", "forwardPorts": [3000],
     "postCreateCommand": "make deps", "containerEnv": {"SECRET": "a-secret-value"},
     "mounts": ["source=${localWorkspaceFolder}/data,target=/data,type=bind"],
     "features": {"ghcr.io/x/node:1": {}}, "runArgs": ["--\\u001b[31m"], "\\u001b[0m": 1,}""", path)
    result = project.up("--dry-run")
    lines = result.out.splitlines()
    assert result.status == 0 and "a-secret-value" not in result.out + result.err
    assert [line for line in lines if line.startswith("berth")] == [
        "berth install --no-launch --name My-App oci:debian:12", "berth share add My-App .",
        "berth share add My-App data:/data", "berth forward add My-App 3000",
        "berth run -d My-App -u ada --no-tty -- sh -c 'make deps'"]
    notices = result.err.splitlines()
    assert len(notices) == 3 and all(line.startswith("berth: up: notice: ") for line in notices)
    assert "ghcr.io/x/node:1 is not installed" in notices[0] and "runArgs: has no effect" in notices[1]
    assert "\x1b" not in result.err


def test_devcontainer_is_made(project, rootfs):
    devcontainer(project, json.dumps({"image": "debian:12", "postCreateCommand": f"echo made >>{project.trace}"}))
    result = project.up("--from-file", rootfs)
    assert result.status == 0 and project.done() == ["made"], result
    assert project.up("--from-file", rootfs).ok() and project.done() == []


@pytest.mark.parametrize("text, code, where", [
    ('{"image": "a",\n "name" "b"}', "project.json", "json:2: "),
    ('{"image": "a",\n "image": "b"}', "project.json", "json:2: the key is there twice"),
    ("", "project.json", "json:1: "),
    ("[]", "project.value", "json:1: "),
    ('{"image": ["a"]}', "project.value", "json:1: image"),
    ('{"image": "--from-file"}', "project.value", "json:1: image"),
    ('{"build": {"dockerfile": "Dockerfile"}}', "project.source", "has no image"),
    ('{"image": "a", "forwardPorts": 1}', "project.value", "forwardPorts"),
    ('{"image": "a", "postCreateCommand": 1}', "project.value", "postCreateCommand"),
])
def test_bad_devcontainer(project, berth, text, code, where):
    devcontainer(project, text)
    project.up().failed(1, code, where)
    assert berth.names() == []


def test_berth_conf_comes_first(project):
    devcontainer(project, "nonsense")
    project.write("")
    assert project.up("--dry-run").ok()
