"""What `deeprc bench resume` makes of the notes of ranks that were killed."""

import sys
from types import SimpleNamespace

import pytest

from deeprc.bench.resume import run
from deeprc.bench.resume.history import Fate, fate, read
from deeprc.core.errors import ConfigError, DeepRCError


def written(folder, **files: str):
    for name, text in files.items():
        (folder / name.replace("_", "-").removeprefix("of-")).write_text(text)
    return read(folder)


@pytest.mark.parametrize("program, found", [("/bin/ls", "ls: "), ("/bin/echo", "Expecting value"), ("/bin/true", "")])
def test_what_is_no_python_is_refused_before_anything_trains(program, found):
    with pytest.raises(ConfigError, match="this is no Python that starts") as error:
        run.run(1, ["deeprc", "lightning"], program, print)
    assert found in str(error.value.found)


def test_steps_that_a_later_start_makes_again_are_undone_and_count_once(tmp_path):
    """Two ranks, two epochs of four samples; killed in step 3, of which one rank has written half a line."""
    ranks = written(
        tmp_path,
        of_001_0="1 0 0\n2 0 2\n3 1 1\n", of_001_1="1 0 1\n2 0 3\n3 1",
        of_002_0="2 0 2\n3 1 0\n4 1 2\n", of_002_1="2 0 3\n3 1 1\n4 1 3\n",
    )  # fmt: skip
    assert [len(starts) for starts in ranks] == [2, 2]
    assert fate(ranks, 4, 2) == Fate(lost=0, replayed=0, undone=2)


def test_samples_that_an_epoch_lacks_or_has_twice(tmp_path):
    """After the kill the second start takes the first samples again: 0 is used twice, 2 never."""
    ranks = written(tmp_path, of_001_0="1 0 0 1\n", of_002_0="2 0 0 3\n")
    assert fate(ranks, 4, 1) == Fate(lost=1, replayed=1, undone=0)


def test_a_start_that_was_killed_before_its_first_step_undoes_nothing(tmp_path):
    ranks = written(tmp_path, of_001_0="1 0 0\n", of_002_0="", of_003_0="2 0 1\n")
    assert fate(ranks, 2, 1) == Fate(lost=0, replayed=0, undone=0)


def test_an_engine_that_hangs_is_an_error_and_no_kill(tmp_path, monkeypatch):
    """Else one that never ends would have been killed as planned, and have the weights of the undisturbed run: none."""
    monkeypatch.setattr(run, "LIMIT", 0.5)
    line = [sys.executable, "-c", "import time; print('waits', flush=True); time.sleep(600)"]
    engine = SimpleNamespace(name="slow", packages=("slow",), command=lambda *about: line)
    for step in (None, 3):
        with pytest.raises(DeepRCError, match=r"slow did not end within 0.5 s"):
            run._KilledTraining(engine, sys.executable, tmp_path / "one").start(step)
