from pathlib import Path

import pytest

from deeprc.errors import ConfigError
from deeprc.launch import Layout, launcher


@pytest.fixture
def environment(tmp_path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mpiexec").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "layout", "expected", "method", "settings"),
    [
        ("fork", Layout(), [], "FORK", {}),
        (
            "mpiexec",
            Layout(ranks=4, cores_per_rank=2),
            ["{env}/bin/mpiexec", "-np", "4"],
            "MPIEXEC",
            {"pre_exec_cached": ["export PATH={env}/bin:$PATH"]},
        ),
    ],
)
def test_launch_line_and_pilot_settings(environment, name, layout, expected, method, settings):
    found = launcher(name, environment)
    assert found.name == name
    assert found.method == method
    assert found.command(layout) == [part.format(env=environment) for part in expected]
    filled = {key: [line.format(env=environment) for line in lines] for key, lines in settings.items()}
    assert found.pilot_settings() == filled


def test_unknown_launcher_names_the_known_ones(environment):
    with pytest.raises(ConfigError, match="unknown launcher 'mpiexc'") as error:
        launcher("mpiexc", environment)
    assert error.value.expected == "one of fork, mpiexec"
    assert error.value.fix == "did you mean 'mpiexec'?"


def test_mpiexec_is_never_taken_from_elsewhere(tmp_path, monkeypatch):
    """Another MPI's mpiexec on the PATH is no substitute for the environment's own."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "mpiexec").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(other))
    with pytest.raises(ConfigError, match="the environment has no mpiexec") as error:
        launcher("mpiexec", tmp_path).command(Layout(ranks=2))
    assert error.value.fix == "pip install mpich"
