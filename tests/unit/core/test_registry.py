"""What is found by its name: a name that is taken is refused, an unknown one is told the nearest."""

import sys

import pytest

from deeprc.core.errors import ConfigError
from deeprc.core.registry import Registry, import_all


@pytest.fixture
def boats():
    boats = Registry("boat")

    @boats.register("canoe")
    class Canoe:
        pass

    @boats.register("barge")
    class Barge:
        pass

    return boats


def test_classes_are_found_by_their_names_and_know_them(boats):
    assert list(boats) == ["barge", "canoe"]
    assert boats.get("canoe").name == "canoe"
    assert "canoe" in boats
    assert "kayak" not in boats


def test_a_name_that_is_taken_is_refused(boats):
    class Other:
        pass

    with pytest.raises(ConfigError) as error:
        boats.register("canoe")(Other)
    assert error.value.problem == "two boats are called 'canoe'"
    assert "Canoe and " in error.value.found
    assert error.value.found.endswith("Other")
    assert boats.get("canoe").__name__ == "Canoe"


def test_an_unknown_name_is_told_the_nearest(boats):
    with pytest.raises(ConfigError) as error:
        boats.get("canoo", where="site sea")
    assert str(error.value) == (
        "site sea: unknown boat 'canoo'\n  found: canoo\n  expected: one of barge, canoe\n  fix: did you mean 'canoe'?"
    )


def test_a_file_in_the_folder_is_enough(tmp_path, monkeypatch):
    (tmp_path / "harbour_of_test").mkdir()
    (tmp_path / "harbour_of_test" / "__init__.py").touch()
    (tmp_path / "harbour_of_test" / "raft.py").write_text("AFLOAT = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_all("harbour_of_test", [str(tmp_path / "harbour_of_test")])
    assert sys.modules["harbour_of_test.raft"].AFLOAT
