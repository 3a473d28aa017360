"""Which image runs where, and why not."""

import pytest

from deeprc.images.catalog import Image
from deeprc.launch.verdict import judge
from samples.sites import cluster, laptop

OPENMPI_HOST = {"implementation": "openmpi", "version": "5.0.6", "family": "openmpi", "pmi": ["pmix"]}


def image(family: str = "mpich", version: str = "3.4.3", pmi: tuple = ("pmi1",), **more) -> Image:
    mpi = {"implementation": family, "version": version, "family": family, "standard_abi": more.pop("standard", False)}
    mpi |= {"pmi": list(pmi), "fabrics": more.pop("fabrics", ["shm", "tcp"])}
    facts = {"name": "test", "description": "", "architectures": ["x86_64"], "mpi": [mpi, *more.pop("others", [])]}
    return Image.model_validate({**facts, "glibc": "2.36", "stages": ["frames"], "route": "wheel", **more})


def verdict(what: Image, site=None, **options):
    site = site or cluster()
    return judge(what, site, site.partition(), **options)


def test_bind_where_the_host_is_not_older():
    found = verdict(image())
    assert found.kind == "bind"
    assert found.reason == (
        "the host's cray-mpich 8.1 replaces the image's mpich 3.4.3: mpich family, libmpi.so.12, and not older"
    )


def test_no_bind_where_the_host_is_older_but_hybrid_through_a_common_pmi():
    found = verdict(image(version="5.0.2", pmi=("pmi1", "pmi2")))
    assert (found.kind, found.pmi) == ("hybrid", "pmi2")


@pytest.mark.parametrize(
    ("host", "inside", "words"),
    [
        ("5.0.2", "5.0.1", "of the same release (5.0) as the host's mpich 5.0.2"),
        ("5.0.2", "5.0.2", "not older than the host's mpich 5.0.2"),
        ("5.0", "5.0.1", "not older than the host's mpich 5.0"),
        (None, "5.0.1", "how old the host's mpich is, is not known"),
    ],
)
def test_the_reason_says_no_more_than_is_compared(host, inside, words):
    site = cluster(mpi=[{"implementation": "mpich", "version": host, "family": "mpich", "bindable": False}])
    assert verdict(image(version=inside, pmi=("pmi2",)), site).reason.endswith(f" through pmi2: {words}")


def test_bind_says_no_more_than_is_compared():
    site = cluster(mpi=[{"implementation": "mpich", "version": "5.0.1", "family": "mpich"}])
    assert verdict(image(version="5.0.2"), site).reason.endswith(", and of the same release (5.0)")


def test_hybrid_wants_a_pmi_that_both_speak():
    found = verdict(image(version="5.0.2", pmi=("pmi1",)))
    assert found.kind == "refuse"
    assert found.reason.endswith(
        ": cray-mpich 8.1 cannot be bound in (it is older), nor start the image's own (no PMI in "
        "common: srun speaks cray, pmi2, pmix to its ranks, the image pmi1)"
    )


def test_hydra_speaks_pmi1():
    site = cluster(launcher={"name": "mpirun-intelmpi", "pmi": ["pmi1"]})
    assert verdict(image(version="5.0.2", pmi=("hydra",)), site).pmi == "pmi1"


def test_hybrid_wants_a_container_that_is_not_older():
    site = cluster(mpi=[{**OPENMPI_HOST, "bindable": False}])
    assert verdict(image("openmpi", "5.0.11", ("pmix",)), site).kind == "hybrid"
    assert verdict(image("openmpi", "4.1.6", ("pmix",)), site).kind == "refuse"


@pytest.mark.parametrize(
    ("family", "hosts"), [("openmpi", None), ("mpich", [OPENMPI_HOST])], ids=["openmpi-on-mpich", "mpich-on-openmpi"]
)
def test_different_families_are_refused_and_both_are_named(family, hosts):
    site = cluster(mpi=hosts) if hosts else cluster()
    found = verdict(image(family, "5.0.6", ("pmix", "pmi2")), site)
    assert found.kind == "refuse"
    assert "libmpi.so.12" in found.reason
    assert "libmpi.so.40" in found.reason
    assert "different ABI families" in found.reason
    assert found.fix.startswith(f"take an image of the {'openmpi' if hosts else 'mpich'} family")


