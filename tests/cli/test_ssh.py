"""berth ssh-config, berth code and what is hidden behind them; tests/vm/test_ssh.py has the connections themselves."""
import shutil
import subprocess

import pytest

from conftest import BUILD

KEYS = ("client_key", "client_key.pub", "host_key", "host_key.pub", "known_hosts")


@pytest.fixture
def ssh_dir(box):
    return box.data / "distros" / box.info("box")["id"] / "ssh"


@pytest.fixture
def user_config(box):
    return box.path / ".ssh/config"


def as_ssh_reads_it(config, name, *options):
    """What OpenSSH itself makes of @config for @name: option -> values."""
    out = subprocess.run(["ssh", "-G", "-F", config, *options, name], check=True, capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines():
        option, _, value = line.partition(" ")
        found.setdefault(option, []).append(value)
    return found


def only(directory, *names):
    """A PATH with nothing but @names."""
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).symlink_to(shutil.which(name))
    return {"PATH": str(directory)}


def written(berth, *arguments):
    path = berth.path / "printed"
    path.write_text(berth("ssh-config", *arguments).ok())
    return path


def test_openssh_accepts_the_configuration(box, ssh_dir):
    options = as_ssh_reads_it(written(box, "box"), "box.berth")
    assert options["user"] == [box("run", "-d", "box", "--", "id", "-un").ok().strip()]
    assert options["identityfile"] == [str(ssh_dir / "client_key")]
    assert options["userknownhostsfile"] == [str(ssh_dir / "known_hosts")]
    assert options["stricthostkeychecking"] == ["true"] and options["identitiesonly"] == ["yes"]
    assert options["proxycommand"] == [f"'{box.program}' ssh-proxy box %r"]
    assert (ssh_dir / "known_hosts").read_text().startswith("box.berth ssh-ed25519 ")
    assert ssh_dir.stat().st_mode & 0o777 == 0o700
    assert all((ssh_dir / name).stat().st_mode & 0o077 == 0 for name in KEYS if not name.endswith(".pub"))


def test_paths_with_blanks_quotes_and_percent_signs(box, rootfs, tmp_path):
    """Of berth, whose path the user's shell reads, and of its data, whose path ssh reads."""
    program = tmp_path / "a b'c \"100%\" $HOME/berth"
    data = tmp_path / "d e\"f %u $x #/data"
    program.parent.mkdir()
    data.mkdir(parents=True)
    shutil.copy(box.program, program)
    env = {"XDG_DATA_HOME": str(data), "BERTH_SUPPORT_DIR": str(BUILD / "cmd")}
    box("import", "box", rootfs, env=env).ok()
    config = tmp_path / "printed"
    config.write_text(box("ssh-config", program=program, env=env).ok())
    options = as_ssh_reads_it(config, "box.berth")
    key = next(data.glob("berth/distros/*/ssh/client_key"))
    assert options["identityfile"] == [str(key).replace("%", "%%")]
    words = options["proxycommand"][0].replace("%%", "%").replace("%r", "nobody")
    shown = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {words}"], check=True, capture_output=True, text=True).stdout
    assert shown.splitlines() == [str(program), "ssh-proxy", "box", "nobody"]
    result = subprocess.run(["ssh", "-F", config, "gone.berth"], env={**box.environment, **env}, capture_output=True, text=True)
    assert "code: distro.not-found" in result.stderr, result  # by the block for all other names


def test_all_distros_and_none(box, rootfs):
    box("import", "Other", rootfs).ok()
    config = written(box)
    for name in ("box.berth", "Other.berth", "other.berth"):
        assert "client_key" in as_ssh_reads_it(config, name)["identityfile"][0]
    assert as_ssh_reads_it(config, "new.berth")["proxycommand"] == [f"'{box.program}' ssh-proxy %n %r"]
    assert "proxycommand" not in as_ssh_reads_it(config, "new.example.org")
    box("unregister", "box").ok()
    box("unregister", "Other").ok()
    assert "Host *.berth" in box("ssh-config").ok()


def test_a_name_starts_the_distro_only_to_learn_its_user(box):
    box("ssh-config").ok()
    assert box.info("box")["state"] == "stopped"
    box("ssh-config", "box").ok()
    assert box.info("box")["state"] == "running"
    box("terminate", "box").ok()
    box("ssh-config", "box").ok()
    assert box.info("box")["state"] == "stopped"


def test_install(box, user_config):
    user_config.parent.mkdir()
    user_config.write_text("# mine\nHost work\n    User me\n")
    user_config.chmod(0o644)
    ours = box.config.parent / "ssh_config"
    assert box("ssh-config", "--install").ok() == f"{ours} is written; {user_config} now includes it\n"
    text = user_config.read_text()
    assert text == f'Include "{ours}"\n\n# mine\nHost work\n    User me\n'
    assert user_config.stat().st_mode & 0o777 == 0o644
    assert as_ssh_reads_it(user_config, "box.berth")["proxycommand"] and as_ssh_reads_it(user_config, "work")["user"] == ["me"]
    assert box("ssh-config", "--install").ok() == f"{ours} is written; {user_config} includes it\n"
    assert user_config.read_text() == text


