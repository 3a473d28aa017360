"""`deeprc bench basins` without data of one's own: the two rivers of the demo."""

import json
import subprocess

import pytest

REFERENCES = {
    "fulda": (913, {"climatology": 0.292656065, "persistence": 0.86532287}),
    "leaf-river": (365, {"climatology": 0.245237769, "persistence": 0.777495388}),
}


def measured(*options: str) -> subprocess.CompletedProcess:
    command = ["deeprc", "bench", "basins", *options, "--json"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def told() -> dict:
    done = measured("--epochs", "1")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_has_its_own_network_beside_the_references(told):
    for basin, (days, references) in REFERENCES.items():
        found = told["basins"][basin]
        assert found["days"] == days
        assert {name: found[name]["nse"] for name in references} == references
        assert list(found) == ["days", "own", *references]
    assert list(told["basins"]) == list(REFERENCES)


def test_it_says_what_was_measured_on_what(told):
    assert told["options"] == {"variant": "small", "epochs": 1}
    assert (told["dataset"], told["seed"], told["window"], told["threads"]) == ("fulda-leaf", 1, 60, 1)
    assert told["train_s"] > 0
    assert {"cpu", "cores", "date", "commit", "python", "versions"} <= set(told["machine"])


def test_one_that_is_not_there_is_refused_by_name():
    done = measured("--basin", "fuld")
    assert done.returncode != 0 and not done.stdout
    assert "unknown basin 'fuld'" in done.stderr
