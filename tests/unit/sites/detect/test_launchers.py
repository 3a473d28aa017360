"""Launchers, by what they print, and that of this environment."""

from pathlib import Path

import pytest

from deeprc.sites.detect import launchers


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (
            "Slurm 22.05 and later, users' notes",
            "MPI plugin types are...\n\tcray_shasta\n\tnone\n\tpmi2\n",
            ["cray", "pmi2"],
        ),
        (
            "STEllAR-GROUP/hpx#6538",
            "MPI plugin types are...\n        none\n        cray_shasta\n        pmi2\n        pmix\n"
            "specific pmix plugin versions available: pmix_v3\n",
            ["cray", "pmi2", "pmix"],
        ),
        (
            "aws-parallelcluster's test of PMIx (on standard error)",
            "srun: MPI types are...\nsrun: none\nsrun: openmpi\nsrun: pmi2\nsrun: pmix\nsrun: pmix_v3\n",
            ["orte", "pmi2", "pmix"],
        ),
        (
            "HiPerGator, users' notes",
            "srun: MPI types are...  \nsrun: pmix_v3\nsrun: pmi2\nsrun: none\nsrun: pmix_v1\n"
            "srun: pmix\nsrun: cray_shasta\n",
            ["pmix", "pmi2", "cray"],
        ),
        (
            "Biowulf, CANDLE's set-up (Slurm 16)",
            "srun: MPI types are...\nsrun: mpi/mpich1_p4\nsrun: mpi/mpichmx\nsrun: mpi/none\n"
            "srun: mpi/openmpi\nsrun: mpi/pmi2\n",
            ["orte", "pmi2"],
        ),
        ("no answer", "", []),
    ],
)
def test_what_srun_speaks(source, text, expected):
    assert launchers.parse_srun_mpi(text) == expected


@pytest.mark.parametrize("stream", [1, 2])
def test_srun_is_understood_on_either_stream(tmp_path, stream):
    program = tmp_path / "srun"
    program.write_text(
        '#!/bin/bash\n[ "$1" = --version ] && echo "slurm 20.11.9" && exit\n'
        f'printf "srun: MPI types are...\\nsrun: none\\nsrun: pmi2\\n" >&{stream}\n'
    )
    program.chmod(0o755)
    expected = launchers.LauncherProgram("srun", str(program), "20.11.9", ("pmi2",))
    assert launchers.examine(str(program)) == expected


def test_a_launcher_of_this_environment_is_known_as_one():
    (ours,) = [one for one in launchers.launchers() if one.launcher == "mpiexec-hydra"]
    assert ours.own


@pytest.mark.parametrize(
    ("path", "says", "launcher", "version"),
    [
        (
            "/x/bin/mpiexec",
            "HYDRA build details:\n    Version:                                 5.0.2\n",
            "mpiexec-hydra",
            "5.0.2",
        ),
        ("/x/bin/mpirun", "mpirun (Open MPI) 5.0.11\n\nReport bugs to", "mpirun-openmpi", "5.0.11"),
        (
            "/x/bin/mpirun",
            "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307",
            "mpirun-intelmpi",
            "2021.9",
        ),
        ("/opt/cray/pals/1.3/bin/mpiexec", "", "mpiexec-pals", None),
    ],
)
def test_launchers_by_what_they_say(path, says, launcher, version):
    found = launchers.what_it_is(path, says)
    assert (found.launcher, found.version) == (launcher, version)


def test_an_unknown_launcher_is_none():
    assert launchers.what_it_is("/x/bin/mpiexec", "my own script, version 3") is None


def test_this_environments_launcher_is_found():
    found = [one for one in launchers.launchers() if one.launcher == "mpiexec-hydra"]
    assert [Path(one.path).name for one in found] == ["mpiexec"] and found[0].version.startswith("5.")
