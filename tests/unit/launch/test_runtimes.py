"""Each runtime's exact line."""

import tomllib

import pytest

from deeprc.errors import ConfigError
from deeprc.launch.runtimes import Inside, container

BINDS = ["/scratch", "/opt/mpi:/opt/host-mpi:ro"]
VARIABLES = {"LD_LIBRARY_PATH": "/opt/host-mpi"}


def inside(image: str = "i.sif", **more) -> Inside:
    return Inside(image, binds=BINDS, variables=VARIABLES, **more)


APPTAINER_BINDS = "--bind /scratch --bind /opt/mpi:/opt/host-mpi:ro"


@pytest.mark.parametrize(
    ("kind", "what", "expected"),
    [
        ("apptainer", inside(), f"apptainer exec --no-home {APPTAINER_BINDS} i.sif"),
        ("apptainer", inside(vendor="nvidia"), f"apptainer exec --nv --no-home {APPTAINER_BINDS} i.sif"),
        ("apptainer", inside(vendor="amd"), f"apptainer exec --rocm --no-home {APPTAINER_BINDS} i.sif"),
        ("apptainer", inside(vendor="intel"), f"apptainer exec --no-home {APPTAINER_BINDS} i.sif"),
        (
            "apptainer",
            inside(flags=["--fakeroot"], shares=True, home=True, clean_environment=True),
            f"apptainer exec --fakeroot --sharens --cleanenv {APPTAINER_BINDS} i.sif",
        ),
        ("singularity", inside(shares=True), f"singularity exec --no-home {APPTAINER_BINDS} i.sif"),
        (
            "podman-hpc",
            inside("i:1", vendor="nvidia", model="bind", ccl=True, passes=["OMP_NUM_THREADS"]),
            "podman-hpc shared-run --rm --gpu --mpi --nccl --volume /scratch:/scratch "
            "--volume /opt/mpi:/opt/host-mpi:ro --env OMP_NUM_THREADS --env CUDA_VISIBLE_DEVICES "
            "--env LD_LIBRARY_PATH=/opt/host-mpi --workdir $PWD i:1",
        ),
        (
            "podman-hpc",
            inside("i:1", vendor="nvidia", model="bind", gpu_aware=True, home=True),
            "podman-hpc shared-run --rm --gpu --cuda-mpi --home --volume /scratch:/scratch "
            "--volume /opt/mpi:/opt/host-mpi:ro --env CUDA_VISIBLE_DEVICES --env LD_LIBRARY_PATH=/opt/host-mpi "
            "--workdir $PWD i:1",
        ),
        (
            "podman-hpc",
            inside("i:1", model="hybrid", family="openmpi", pmi="pmix"),
            "podman-hpc shared-run --rm --openmpi-pmix --volume /scratch:/scratch "
            "--volume /opt/mpi:/opt/host-mpi:ro --env LD_LIBRARY_PATH=/opt/host-mpi --workdir $PWD i:1",
        ),
        (
            "shifter",
            inside("i:1", vendor="nvidia", model="bind", ccl=True),
            "shifter --image=i:1 --module=gpu,mpich,nccl-plugin --volume=/scratch:/scratch "
            "--volume=/opt/mpi:/opt/host-mpi:ro --env=LD_LIBRARY_PATH=/opt/host-mpi",
        ),
        ("container-engine", inside("i.sqsh"), ""),
    ],
)
def test_line(kind, what, expected):
    assert " ".join(container(kind).wrap(what)) == expected


def test_variables_of_the_container_go_by_a_prefix_that_the_runtime_takes_off():
    assert container("apptainer").variables(inside()) == {"APPTAINERENV_LD_LIBRARY_PATH": "/opt/host-mpi"}
    assert container("singularity").variables(inside()) == {"SINGULARITYENV_LD_LIBRARY_PATH": "/opt/host-mpi"}


def test_slurm_starts_the_container_engine():
    engine, what = container("container-engine"), inside("$SCRATCH/i.sqsh", flags=["com.hooks.cxi.enabled=true"])
    [(path, text)] = engine.files(what).items()
    assert engine.launcher_options(what) == [f"--environment={path}"]
    assert path.startswith("$SCRATCH/i-") and path.endswith(".toml")
    assert tomllib.loads(text) == {
        "image": "${SCRATCH}/i.sqsh",
        "workdir": "${PWD}",
        "mounts": ["/scratch:/scratch", "/opt/mpi:/opt/host-mpi:ro"],
        "env": VARIABLES,
        "annotations": {"com": {"hooks": {"cxi": {"enabled": "true"}}}},
    }


def test_tasks_with_other_hooks_have_another_file():
    engine = container("container-engine")
    assert engine.files(inside("i.sqsh")).keys() != engine.files(inside("i.sqsh", flags=["com.x=1"])).keys()


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("apptainer", "/images/v.sif"),
        ("singularity", "/images/v.sif"),
        ("podman-hpc", "localhost/deeprc/v"),
        ("shifter", "deeprc/v:latest"),
        ("container-engine", "/images/v.sqsh"),
    ],
)
def test_what_an_image_is_called(kind, address):
    assert container(kind).address("/images", "v") == address


def test_unknown_runtime():
    with pytest.raises(ConfigError, match="unknown container runtime 'aptainer'"):
        container("aptainer")
