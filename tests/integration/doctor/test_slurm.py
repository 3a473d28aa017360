"""Detection and the doctor on a real Slurm."""

import json
import platform
import re

import yaml

from deeprc.sites import load_site

PARTITION = {"name": "debug", "nodes": 2, "architecture": "detect", "cores": 4}
OPTIONS = ["--partition=debug", "--nodes={nodes}", "--ntasks-per-node={ranks_per_node}"]
SALLOC = ["salloc", "--quiet", "--nodes=1", "--ntasks=4", "--time=5"]


def facts(pmi):
    return {
        "name": "testbed",
        "scheduler": {"name": "slurm"},
        "launcher": {"name": "srun"} | ({"pmi": pmi} if pmi else {}),
        "partitions": [PARTITION | {"scheduler_options": OPTIONS}],
    }


def test_the_scheduler_is_detected_and_drafted(deeprc, slurm, tmp_path):
    done = deeprc("site", "detect", "--json", "--draft", tmp_path, env=slurm)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    batch = found["scheduler"]
    assert (batch["name"], batch["cluster"], batch["remark"]) == ("slurm", "deeprc", None)
    debug = {"name": "debug", "nodes": 2, "cores": 4, "memory_mb": 4194, "gres": "gpu:2"}
    debug |= {"threads": 1, "sockets": 1, "here": False, "arch": platform.machine()}
    assert (batch["queues"], batch["left_out"]) == ([debug], ["closed: it is down"])
    assert batch["default_pmi"] == "none"
    srun = next(one for one in found["launchers"] if one["launcher"] == "srun")
    assert "pmi2" in srun["pmi"] and srun["version"]
    site = load_site(tmp_path / "deeprc" / "site.yaml")
    assert (site.scheduler.name, site.launcher.name, site.partition("debug").cores) == ("slurm", "srun", 4)
    content = yaml.safe_load((tmp_path / "deeprc" / "site.yaml").read_text())
    assert "FILL IN: the architecture" not in content["partitions"][0].get("note", "")
    assert content["scheduler"]["mark"] == content["partitions"][0]["mark"] == "U"
    options = ["--site", tmp_path / "deeprc", "--ranks", 2, "--image", "none", "--checks", "world", "--json"]
    world = json.loads(deeprc("doctor", *options, env=slurm, before=SALLOC).stdout)["checks"][0]
    assert world["status"] == "ok" and " --mpi=pmi2 " in world["launch_line"], world  # the cluster's default is none
    assert (content["launcher"]["default_pmi"], content["mpi"][0]["pmi"]) == ("none", ["pmi2", "pmi1"])
    path = tmp_path / "deeprc" / "site.yaml"
    done = deeprc("doctor", "--site", path, "--image", "none", "--ranks", 2, "--checks", "world", "--json", env=slurm,
                  before=SALLOC)  # fmt: skip
    (world,) = json.loads(done.stdout)["checks"]
    assert world["status"] == "ok" and "--mpi=pmi2" in world["launch_line"], done.stdout


def test_ranks_are_a_world_through_srun(deeprc, slurm, site):
    guess = {"mark": "U", "note": "a guess"}
    told = facts(["pmi2"])
    marked = {"scheduler": told["scheduler"] | guess, "launcher": told["launcher"] | guess}
    path = site(**told | marked)
    done = deeprc(
        "doctor", "--site", path, "--ranks", 2, "--checks", "machine,world,allreduce,provider", "--json", "--confirm",
        env=slurm, before=SALLOC,
    )  # fmt: skip
    found = {(one["check"], one["subject"]): one for one in json.loads(done.stdout)["checks"]}
    assert found["world", "world size"]["status"] == "ok", done.stdout
    assert found["world", "world size"]["launch_line"].startswith("srun --nodes=1 --ntasks=2 ")
    assert found["allreduce", "MPI"]["status"] == found["provider", "MPI"]["status"] == "ok"
    assert found["machine", "architecture"]["status"] == "ok"  # seen on a node, through srun
    assert found["machine", "scheduler"]["status"] == found["machine", "PMI"]["status"] == "ok"
    assert done.returncode == 0
    confirmed = json.loads(done.stdout)["confirmed"]
    assert {"scheduler: seen (name)", "launcher: seen (pmi, name)"} <= set(confirmed), confirmed
    seen = load_site(path)
    assert (seen.scheduler.mark, seen.launcher.mark) == ("seen", "seen")
    assert (seen.launcher.name, seen.launcher.pmi) == ("srun", ["pmi2"]) and "before: U" in seen.launcher.source


def test_srun_without_pmi_is_a_world_of_one_each(deeprc, slurm, site):
    """The cluster's default is --mpi=none, as on many a machine."""
    done = deeprc("doctor", "--site", site(**facts([])), "--checks", "world", "--json", env=slurm, before=SALLOC)
    assert done.returncode == 1, done.stderr
    world = json.loads(done.stdout)["checks"][0]
    assert world["status"] == "failed"
    assert world["text"].endswith("srun offers the ranks no PMI") and "--mpi=pmi2" in world["fix"]
    advice = dict(re.findall(r"(launcher|mpi)\.pmi: \[(\w+)\]", world["fix"]))
    followed = facts([advice["launcher"]])
    followed["mpi"] = [{"implementation": "mpich", "family": "mpich", "pmi": [advice["mpi"]]}]
    done = deeprc("doctor", "--site", site(**followed), "--checks", "world", "--json", env=slurm, before=SALLOC)
    assert json.loads(done.stdout)["checks"][0]["status"] == "ok", done.stdout


def test_outside_of_a_job_the_doctor_says_how_to_get_one(deeprc, slurm, site):
    done = deeprc("doctor", "--site", site(**facts(["pmi2"])), "--checks", "world", "--json", env=slurm)
    world = json.loads(done.stdout)["checks"][0]
    assert (done.returncode, world["status"]) == (0, "not run")
    assert world["fix"].startswith("salloc --partition=debug --nodes=1 --ntasks-per-node=2, and there: deeprc doctor")
