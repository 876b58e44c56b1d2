"""Random operations on one file, compared with a model: by the guest alone, and by host and guest in turns."""
import os

import pytest

import exercising
from conftest import Mounted


@pytest.fixture(scope="session")
def exercise(tmp_path_factory):
    return [exercising.build(tmp_path_factory.mktemp("exercise"))]


@pytest.mark.parametrize("seed", exercising.seeds(10))
def test_the_model_is_right(exercise, tmp_path, seed):
    exercising.alone(exercise, tmp_path / "f", seed, 1000)


@pytest.mark.parametrize("seed", exercising.seeds(10))
def test_alone(exercise, share, seed):
    exercising.alone(exercise, share / "f", seed, 1000)


@pytest.mark.parametrize("seed", exercising.seeds(10))
def test_host_and_guest_in_turns(exercise, source, share, seed):
    exercising.in_turns(exercise, source / "f", exercise, share / "f", seed, 500)


@pytest.mark.parametrize("start", ["new", "of the host"])
@pytest.mark.parametrize("seed", exercising.seeds(10))
def test_alone_at_a_share_that_keeps_changes(exercise, tmp_path, source, seed, start):
    if start != "new":
        (source / "f").touch()
    mounted = Mounted(tmp_path / "mnt", [(f"cow={tmp_path / 'layer'}", source, "/work")], uid=os.getuid(), gid=os.getgid())
    try:
        exercising.alone(exercise, mounted.directory / "work/f", seed, 1000)
        assert os.listdir(source) == ([] if start == "new" else ["f"])
        assert start == "new" or (source / "f").stat().st_size == 0
    finally:
        mounted.end()
