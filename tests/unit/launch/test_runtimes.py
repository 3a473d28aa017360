"""Each runtime's exact line."""

import tomllib

import pytest

from deeprc.core.errors import ConfigError
from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from deeprc.launch.runtimes import Inside, container
from samples.sites import cluster

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
        ("shifter", "custom:deeprc/v:latest"),
        ("container-engine", "/images/v.sqsh"),
    ],
)
def test_what_an_image_is_called(kind, address):
    assert container(kind).address("/images", "v") == address


def test_unknown_runtime():
    with pytest.raises(ConfigError, match="unknown container runtime 'aptainer'"):
        container("aptainer")


def test_the_flags_of_a_sites_own_podman_hpc():
    own = {"gpu": "--nvidia", "mpi": "--cray-mpi"}
    line = container("podman-hpc").wrap(inside("i:1", model="bind", vendor="nvidia", brings=own))
    assert line[3:5] == ["--nvidia", "--cray-mpi"]
    with pytest.raises(ConfigError, match="no flag that brings nccl into a container") as error:
        container("podman-hpc").wrap(inside("i:1", model="bind", ccl=True, brings=own))
    assert error.value.found == "runtime.brings: gpu, mpi"


@pytest.mark.parametrize("kind", ["apptainer", "podman-hpc", "shifter", "container-engine"])
def test_a_command_in_the_container_starts_each_ranks_own(kind):
    site = cluster(runtime={"kind": kind, "entry": ["/host/adapt.sh"]})
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu"))
    assert made.argv[-2:] == ["/host/adapt.sh", "run"]
    assert "/host/adapt.sh" not in compose(site, site.partition(), Layout(4, 1), ["run"]).argv  # without an image


def test_a_translator_is_in_the_line():
    """Wi4MPI is preloaded, and finds the host's MPI; mpi4py must not take the host's for its own."""
    wi4mpi = {
        "when": {"model": ["translate"]},
        "container": {"LD_PRELOAD": "/opt/wi4mpi/lib/libwi4mpi_OMPI_MPICH.so"},
        "binds": ["/opt/wi4mpi"],
    }
    site = cluster(translators=["wi4mpi"], settings=[wi4mpi])
    made = compose(site, site.partition(), Layout(4, 1, 0, 2), ["run"], image=load_catalog().image("cpu"))
    assert made.verdict == "translate"
    assert "/opt/wi4mpi" in made.runtime and "APPTAINERENV_LD_PRELOAD" in made.environment
    assert "APPTAINERENV_MPI4PY_LIBMPI" not in made.environment


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        ("apptainer", {"model": "bind", "vendor": "nvidia"}, True),
        ("apptainer", {"model": "bind", "vendor": "amd"}, True),
        ("apptainer", {"model": "bind"}, False),  # no flag, nothing is brought
        ("apptainer", {"model": "bind", "vendor": "intel"}, False),
        ("apptainer", {"model": "hybrid", "vendor": "nvidia"}, False),  # the image's own libraries are right there
        (
            "apptainer",
            {"model": "bind", "vendor": "nvidia", "variables": VARIABLES},
            False,
        ),  # then the host's win anyway
        ("singularity", {"model": "bind", "vendor": "nvidia"}, False),
    ],
)
def test_what_a_gpu_flag_brings_wins_over_the_image_where_the_hosts_mpi_is_bound(kind, more, told):
    """Apptainer 1.5 has it the other way round, unless LD_LIBRARY_PATH is set or it is told by this variable."""
    found = container(kind).variables(Inside("i.sif", **more))
    assert (found.get("APPTAINERENV_PREPEND_LD_LIBRARY_PATH") == "/.singularity.d/libs") == told
