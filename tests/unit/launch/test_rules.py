"""The rules of the launch line (design), each for made-up sites and, by random layouts, for every shipped one."""

import datetime
import shlex
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deeprc.core.errors import ConfigError
from deeprc.images.catalog import load_catalog
from deeprc.images.errors import ImageError
from deeprc.launch import Layout, Plan, compose
from deeprc.launch.choose import choose_image, choose_partition, make_layout
from deeprc.pilot.pulls import Pulls
from deeprc.sites import Site, known_sites, load_site
from samples.sites import cluster, laptop

CATALOG = load_catalog()
RUNTIMES = {"apptainer", "singularity", "podman-hpc", "shifter"}
LAUNCHERS = ("srun", "ibrun", "jsrun", "mpirun", "mpiexec")
ACTIVE = [name for name in known_sites() if load_site(name).status.state == "active"]
PUBLISHED = CATALOG.image("cpu").model_copy(
    update={"uri": "oras://registry.example.org/cpu", "digests": {"x86_64": "sha256:" + "1" * 64}}
)
ALT_READ = {
    "environment": {"FI_CXI_RDZV_PROTO": "alt_read"},
    "scheduler_options": ["--network=disable_rdzv_get"],
}
OFI = {"when": {"comm": ["ccl", "both"], "nodes": "several"}, "environment": {"NCCL_NET": "AWS Libfabric"}}


def plan(
    site: Site, *, nodes: int = 1, ranks: int | None = None, gpus: int = 0, image: str | None = None, **more
) -> Plan:
    part = site.partition()
    layout = make_layout(part, nodes=nodes, ranks=ranks, gpus=gpus)
    chosen = CATALOG.image(image) if image else choose_image(CATALOG, site, part, nodes=nodes, gpus=gpus > 0)
    return compose(site, part, layout, ["python", "-m", "stage"], image=chosen, **more)


def test_1_the_launcher_is_outside():
    made = plan(cluster(), nodes=2, ranks=16, gpus=1, image="rocm6-mpich-ofi")
    line = " ".join(made.argv)
    assert line.startswith("srun ")
    assert line.endswith(".sif python -m stage")
    assert made.argv.index("srun") < made.argv.index("apptainer") < made.argv.index("python")


def test_2_families_that_differ_are_refused():
    assert plan(cluster(), image="cuda12-openmpi-ucx").refused
    assert plan(cluster(), image="cuda12-openmpi-ucx").argv == []


def test_2_the_hosts_mpi_is_bound_where_it_is_to_replace_the_images():
    made = plan(cluster(), ranks=4, gpus=1, image="rocm6-mpich-ofi")
    assert made.verdict == "bind"
    assert made.binds == ["/opt/mpi:/opt/host-mpi:ro"]
    assert made.environment["APPTAINERENV_LD_LIBRARY_PATH"] == "/opt/host-mpi"
    assert made.environment["APPTAINERENV_MPI4PY_LIBMPI"] == "/opt/host-mpi/libmpi.so.12"


def test_2_the_own_mpi_speaks_what_the_launcher_speaks():
    made = plan(cluster(), ranks=4, image="cpu")
    assert made.verdict == "hybrid"
    assert "--mpi=pmi2" in made.argv
    assert "/opt/mpi" not in " ".join(made.argv)


def test_3_the_ofi_plugin_between_nodes_and_no_nccl_net_on_one():
    site = cluster(settings=[OFI])
    assert plan(site, nodes=2, ranks=16, gpus=1, comm="ccl").environment["NCCL_NET"] == "AWS Libfabric"
    assert "NCCL_NET" not in plan(site, ranks=8, gpus=1, comm="ccl").environment
    assert "NCCL_NET" not in plan(site, nodes=2, ranks=16, gpus=1, comm="mpi").environment


