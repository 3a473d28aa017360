"""`deeprc doctor` as users run it: real launchers, real MPIs, right and wrong ones."""

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from deeprc.sites import sites_folder

AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def checks(done):
    """The outcomes by check and subject."""
    record = json.loads(done.stdout)
    return {(one["check"], one["subject"]): one for one in record["checks"]}


def test_this_machine_is_well(deeprc):
    done = deeprc("doctor", "--site", "localhost", "--json")
    found = checks(done)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {one["status"] for one in found.values()} <= {"ok", "warning", "not run"}
    world = found["world", "world size"]
    assert (world["status"], "2 ranks on 1 node are one world (mpich" in world["text"]) == ("ok", True)
    assert " -np 2 " in world["launch_line"] and "/bin/mpiexec" in world["launch_line"]
    speed = found["allreduce", "MPI"]["figures"]
    assert [row["bytes"] for row in speed] == [8, 64, 1024, 8192, 65536, 524288, 4194304]
    assert all(row["allreduce_us"] > 0 and row["message_mb_s"] > 0 for row in speed[1:])
    assert speed[-1]["allreduce_us"] > speed[1]["allreduce_us"]  # 65,536 times as much data
    assert found["provider", "MPI"]["text"].startswith("UCX ") and found["provider", "MPI"]["status"] == "ok"
    gloo = found["torch", "torch gloo"]
    assert gloo["status"] == "ok" and len(gloo["figures"]) == 7


def test_the_table_is_for_people(deeprc):
    done = deeprc("doctor", "--site", "localhost", "--checks", "world")
    assert done.returncode == 0
    assert "world size" in done.stdout and "1 ok" in done.stdout and "launch line: " in done.stdout


def test_mpich_ranks_under_open_mpis_launcher(deeprc, site, openmpi):
    launcher = {"name": "mpirun-openmpi", "program": str(openmpi / "bin/mpirun"), "alternatives": ["mpiexec-hydra"]}
    done = deeprc("doctor", "--site", site(launcher=launcher), "--checks", "world", "--json", env=AS_ROOT)
    found = checks(done)
    assert done.returncode == 1
    assert found["world", "world size"]["status"] == "failed"  # before anything starts
    assert "mpirun-openmpi speaks pmix to its ranks, the host's mpich 5.0 pmi1" in found["world", "world size"]["text"]
    path = site(launcher=launcher | {"alternatives": []}, mpi=[{"implementation": "mpich", "family": "mpich"}])
    started = checks(deeprc("doctor", "--site", path, "--checks", "world", "--json", env=AS_ROOT))[
        "world", "world size"
    ]
    assert started["status"] == "failed" and "launcher speaks PMIx" in started["text"]
    other = found["world", "by mpiexec-hydra"]
    assert (other["status"], other["fix"]) == ("ok", "set launcher.name to mpiexec-hydra in the site file")


def test_open_mpis_library_under_hydra_is_a_world_of_one_each(deeprc, openmpi):
    wrong = {"MPI4PY_LIBMPI": str(openmpi / "lib/libmpi.so.40")}
    done = deeprc("doctor", "--site", "localhost", "--checks", "world,allreduce,torch", "--json", env=wrong)
    found = checks(done)
    assert done.returncode == 1
    world = found["world", "world size"]
    assert world["status"] == "failed"
    assert world["text"].startswith("2 worlds of one rank instead of one of 2, and exit code 0")
    assert "PMI-1 or PMI-2" in world["text"] and "(openmpi 5" in world["text"] and "wants PMIx" in world["text"]
    assert found["allreduce", "MPI"]["status"] == "not run"
    assert found["torch", "torch gloo"]["status"] == "failed"