def test_installed_configuration_follows_the_distros(box, rootfs, user_config):
    ours = box.config.parent / "ssh_config"
    box("import", "one", rootfs).ok()
    assert not ours.exists()  # nothing is written unasked
    box("ssh-config", "--install").ok()

    def hosts():
        return [line.split()[1] for line in ours.read_text().splitlines() if line.startswith("Host ")]
    assert hosts() == ["box.berth", "one.berth", "*.berth"]
    box("import", "two", rootfs).ok()
    box("clone", "two", "three").ok()
    box("rename", "one", "zwei").ok()
    box("unregister", "box").ok()
    assert sorted(hosts()) == ["*.berth", "three.berth", "two.berth", "zwei.berth"]
    known = as_ssh_reads_it(ours, "zwei.berth")["userknownhostsfile"][0]
    with open(known, encoding="ascii") as file:
        assert file.read().startswith("zwei.berth ")


def test_keys_are_a_distros_own(box, ssh_dir, tmp_path):
    box("ssh-config", "box").ok()
    box("terminate", "box").ok()
    before = {name: (ssh_dir / name).read_bytes() for name in KEYS}
    box("move", "box", tmp_path / "elsewhere").ok()
    box("clone", "box", "copy").ok()
    box("ssh-config").ok()
    assert {name: (ssh_dir / name).read_bytes() for name in KEYS} == before
    copied = box.data / "distros" / box.info("copy")["id"] / "ssh"
    assert all((copied / name).read_bytes() != before[name] for name in KEYS)
    box("unregister", "box").ok()
    assert not ssh_dir.exists()


def test_a_configuration_that_cannot_be_changed(box, user_config):
    user_config.mkdir(parents=True)
    result = box("ssh-config", "--install")
    assert (result.status, result.code) == (1, "ssh.config") and list(user_config.iterdir()) == []


def test_install_is_for_all(box):
    box("ssh-config", "--install", "box").failed(2, "usage.arguments")


def test_without_an_ssh_client(box, tmp_path):
    """Neither ssh nor ssh-keygen; and with the keys made, without ssh alone."""
    result = box("ssh-config", env=only(tmp_path / "none"))
    assert (result.status, result.code) == (1, "ssh.no-keygen") and "openssh-client" in result.hint
    assert result.err.startswith("berth: warning: there is no ssh on this host")
    box("ssh-config").ok()
    result = box("ssh-config", env=only(tmp_path / "some", "ssh-keygen"))
    assert result.status == 0 and "client_key" in result.out
    assert result.err == ("berth: warning: there is no ssh on this host; install OpenSSH's client: "
                          "apt-get install openssh-client\n")


def test_damaged_keys(box, ssh_dir):
    box("ssh-config", "box").ok()
    (ssh_dir / "host_key").write_text("not a key\n")
    assert f"rm -r {ssh_dir}" in box("ssh-config", "box").failed(1, "ssh.keys").hint.replace("'", "")
    shutil.rmtree(ssh_dir)
    box("ssh-config", "box").ok()


def test_a_distro_that_is_not_there(box):
    box("ssh-config", "gone").failed(1, "distro.not-found")
    for name in ("gone", "gone.berth"):
        box("ssh-proxy", name, "me").failed(1, "distro.not-found")


@pytest.mark.as_root
def test_a_user_who_is_not_there(box):
    user = box("run", "-d", "box", "--", "id", "-un").ok().strip()
    hint = box("ssh-proxy", "box.berth", "nosuch").failed(1, "ssh.user", "nosuch", "box").hint
    assert hint == f"log in as its default user: ssh {user}@box.berth"


def test_the_proxy_is_for_programs(box):
    assert "ssh-proxy" not in box("help").ok()
    assert "ProxyCommand" in box("help", "ssh-proxy").ok()
    box("ssh-proxy", "box").failed(2, "usage.arguments")


# --- code ---


@pytest.fixture
def with_code(box, tmp_path):
    """A PATH with a program called code, which says how it was called."""
    directory = tmp_path / "editor"
    directory.mkdir()
    (directory / "code").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (directory / "code").chmod(0o755)
    return {"PATH": f"{directory}:{box.environment['PATH']}"}


def test_code(box, with_code, tmp_path):
    box("ssh-config", "--install").ok()
    (tmp_path / "a b").mkdir()
    result = box("code", "-d", "box", tmp_path / "a b", env=with_code).ok()
    assert result.splitlines() == ["--remote", "ssh-remote+box.berth", str(tmp_path / "a b")]
    home = box("run", "-d", "box", "--", "pwd").ok().strip()
    assert box("code", env=with_code).ok().splitlines() == ["--remote", "ssh-remote+box.berth", home]


def test_code_where_there_is_none(box, tmp_path):
    box("code", env=only(tmp_path / "none")).failed(1, "code.missing")


def test_code_before_ssh_is_set_up(box, with_code):
    assert "berth ssh-config --install" in box("code", env=with_code).failed(1, "code.ssh-config").hint


def test_code_in_no_directory(box, with_code):
    box("ssh-config", "--install").ok()
    box("code", "/nonexistent/x", env=with_code).failed(1, "code.directory", "/nonexistent/x")