@pytest.mark.parametrize("layer", ["wi4mpi", "mpitrampoline"])
def test_a_layer_translates(layer):
    line = {"when": {"model": ["translate"]}, "container": {"LD_PRELOAD": "/opt/layer/lib.so"}}
    found = verdict(image("openmpi", "5.0.6", ("pmix",)), cluster(translators=[layer], settings=[line]))
    assert (found.kind, found.layer) == ("translate", layer)
    unsaid = verdict(image("openmpi", "5.0.6", ("pmix",)), cluster(translators=[layer]))
    assert unsaid.kind == "refuse" and f"({layer}: no setting says what it needs" in unsaid.reason


def test_the_standard_abi_on_both_sides_translates():
    host = {**OPENMPI_HOST, "version": "6.0", "standard_abi": True}
    assert verdict(image("mpich", "5.0.2", standard=True), cluster(mpi=[host])).layer == "mpi-abi"
    assert verdict(image("mpich", "5.0.2", standard=False), cluster(mpi=[host])).kind == "refuse"


def test_the_second_mpi_of_a_host_counts_too():
    mpich = {"implementation": "mvapich", "version": "4.1", "family": "mpich"}
    found = verdict(image(), cluster(mpi=[OPENMPI_HOST, mpich]))
    assert found.mpi.implementation == "mvapich"


def test_bound_libraries_need_a_c_library_that_is_new_enough():
    assert verdict(image(), cluster(glibc="2.36")).kind == "bind"
    found = verdict(image(), cluster(glibc="2.39"))
    assert found.kind == "refuse"
    assert "its C library 2.39 is newer than the image's 2.36" in found.reason


def test_wrong_architecture():
    found = verdict(image(), cluster(partition={"architecture": "aarch64"}))
    assert found.reason == "image test is built for x86_64; cluster, partition gpu, is aarch64"


ROCM = {"vendor": "amd", "toolkit": "rocm", "version": "6.4", "minimum_driver": "6.0", "archs": {"x86_64": ["gfx90a"]}}
CUDA = {"vendor": "nvidia", "toolkit": "cuda", "version": "12.8"}


@pytest.mark.parametrize(
    ("accelerator", "driver", "gpus", "kind"),
    [
        (ROCM, None, True, "bind"),
        (ROCM, "6.0.3", True, "bind"),
        (ROCM, "5.7", True, "refuse"),
        (ROCM, "5.7", False, "bind"),  # ranks without accelerators do not need the driver
        (None, None, True, "refuse"),
        (None, None, False, "bind"),
        ({**CUDA, "archs": {"x86_64": ["sm_80"]}}, None, True, "refuse"),
    ],
)
def test_accelerator_and_driver(accelerator, driver, gpus, kind):
    own = {"vendor": "amd", "model": "MI250X", "count": 8, "driver": driver}
    site = cluster(partition={"accelerator": own})
    assert verdict(image(accelerator=accelerator), site, gpus=gpus).kind == kind


@pytest.mark.parametrize(
    ("vendor", "codes", "arch", "runs"),
    [
        ("nvidia", ["sm_80", "sm_90"], "sm_80", True),
        ("nvidia", ["sm_80", "sm_90"], "sm_86", True),  # the same major, not smaller
        ("nvidia", ["sm_86"], "sm_80", False),
        ("nvidia", ["sm_80", "sm_90"], "sm_70", False),
        ("nvidia", ["sm_80", "sm_90"], "sm_100", False),
        ("nvidia", ["sm_100"], "sm_103", True),
        ("nvidia", ["sm_80"], None, True),  # nobody has told: no reason to refuse
        ("amd", ["gfx90a"], "gfx90a", True),
        ("amd", ["gfx90a"], "gfx908", False),
        ("intel", ["pvc"], "pvc", True),
    ],
)
def test_code_for_other_gpus_is_refused(vendor, codes, arch, runs):
    accelerator = {"vendor": vendor, "toolkit": "cuda", "version": "1.0", "archs": {"x86_64": codes}}
    site = cluster(partition={"accelerator": {"vendor": vendor, "model": "Model", "arch": arch, "count": 8}})
    found = verdict(image(accelerator=accelerator), site, gpus=True)
    assert (found.kind == "bind") == runs
    if not runs:
        assert found.reason == (
            f"image test is compiled for {', '.join(codes)}; cluster, partition gpu, has Model ({arch})"
        )
        assert found.fix == "build one for it: deeprc spack build --site cluster"
    assert verdict(image(accelerator=accelerator), site, gpus=False).kind == "bind"