def test_open_mpi_as_a_whole_is_well(deeprc, site, openmpi):
    launcher = {"name": "mpirun-openmpi", "program": str(openmpi / "bin/mpirun")}
    path = site(launcher=launcher, mpi=[{"implementation": "openmpi", "version": "5.0", "family": "openmpi"}])
    right = AS_ROOT | {"MPI4PY_LIBMPI": str(openmpi / "lib/libmpi.so.40")}
    done = deeprc("doctor", "--site", path, "--checks", "world,provider", "--json", env=right)
    assert done.returncode == 0, done.stdout + done.stderr
    provider = checks(done)["provider", "MPI"]
    assert provider["status"] == "ok" and "shared memory" in provider["text"]


def test_tcp_in_place_of_shared_memory_is_a_failure(deeprc):
    env = {"UCX_TLS": "tcp,self"}
    done = deeprc("doctor", "--site", "localhost", "--checks", "provider", "--json", env=env)
    assert done.returncode == 1
    assert "ranks of one node talk through TCP (UCX tcp)" in checks(done)["provider", "MPI"]["text"]


def test_tcp_in_place_of_the_sites_network_is_a_failure(deeprc, site):
    path = site(interconnect={"fabric": "slingshot", "description": "Slingshot", "provider": "cxi"})
    env = {"MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp"}
    done = deeprc("doctor", "--site", path, "--checks", "provider", "--json", env=env)
    assert done.returncode == 1
    text = checks(done)["provider", "MPI"]["text"]
    assert text.startswith("fallback to TCP (libfabric tcp) where the site file names cxi: 12 to 34 times slower")


def test_ranks_that_hang_are_ended(deeprc, site, tmp_path):
    """Real ranks under the real Hydra, which never begin to talk."""
    mark = f"hang-{os.getpid()}"
    program = tmp_path / "mpiexec"
    hydra = Path(sys.executable).parent / "mpiexec"
    program.write_text(f'#!/bin/bash\nexec {hydra} -np 2 bash -c "exec -a {mark} sleep 300"\n')
    program.chmod(0o755)
    path = site(launcher={"name": "mpiexec-hydra", "program": str(program)})
    began = time.monotonic()
    done = deeprc("doctor", "--site", path, "--checks", "world", "--timeout", "3", "--json")
    assert done.returncode == 1 and time.monotonic() - began < 60
    assert "it hung, and was ended after" in checks(done)["world", "world size"]["text"]
    assert not [one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [""])[0] == mark]


def test_the_wrong_machine_is_told_and_nothing_is_started(deeprc, site):
    path = site(name="elsewhere", identity={"environment": {"NOWHERE_NAME": "elsewhere"}})
    done = deeprc("doctor", "--site", path, "--json")
    found = checks(done)
    assert done.returncode == 1
    assert "looked for NOWHERE_NAME=elsewhere in the environment" in found["machine", "identity"]["text"]
    assert found["world", "world size"]["status"] == "not run"
    chosen = deeprc("doctor", "--site", path, "--checks", "world", "--json", env={"DEEPRC_SITE": "elsewhere"})
    assert chosen.returncode == 0, chosen.stdout + chosen.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--checks", "wrld"], "did you mean 'world'?"),
        (["--nodes", "2"], "at most 1"),
        (["--site", "localhots"], "did you mean 'localhost'?"),
        (["--image", "nothing-of-the-kind"], "nothing-of-the-kind"),
    ],
)
def test_bad_usage(deeprc, options, words):
    done = deeprc("doctor", *(options if "--site" in options else ["--site", "localhost", *options]))
    assert done.returncode == 2
    assert words in done.stderr


def test_a_broken_site_file_is_no_reason_not_to_know_this_machine(deeprc, tmp_path):
    for name, text in (("localhost", (sites_folder() / "localhost/site.yaml").read_text()), ("broken", "name: [")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "site.yaml").write_text(text)
    env = {"DEEPRC_SITES": str(tmp_path)}
    found = deeprc("site", "detect", env=env)
    assert found.returncode == 0 and "(every machine is localhost)" in found.stdout
    assert "left out, since its file cannot be used" in found.stdout and "broken/site.yaml" in found.stdout
    assert deeprc("doctor", "--checks", "machine", env=env).returncode == 0
