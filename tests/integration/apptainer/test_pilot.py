"""The pipelines in their image, as on a new cluster: build, sign, push, delete, pull, verify, run through the pilot."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from ast import literal_eval
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

import pilots
from deeprc.cluster.standing import DEFAULT
from deeprc.core.files import read_json
from deeprc.images.store import Store
from slurm_cluster import private_cluster
from starts import Ended, together

pytestmark = [pytest.mark.requires("apptainer"), pytest.mark.requires("registry"), pytest.mark.timeout(1500)]
ROOT = Path(__file__).resolve().parents[3]
MACHINE = platform.machine()
SMALL = {"forecasting": {"models": ["NHITS"], "steps": 20}, "hydrology": {"epochs": 1}}
PREPARE, LEARN = ("forecasting_prepare", "hydrology_prepare"), ("forecasting_train", "forecasting_predict")
METRICS = [f"results/{pipeline}/metrics.json" for pipeline in SMALL]
OPENMPI = {"implementation": "openmpi", "version": "5.0", "family": "openmpi", "bindable": False, "pmi": ["pmix"]}
# What PMIx of Slurm's needs in containers: docs/launch.md.
PMIX = {"when": {"pmi": ["pmix"]}, "container": {"PMIX_MCA_gds": "hash", "PMIX_MCA_psec": "^munge"}}
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def options(folder: Path, site: str, *arguments: str, ranks: int = 1) -> list[str]:
    folder.mkdir(exist_ok=True)
    training = {"ranks": ranks, "reproducible": "elastic"}
    forecasting = {**SMALL["forecasting"], "training": training} | ({"ranks": ranks} if ranks > 2 else {})
    settings = {**SMALL, "forecasting": forecasting}
    (folder / "small.yaml").write_text(yaml.safe_dump(settings))
    begin = ["--profile", f"site/{site}", "--directory", str(folder), "--configfile", str(folder / "small.yaml")]
    return [*begin, *arguments]


def begin(folder: Path, site: str, *arguments: str, ranks: int = 1, **environment: str) -> subprocess.Popen:
    program = str(Path(sys.executable).parent / "snakemake")
    return subprocess.Popen(
        [program, *options(folder, site, *arguments, ranks=ranks)], cwd=ROOT, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PWD": str(ROOT), **environment},
    )  # fmt: skip


def without_jobs(folder: Path, *arguments: str, **environment: str) -> Ended:
    """How a start ends that runs none of the jobs."""
    (done,) = together(options(folder, "localhost-apptainer", *arguments), **environment)
    return done


def end(process: subprocess.Popen) -> str:
    try:
        output, _ = process.communicate(timeout=900)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output


def snakemake(*arguments: str | Path, **environment: str) -> str:
    return end(begin(*arguments, **environment))


@pytest.fixture(scope="module")
def pulled(publication, key, tmp_path_factory):
    """The image as a user of a new cluster has it: pulled by the catalog's digest, verified."""
    folder = tmp_path_factory.mktemp("cluster")
    user = Store(folder / "user", [])
    environment = {"DEEPRC_CATALOG": str(publication.catalog), "DEEPRC_IMAGES": str(user.folder)}

    program = "import sys; from deeprc.commands.image import app; sys.argv[0] = 'image'; app()"
    command = [sys.executable, "-c", program, "pull", "--site", "localhost-apptainer"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0 and f"signed with {key.fingerprint}" in done.stdout, done.stderr
    [held] = user.held()
    yield environment, held
    shutil.rmtree(folder)


def check_lines(run: Path, held, several: tuple[str, ...], launcher: str, *words: str) -> None:
    """Every stage ran in that very file; these on two ranks, by this launcher with these words before the container."""
    ended = (job for job in pilots.events(run) if job["event"] == "job" and job["state"] == "finished")
    lines = {job["rule"]: job["argv"] for job in ended if job.get("argv")}
    assert {*several} <= {*lines} and all(str(held.path) in line for line in lines.values()), lines
    for rule in several:
        outside = lines[rule][: lines[rule].index("apptainer")]
        assert Path(outside[0]).name == launcher and {*words} <= {*outside}, lines[rule]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("run")


def test_both_pipelines_give_in_the_image_what_they_give_outside(pulled, folder):
    environment, held = pulled
    both = begin(folder / "inside", "localhost-apptainer", **environment), begin(folder / "outside", "localhost")
    for process in both:
        end(process)
    inside, outside = (read_json(folder / name / "results" / "metrics.json") for name in ("inside", "outside"))
    assert set(inside["forecasting"]["models"]) == set(SMALL["forecasting"]["models"])
    assert inside["forecasting"] == outside["forecasting"] and inside["hydrology"] == outside["hydrology"]
    # Every stage that the pilot ran was in that very file, and the launcher of several ranks outside of it.
    check_lines(folder / "inside", held, PREPARE, "mpiexec", "-np", "2")
    [image] = read_json(folder / "inside" / "results" / "run.json")["images"]
    assert image["variant"] == held.name and image["digest"] == held.digest and image["source"] == held.source
    assert f"{held.name} (" in (folder / "inside" / "results" / "report.html").read_text()


@pytest.mark.requires("slurm")
@pytest.mark.requires("pmix")
def test_both_pipelines_give_the_same_under_any_launcher(pulled, folder, openmpi):
    """In the one image: Open MPI's mpiexec, and Slurm's srun for a pilot that has waited in the queue.

    With Open MPI the model is trained on two ranks, above on one: elastic training has the same bits.
    """
    environment, held = pulled
    environment = {**environment, **AS_ROOT, "DEEPRC_ADDRESS": "127.0.0.1"}
    here = yaml.safe_load((ROOT / "site-configs/localhost-apptainer/site.yaml").read_text()) | {"mpi": [OPENMPI]}
    with private_cluster(nodes=1, cores=2, gpus=0) as cluster:  # its PMIx does not start on two that are one machine
        part = {"name": "debug", "nodes": 1, "architecture": "detect", "cores": 2, "memory_mb": 4000}
        sites = {
            "openmpi": {"launcher": {"name": "mpirun-openmpi", "program": f"{openmpi}/bin/mpiexec", "pmi": ["pmix"]}},
            "srun": {
                "identity": {"environment": cluster.environment}, "scheduler": {"name": "slurm"}, "partitions": [part],
                "launcher": {"name": "srun", "pmi": ["pmi2", "pmix"], "default_pmi": "none"}, "settings": [PMIX],
            },
        }  # fmt: skip
        runs = []
        for name, facts in sites.items():
            site = folder / f"{name}.yaml"
            site.write_text(yaml.safe_dump({**here, "name": name, **facts}))
            chosen = ["--radical-pilot-site", str(site)]
            chosen += ["--radical-pilot-nodes", "1", "--radical-pilot-runtime", "15"] if name == "srun" else []
            chosen += ["--", *METRICS]
            more = {**environment, **cluster.environment}
            runs.append(begin(folder / name, "localhost-apptainer", *chosen, ranks=1 + (name == "openmpi"), **more))
        for run in runs:
            end(run)
    for metrics in METRICS:
        first, *others = ((folder / name / metrics).read_bytes() for name in ("inside", *sites))
        assert others == [first, first]
    check_lines(folder / "openmpi", held, (*PREPARE, *LEARN), "mpiexec", "-np", "2", "--map-by")
    check_lines(folder / "srun", held, PREPARE, "srun", "--ntasks=2", "--mpi=pmix")


@pytest.mark.requires("slurm")
def test_forecasting_on_two_nodes_goes_on_where_one_dies(pulled, folder):
    """Two ranks on each, of three nodes; the training has begun when a slurmd is killed. The figures are localhost's,
    where one rank has trained, and nothing is left of the cluster.
    """
    environment, held = pulled
    run = folder / "cluster"
    with private_cluster(**asdict(DEFAULT)) as cluster:
        there = {**environment, **cluster.environment, "DEEPRC_ADDRESS": "127.0.0.1", "DEEPRC_SITE": "cluster-local"}
        chosen = ["--radical-pilot-image", "cpu", "--", METRICS[0]]
        process = begin(run, "cluster-local", *chosen, ranks=4, **there)
        try:
            pilots.wait_for(lambda: [*run.glob(".deeprc/runs/*/jobs/forecasting_train.*/started")], 600)
            cluster.kill("slurmd-node2")
            told = end(process)
        finally:
            process.kill()
    assert not cluster.folder.exists() and pilots.survivors(cluster.folder) == {}
    assert "a node failed; node2 is down (Not responding)): taking another one for " in told, told
    assert "without node2\n" in told, told
    assert (run / METRICS[0]).read_bytes() == (folder / "outside" / METRICS[0]).read_bytes()
    two = ["--nodes=2", "--ntasks=4", "--ntasks-per-node=2"]
    check_lines(run, held, (PREPARE[0], *LEARN), "srun", *two, "--mpi=pmi2")
    ended = [each for each in pilots.events(run) if each["event"] == "job" and each["state"] == "finished"]
    nodes = {each["rule"]: {*each["nodes"]} for each in ended}
    assert nodes[PREPARE[0]] == {"node1", "node2"} and nodes[LEARN[1]] == {"node1", "node3"}


def test_another_digest_has_all_made_anew(pulled, folder, tmp_path):
    environment, held = pulled
    assert "Nothing to be done" in without_jobs(folder / "inside", "-n", **environment).output
    text = Path(environment["DEEPRC_CATALOG"]).read_text().replace(held.digest, "sha256:" + "1" * 64)
    (tmp_path / "catalog.yaml").write_text(text)
    other = {**environment, "DEEPRC_CATALOG": str(tmp_path / "catalog.yaml")}
    said = without_jobs(folder / "inside", "-n", **other).output
    for pipeline in ("forecasting", "hydrology"):
        assert re.search(rf"{pipeline}_prepare +1  the image is another one", said)
        assert re.search(rf"{pipeline}_predict +\d+  follows from the above", said)


def test_an_image_that_is_missing_is_told_before_anything_starts(pulled, folder, tmp_path):
    environment, _ = pulled
    refused = without_jobs(tmp_path / "new", **{**environment, "DEEPRC_IMAGES": str(tmp_path / "none")})
    assert refused.code and "is not here" in refused.output and "deeprc image pull cpu" in refused.output
    assert not (tmp_path / "new" / "results" / "data").exists()


def test_ranks_warm_jobs_and_data_in_the_image(pulled, tmp_path, monkeypatch):
    """Data outside of the working directory are seen, variables of the host are not; warm jobs cost no container: those
    of two ranks run in the ranks of one gang, which are in the image.
    """
    environment, _ = pulled
    (ROOT / ".cache").mkdir(exist_ok=True)
    elsewhere = Path(tempfile.mkdtemp(prefix="data-", dir=ROOT / ".cache"))  # containers see temporary folders anyway
    (elsewhere / "table.csv").write_text("mine\n")
    monkeypatch.setenv("MY_SECRET", "s")
    folder = tmp_path / "run"
    try:
        arguments = ["--snakefile", str(Path(__file__).with_name("inside.smk"))]
        snakemake(
            folder, "localhost-apptainer", *arguments, "--config", f"data={elsewhere}/table.csv",
            "--radical-pilot-keep", **environment,
        )  # fmt: skip
    finally:
        shutil.rmtree(elsewhere)
    assert (folder / "world").read_text() == "2"
    assert (folder / "data").read_text().splitlines()[0] == "mine" and len((folder / "data").read_text().split()) == 2
    assert {(folder / f"warm.{number}").read_text() for number in range(4)} == {"True /usr\n"}
    seen = (folder / "environment").read_text()
    assert "APPTAINER_CONTAINER=" in seen and "MY_SECRET" not in seen and "PYTHONPATH=" not in seen
    [run] = (folder / ".deeprc" / "runs").iterdir()
    for script in [*(run / "jobs").glob("warm.*/*.sh"), *(run / "jobs").glob("gang.*/*.sh")]:
        assert "apptainer exec" not in script.read_text()
    [ranks] = {(folder / f"gang.{number}").read_text() for number in range(3)}  # the very processes
    (first, *rest), (second, *others) = literal_eval(ranks)
    assert first != second and rest == others == ["/usr", True]
    [gang] = run.glob("pilot-1/tasks/gang.*/gang.sh")
    assert "apptainer exec" in gang.read_text()
