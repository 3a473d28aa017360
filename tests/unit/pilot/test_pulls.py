"""What waits for an image, and what does not. That pulling works is shown on a Slurm (integration/apptainer)."""

from __future__ import annotations

import pytest

from deeprc.images import load_catalog
from deeprc.launch import Layout, compose
from deeprc.pilot import Outcome, Task
from deeprc.pilot.pulls import Pulls
from samples.sites import cluster

SITE = cluster(runtime={"kind": "apptainer", "where": "compute", "modules": ["use /soft", "apptainer"]})
ARCHITECTURE = "x86_64"


def image(name: str):
    entry = {"uri": f"oras://registry.example.org/{name}", "digests": {ARCHITECTURE: "sha256:" + "a" * 64}}
    return load_catalog().image(name).model_copy(update=entry)


def plan():
    return compose(SITE, SITE.partition(), Layout(1), [])


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def pulls(tmp_path, monkeypatch, said) -> Pulls:
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("SECRET", "it's a secret")
    return Pulls(SITE, tmp_path, said.append)


def test_tasks_in_an_image_wait_for_all_images_and_others_do_not(pulls, said):
    for name in ("cpu", "rocm6-mpich-ofi"):
        pulls.path(image(name), ARCHITECTURE)
        pulls.path(image(name), ARCHITECTURE)  # wanted twice is pulled once
    inside, outside = Task("a", ["a"], contained=True), Task("b", ["b"])
    one, other, now = pulls.sort([inside, outside], plan)
    assert (one.uid, other.uid, now) == ("image.cpu.x86_64", "image.rocm6-mpich-ofi.x86_64", outside)
    assert pulls.sort([late := Task("c", ["c"], contained=True)], plan) == []
    assert pulls.ended(Outcome(one.uid, "DONE", 0, [], None)) == (None, [])
    assert pulls.ended(Outcome(other.uid, "DONE", 0, [], None)) == (None, [inside, late])
    assert not pulls.waiting and pulls.sort([inside], plan) == [inside]
    assert said[0] == "image cpu is not here: the pilot's first task pulls it" and "is here (0 s)" in said[-1]


def test_a_task_that_is_cancelled_waits_no_longer(pulls):
    pulls.path(image("cpu"), ARCHITECTURE)
    tasks = [Task(uid, [], contained=True) for uid in "ab"]
    pulling, *rest = pulls.sort(tasks, plan)
    assert rest == [] and pulls.drop(["a", "unknown"]) == ["a"]
    assert pulls.ended(Outcome(pulling.uid, "DONE", 0, [], None)) == (None, [tasks[1]])


@pytest.mark.parametrize(
    ("output", "reason", "words"),
    [("error: the disk is full\n  fix: free some\n", None, "error: the disk is full\n      fix: free some"),
     ("", "its worker has ended", "its worker has ended"), ("", None, "its task failed")],
)  # fmt: skip
def test_why_an_image_is_not_here(pulls, output, reason, words):
    pulls.path(image("cpu"), ARCHITECTURE)
    pulling, *_ = pulls.sort([Task("a", [], contained=True)], plan)
    pulls.output(pulling.uid).write_text(output)
    problem, free = pulls.ended(Outcome(pulling.uid, "FAILED", 2, [], reason))
    assert problem == f"image cpu could not be pulled:\n    {words}" and free == []


def test_the_script_has_the_users_variables_and_the_runtimes_modules(pulls, tmp_path):
    pulls.path(image("cpu"), ARCHITECTURE)
    [task] = pulls.sort([], plan)
    script = (tmp_path / f"{task.uid}.sh").read_text().splitlines()
    assert task.argv == ["/bin/bash", f"{tmp_path}/{task.uid}.sh"] and task.ranks == 1 and not task.contained
    assert script[1] == f"exec < /dev/null > {tmp_path}/{task.uid}.out 2>&1"
    assert script.index("module use /soft") < script.index("module load apptainer") < len(script) - 1
    assert script[-1].endswith(f"--digest sha256:{'a' * 64} --from oras://registry.example.org/cpu")
    environment = tmp_path / "environment"
    assert task.environment == str(environment)
    assert environment.stat().st_mode & 0o777 == 0o600 and "SECRET=" in environment.read_text()
