"""Random operations on one file, compared with a model: by the guest alone, and by host and guest in turns."""
import pytest

import exercising


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