def test_an_own_mpi_that_cannot_use_the_network_is_told_between_nodes_only():
    what = image(version="5.0.2", pmi=("pmi2",))
    assert verdict(what, nodes=1).warnings == []
    (warning,) = verdict(what, nodes=2).warnings
    assert warning.startswith("the MPI in image test cannot use slingshot (cxi): between nodes it falls back to TCP")
    assert verdict(image(version="5.0.2", pmi=("pmi2",), fabrics=["cxi"]), nodes=2).warnings == []


def test_only_one_way_may_be_asked_for():
    what = image(pmi=("pmi2",))
    assert verdict(what).kind == "bind"
    assert verdict(what, model="hybrid").kind == "hybrid"
    assert verdict(what, model="translate").kind == "refuse"


def test_a_site_without_a_runtime():
    assert verdict(image(), laptop()).reason == "laptop has no container runtime"


def test_pmix_under_the_name_of_parastations_plugin():
    site = cluster(launcher={"name": "srun", "pmi": ["pspmix"]}, mpi=[{**OPENMPI_HOST, "bindable": False, "pmi": []}])
    found = verdict(image("openmpi", "5.0.11", ("prrte", "pmix")), site)
    assert (found.kind, found.pmi) == ("hybrid", "pspmix")


def test_the_reason_names_the_partitions_own_launcher():
    site = cluster(partition={"launcher": "mpirun-openmpi"}, mpi=[{**OPENMPI_HOST, "bindable": False}])
    assert "by the host's mpirun-openmpi through pmix" in verdict(image("openmpi", "5.0.11", ("pmix",)), site).reason


def test_an_image_that_is_made_for_binding_is_never_started_by_its_own_mpi():
    site = cluster(mpi=[{**cluster().mpi[0].model_dump(exclude_none=True), "bindable": False}])
    found = verdict(image(pmi=("pmi2",), fabrics=[]), site)
    assert found.kind == "refuse"
    assert "its own MPI does not start without the host's libfabric" in found.reason
    assert verdict(image(pmi=("pmi2",)), site).kind == "hybrid"


SECOND = {"implementation": "openmpi", "version": "5.0.11", "family": "openmpi", "pmi": ["pmix"], "fabrics": ["tcp"]}


@pytest.mark.parametrize(
    ("host", "kind", "family"),
    [
        ({"implementation": "cray-mpich", "version": "8.1", "abi_version": "5.0", "family": "mpich"}, "bind", "mpich"),
        ({**OPENMPI_HOST, "bindable": False}, "hybrid", "openmpi"),
        (OPENMPI_HOST, "bind", "openmpi"),
    ],
)
def test_an_image_with_both_families_takes_the_hosts(host, kind, family):
    what = image(version="5.0.2", pmi=("pmi1",), others=[SECOND])
    found = verdict(what, cluster(mpi=[host]))
    assert (found.kind, found.own.family) == (kind, family)


def test_of_a_host_with_both_families_the_mpi_that_uses_the_network_is_taken():
    what = image(version="5.0.2", pmi=("pmi2",), others=[{**SECOND, "fabrics": ["cxi"]}])
    hosts = [{"implementation": "mpich", "version": "5.0", "family": "mpich", "bindable": False}, OPENMPI_HOST]
    found = verdict(what, cluster(mpi=hosts), nodes=2)
    assert (found.own.family, found.warnings) == ("openmpi", [])


def test_a_refusal_names_every_mpi_of_the_image():
    strange = {"implementation": "mpi", "version": "5", "family": "mpi-abi"}
    found = verdict(image(version="5.0.2", others=[SECOND]), cluster(mpi=[strange]))
    own = "mpich 5.0.2 (mpich family, libmpi.so.12) and openmpi 5.0.11 (openmpi family, libmpi.so.40)"
    assert f"image test holds {own}, cluster has mpi 5" in found.reason
    kin = {"implementation": "mpich", "version": "3.4", "family": "mpich"}
    found = verdict(image(version="5.0.2", pmi=("prrte",), others=[SECOND]), cluster(mpi=[kin]))
    assert f"image test holds {own}, cluster has mpich 3.4" in found.reason