def test_3_a_site_file_cannot_set_nccl_net_for_one_node():
    with pytest.raises(ValidationError, match="NCCL_NET on Slingshot under Slurm is for `nodes: several` only"):
        cluster(settings=[{**OFI, "when": {"comm": ["ccl"]}}])


def test_3_a_plugin_that_nobody_selects_is_missed():
    made = plan(cluster(images=["rocm6-mpich-ofi"]), nodes=2, ranks=16, gpus=1, comm="ccl", image="rocm6-mpich-ofi")
    assert made.warnings == []  # the image brings it
    bare = compose(cluster(), cluster().partition(), Layout(16, 1, 1, 2), ["x"], image=None, comm="ccl")
    assert ": RCCL falls back to TCP" in bare.warnings[0]


SLINGSHOT = {"fabric": "slingshot", "description": "Slingshot-11", "provider": "cxi"}
ALONE = {"FI_CXI_RDZV_PROTO": "alt_read"}


@pytest.mark.parametrize("place", ["scheduler_options", "launcher_options"])
def test_4_the_option_wants_alt_read(place):
    with pytest.raises(ValidationError, match="comes together with FI_CXI_RDZV_PROTO=alt_read or not at all"):
        cluster(settings=[{place: ["--network=disable_rdzv_get"]}])


@pytest.mark.parametrize("place", ["environment", "container"])
@pytest.mark.parametrize("word", ["--network=disable_rdzv_get", "--disable_rdzv_get"])
def test_4_alt_read_wants_rendezvous_gets_switched_off(place, word):
    """By an option of allocation or launcher, or system-wide; where nobody has said, the plan warns."""
    alone = {place: ALONE}
    with pytest.raises(ValidationError, match="wants rendezvous gets switched off"):
        cluster(settings=[alone], interconnect={**SLINGSHOT, "rdzv_get": True})
    (warning,) = plan(cluster(settings=[alone]), ranks=2, image="rocm6-mpich-ofi").warnings
    assert warning.startswith("FI_CXI_RDZV_PROTO=alt_read hangs or fails unless rendezvous gets are switched off")
    for pair in ("scheduler_options", "launcher_options"):
        assert plan(cluster(settings=[{**alone, pair: [word]}]), ranks=2, image="rocm6-mpich-ofi").warnings == []
    off = cluster(settings=[alone], interconnect={**SLINGSHOT, "rdzv_get": False})
    assert plan(off, ranks=2, image="rocm6-mpich-ofi").warnings == []


def test_4_alt_read_and_its_option_are_both_in_the_plan():
    made = plan(cluster(settings=[ALT_READ]), ranks=2)
    assert made.environment["FI_CXI_RDZV_PROTO"] == "alt_read"
    assert made.scheduler_options == ["--network=disable_rdzv_get"]


COMPUTE_ONLY = [name for name in ACTIVE if load_site(name).runtime.where == "compute"]


@pytest.mark.parametrize("name", [*COMPUTE_ONLY, "cluster"])
def test_5_an_image_that_only_compute_nodes_can_check_is_a_tasks_to_pull(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "images"))
    where = load_site(name) if name != "cluster" else cluster(runtime={"kind": "apptainer", "where": "compute"})
    made = Pulls(where, tmp_path)
    path, kind = made.path(PUBLISHED, "x86_64"), ".sqsh" if name == "daint" else ".sif"
    assert path == tmp_path / "images" / f"cpu_x86_64_{'1' * 16}{kind}" and not path.exists()
    [task] = made.sort([], lambda: plan(where))
    script = (tmp_path / f"{task.uid}.sh").read_text().splitlines()
    place = f"env DEEPRC_IMAGES={tmp_path}/images DEEPRC_SHARED_IMAGES="
    assert script[-1].startswith(f"exec {place} {sys.prefix}/bin/deeprc image pull cpu --arch x86_64 ")
    assert ("--squashfs" in script[-1]) == (kind == ".sqsh")
    loads = [f"module {each}" if each.startswith("use ") else f"module load {each}" for each in where.runtime.modules]
    assert [line for line in script if line in loads] == loads


