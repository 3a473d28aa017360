"""What trainings ask of the sites that are shipped, and what of it is refused before anything queues."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deeprc.applications.config import load_config
from deeprc.images.catalog import load_catalog
from deeprc.workflow import trainings as module
from deeprc.workflow.trainings import Trainings
from snakemake_executor_plugin_radical_pilot.accelerators import There, accelerators, digest_with

ROOT = Path(__file__).resolve().parents[3]


def there(*arguments: str) -> list[There] | None:
    return accelerators(["/bin/snakemake", *arguments], ROOT)


def trainings(where: list[There] | None, **training: object) -> Trainings:
    """Those of both pipelines, with these keys of `training`."""
    each = {"training": training}
    config = load_config({"pipelines": ["forecasting", "hydrology"], "forecasting": each, "hydrology": each})
    return Trainings(config, where, imaged=any(one.image for one in where or ()))


def asked(where: list[There] | None, **training: object) -> list[tuple[int, str]]:
    """Accelerators of a rank, and device, of forecasting and hydrology."""
    found = trainings(where, **training)
    pairs = [(one, found.config.options(one).training) for one in found.config.applications()]
    return [(found.gpus(*pair), found.device(*pair)) for pair in pairs]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--profile", "site/perlmutter"], [(1, "auto"), (1, "auto")]),
        (["--profile", "site/frontier"], [(1, "auto"), (1, "auto")]),
        (["--profile", "site/aurora"], [(1, "auto"), (0, "cpu")]),  # TensorFlow has no build for these
        (["--profile", "site/frontera"], [(0, "cpu"), (0, "cpu")]),
        (["--profile", "site/frontera", "--radical-pilot-partition", "rtx"], [(1, "auto"), (1, "auto")]),
        (["--profile", "site/perlmutter", "--radical-pilot-image", "cpu"], [(0, "cpu"), (0, "cpu")]),
        (["--profile", "site/frontera", "--radical-pilot-pilots", "auto"], [(1, "auto"), (1, "auto")]),
        (
            ["--profile", "site/perlmutter", "--radical-pilot-pilots", "partition=gpu,nodes=1,gpus=0"],
            [(0, "cpu"), (0, "cpu")],
        ),
        (["--profile", "site/localhost"], [(0, "cpu"), (0, "cpu")]),
    ],
)
def test_each_rank_has_an_accelerator_where_the_site_and_the_image_have_one(arguments, expected):
    assert asked(there(*arguments)) == expected


def test_who_asks_for_processors_gets_no_accelerators():
    assert asked(there("--profile", "site/perlmutter"), device="cpu") == [(0, "cpu"), (0, "cpu")]


def test_where_jobs_go_elsewhere_they_find_what_there_is():
    assert there("--executor", "local", "--cores", "1") is None
    assert asked(None) == [(0, "auto"), (0, "auto")]
    assert asked(None, device="cuda") == [(1, "cuda"), (1, "cuda")]


def test_without_an_image_this_torch_decides(monkeypatch):
    where = there("--profile", "site/perlmutter", "--radical-pilot-image", "none")
    for torch, tensorflow, expected in (("2.13.0+cpu", "", [0, 0]), ("2.13.0+cu129", "2.21.0", [1, 1])):
        monkeypatch.setattr(
            module,
            "_version",
            {"torch": torch, "tensorflow": tensorflow, "tensorflow-cpu": "" if tensorflow else "2.21.0"}.get,
        )
        assert [gpus for gpus, _ in asked(where)] == expected


def refused(where: list[There] | None, **training: object) -> list[str]:
    return [str(error) for error in trainings(where, **training).refused()]


@pytest.mark.parametrize(
    ("site", "training", "expected"),
    [
        ("frontier", {"precision": "tf32"}, ["forecasting.training.precision': tf32", "hydrology.training.precision'"]),
        ("aurora", {"precision": "tf32"}, ["forecasting.training.precision': tf32", "hydrology.training.precision'"]),
        ("perlmutter", {"precision": "tf32"}, []),
    ],
)
def test_what_accelerators_of_others_have_is_refused(site, training, expected):
    found = refused(there("--profile", f"site/{site}"), **training)
    assert len(found) == len(expected)
    assert all(one.startswith(f"key '{each}") for one, each in zip(found, expected, strict=True))


def test_a_backend_of_other_accelerators_is_refused():
    def backend(site: str, name: str) -> list[str]:
        config = load_config({"pipelines": ["forecasting"], "forecasting": {"training": {"backend": name}}})
        return [str(error) for error in Trainings(config, there("--profile", f"site/{site}"), imaged=True).refused()]

    (error,) = backend("aurora", "nccl")
    assert error.startswith("key 'forecasting.training.backend': nccl is not there\n  found: aurora, partition ")
    assert [backend("frontier", "nccl"), backend("aurora", "xccl")] == [[], []]
    assert "xccl is not there" in backend("frontier", "xccl")[0]


def test_a_device_that_the_site_lacks_is_refused_by_name():
    (error, other) = refused(there("--profile", "site/frontera"), device="cuda")
    assert error == (
        "key 'forecasting.training.device': the device cuda is not there\n"
        "  found: frontera, partition clx: no accelerators\n"
        "  expected: accelerators that torch calls cuda\n"
        "  fix: take a partition that has them (--radical-pilot-partition), or leave the key out"
    )
    assert other.startswith("key 'hydrology.training.device': the device cuda is not there")
    found = refused(there("--profile", "site/perlmutter", "--radical-pilot-image", "cpu"), device="cuda")
    assert "found: perlmutter, partition gpu: 4 A100 40 GB a node (image cpu is built for processors only" in found[0]
    assert refused(there("--profile", "site/perlmutter"), device="cuda") == []


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"precision": "tf32"}, "key 'forecasting.training.precision': tf32 is for accelerators"),
        ({"backend": "mpi4py", "reproducible": "elastic"}, None),
    ],
)
def test_what_processors_cannot_do_is_refused_where_models_would_be_trained_on_them(training, expected):
    found = refused(there("--profile", "site/frontera"), **training)
    assert [line for line in found if expected and line.startswith(expected)] or (found == [] and expected is None)
    assert refused(there("--profile", "site/perlmutter"), **training) == []


def forecasting(where: list[There] | None, imaged: bool, holds=lambda: None, **training: object) -> list[str]:
    config = load_config({"pipelines": ["forecasting"], "forecasting": {"training": training}})
    return [str(error) for error in Trainings(config, where, imaged, holds).refused()]


def test_nccl_is_refused_where_no_accelerators_are():
    found = forecasting(there("--profile", "site/frontera"), True, ranks=2, backend="nccl")
    assert found[0].startswith("key 'forecasting.training.backend': nccl is for accelerators")


def test_mpi_is_refused_where_torch_is_a_wheel():
    asks = {"ranks": 2, "backend": "mpi"}
    (own,) = forecasting(None, False, **asks)  # it asks the torch of this environment
    assert own.startswith("key 'forecasting.training.backend': mpi is not there\n  found: torch 2.")
    (wheel,) = forecasting(there("--profile", "site/frontera"), True, **asks)
    assert "found: the image cpu, whose torch is a wheel" in wheel
    assert forecasting(there("--profile", "site/perlmutter"), True, **asks) == []  # built from source
    assert forecasting(None, False, backend="mpi") == []  # one rank has nobody to talk to


def test_mlflow_is_looked_for_where_jobs_run(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    where, told = there("--profile", "site/frontera"), {"mlflow": "file:/a"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (own,) = forecasting(None, False, **told)
    assert own.startswith("MLflow is to be told of losses, and is not installed")
    assert forecasting(where, True, lambda: {"mlflow"}, **told) == []
    assert forecasting(where, True, lambda: None, **told) == []  # not known: it is yet to be pulled
    (image,) = forecasting(where, True, lambda: {"torch"}, **told)
    assert image.startswith("MLflow is to be told of losses, and the image that jobs run in lacks it")


def test_ranks_on_accelerators_talk_by_nccl_too():
    for training, expected in (
        ({"ranks": 4}, "both"),
        ({"ranks": 4, "reproducible": "elastic"}, "mpi"),
        ({}, "mpi"),
        ({"ranks": 4, "device": "cpu"}, "mpi"),
    ):
        found = trainings(there("--profile", "site/perlmutter"), **training)
        forecast, river = found.config.applications()
        assert found.comm(forecast, found.config.options(forecast).training) == expected
        assert found.comm(river, found.config.options(river).training) == "mpi"


def test_another_image_of_jobs_with_accelerators_makes_them_anew():
    (one,) = there("--profile", "site/perlmutter")
    assert one.image in load_catalog().images and digest_with([one]) == one.digest
    assert digest_with([one, replace(one, digest="sha256:0")]) == f"{one.digest}, sha256:0"
    assert digest_with(there("--profile", "site/frontera")) is digest_with(None) is None