def test_5_where_the_runtime_is_everywhere_the_user_pulls(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_IMAGES", str(tmp_path / "images"))
    made = Pulls(cluster(), tmp_path)
    with pytest.raises(ImageError, match="is not here") as error:
        made.path(PUBLISHED, "x86_64")
    assert "deeprc image pull cpu" in error.value.fix and not made.waiting


def test_6_architecture_is_the_sites():
    arm = cluster(partition={"architecture": "aarch64"})
    assert "is aarch64" in plan(arm, gpus=1, image="rocm6-mpich-ofi").reason


def test_7_reserved_cores_come_off_before_ranks_are_placed():
    part = {"reserved_cores": [0, 8, 16, 24, 32, 40, 48, 56]}
    assert plan(cluster(partition=part), ranks=8, gpus=1).layout.cores_per_rank == 7
    with pytest.raises(ConfigError, match="64 usable cores per node: more than there are") as error:
        plan(cluster(partition=part), ranks=64)
    assert error.value.expected == "at most 56"


def test_8_a_retired_site_refuses_with_date_and_successor():
    retired = {"state": "retired", "retired": "2024-11-15", "successor": "frontier"}
    made = plan(cluster(status=retired), image="cpu")
    assert made.refused
    assert made.reason == "cluster was retired on 2024-11-15; its successor is frontier"


def test_8_retired_and_its_date_belong_together():
    with pytest.raises(ValidationError, match="a retired site has the date"):
        cluster(status={"state": "retired"})
    with pytest.raises(ValidationError, match="a retired site has the date"):
        cluster(status={"retired": datetime.date(2024, 11, 15)})


@pytest.mark.parametrize(
    ("vendor", "image", "flag"),
    [("nvidia", "cuda12-mpich-ofi", "--nv"), ("amd", "rocm6-mpich-ofi", "--rocm"), ("intel", "oneapi-mpich", None)],
)
def test_9_the_gpu_flag_is_the_vendors(vendor, image, flag):
    site = cluster(partition={"accelerator": {"vendor": vendor, "model": "x", "count": 8}})
    with_gpus = plan(site, ranks=8, gpus=1, image=image)
    assert {"--nv", "--rocm"} & set(with_gpus.argv) == ({flag} if flag else set())
    assert not {"--nv", "--rocm"} & set(plan(site, ranks=8, image=image).argv)


def test_without_an_image_the_command_stands_behind_the_launcher(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mpiexec").touch()
    site = laptop()
    made = compose(site, site.partition(), Layout(2), ["run"], environment=tmp_path)
    assert made.argv == [f"{tmp_path}/bin/mpiexec", "-np", "2", "run"]
    assert compose(site, site.partition(), Layout(1), ["run"]).argv == ["run"]


def test_accelerators_are_told_to_ranks_by_launchers_that_do_not():
    part = {
        "accelerator": {"vendor": "nvidia", "model": "A100", "count": 4, "reversed": True},
        "launcher": "mpiexec-pals",
    }
    made = plan(cluster(partition=part), ranks=4, gpus=1, image="cuda12-mpich-ofi")
    assert made.binding == [
        "bash",
        "-c",
        '[ "${PALS_LOCAL_RANKID:-4}" -lt 4 ] || '
        '{ echo "deeprc: PALS_LOCAL_RANKID=$PALS_LOCAL_RANKID, of 4 ranks on a node" >&2; exit 1; }; '
        "first=$((4 - 1 - PALS_LOCAL_RANKID * 1)); "
        'export CUDA_VISIBLE_DEVICES=$(seq -s, $first $((first + 0))); exec "$@"',
        "rank",
    ]
    assert plan(cluster(), ranks=8, gpus=1, image="rocm6-mpich-ofi").binding == []


def test_paths_of_the_containers_libraries_add_up():
    settings = [{"container": {"LD_LIBRARY_PATH": "/a"}}, {"container": {"LD_LIBRARY_PATH": "/b", "X": "1"}}]
    made = plan(cluster(settings=settings), ranks=2, gpus=1, image="rocm6-mpich-ofi")
    assert made.environment["APPTAINERENV_LD_LIBRARY_PATH"] == "/opt/host-mpi:/a:/b"
    assert made.environment["APPTAINERENV_X"] == "1"


def test_options_stay_as_they_are_written():
    """A word that comes twice belongs to two options; modules and binds come once."""
    written = {
        "launcher_options": ["--mca", "pml", "ucx", "--mca", "btl", "^tcp"],
        "scheduler_options": ["-l", "walltime=1:00", "-l", "filesystems=home"],
        "flags": ["--env", "A=1", "--env", "B=2"],
        "modules": ["ucx"],
        "binds": ["/sw"],
    }
    site = cluster(
        scheduler={"name": "pbspro", "options": ["-l", "app=x"]},
        partition={
            "scheduler_options": ["-q", "{queue}", "-l", "ncpus=128", "-l", "ngpus=8"],
            "launcher": "mpirun-openmpi",
        },
        settings=[written, {"modules": ["ucx"], "binds": ["/sw"]}],
    )
    made = plan(site, ranks=2, image="rocm6-mpich-ofi")
    assert made.launcher[-6:] == written["launcher_options"]
    assert made.scheduler_options == shlex.split(
        "-l app=x -q gpu -l ncpus=128 -l ngpus=8 -l walltime=1:00 -l filesystems=home"
    )
    assert "--env A=1 --env B=2" in " ".join(made.runtime)
    assert (made.modules, made.binds) == (["ucx"], ["/sw", "/opt/mpi:/opt/host-mpi:ro"])


@given(
    name=st.sampled_from(ACTIVE),
    number=st.integers(0, 9),
    nodes=st.integers(1, 4),
    per_node=st.integers(1, 8),
    gpus=st.integers(0, 1),
    comm=st.sampled_from(["mpi", "ccl", "both"]),
    image=st.sampled_from([None, *[each.name for each in CATALOG.images]]),
)
def test_no_plan_of_a_shipped_site_breaks_a_rule(name, number, nodes, per_node, gpus, comm, image):
    site = load_site(name)
    part = site.partitions[number % len(site.partitions)]
    nodes, per_node = min(nodes, part.nodes), min(per_node, part.usable_cores, part.gpus if gpus else per_node)
    if not per_node:
        part, per_node = choose_partition(site, 0), 1
        gpus = 0
    layout = make_layout(part, nodes=nodes, ranks=nodes * per_node, gpus=gpus)
    chosen = CATALOG.image(image) if image else choose_image(CATALOG, site, part, nodes=nodes, gpus=gpus > 0)
    made = compose(site, part, layout, ["command"], image=chosen, comm=comm)
    if made.refused:
        assert made.argv == []
        assert made.fix
        return
    inside = [word for word in made.argv if word in RUNTIMES]
    if inside:
        assert not any(word.endswith(LAUNCHERS) for word in made.argv[made.argv.index(inside[0]) :])
    options = " ".join([*made.scheduler_options, *made.launcher])
    if site.interconnect.rdzv_get is None:
        assert (made.environment.get("FI_CXI_RDZV_PROTO") == "alt_read") == ("disable_rdzv_get" in options)
    assert not any("rendezvous gets" in warning for warning in made.warnings)
    if made.verdict in ("bind", "hybrid") and chosen is not None:
        assert {mpi.family for mpi in chosen.mpi} & set(site.families)
    if nodes == 1 and site.scheduler.name == "slurm" and site.interconnect.fabric == "slingshot":
        assert "NCCL_NET" not in made.environment
    assert not {"--nv", "--rocm"} & set(made.argv) or gpus
    assert layout.ranks_per_node * layout.cores_per_rank <= part.usable_cores
    assert made.argv[-1] == "command"
