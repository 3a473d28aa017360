"""`srun` is told the PMI wherever it is known: for bind, hybrid and native, first in the list or not; no launcher
starts ranks that speak another one.
"""

import shlex
import sys

import pytest

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from samples.sites import cluster

CRAY = {
    "implementation": "cray-mpich", "version": "8.1", "abi_version": "3.4", "family": "mpich", "library": "/opt/mpi",
}  # fmt: skip


def plan(*, srun=("cray", "pmi2", "pmix"), mpi=("cray",), image=None, ranks=4, **launcher):
    site = cluster(launcher={"name": "srun", "pmi": list(srun), **launcher}, mpi=[{**CRAY, "pmi": list(mpi)}])
    chosen = load_catalog().image(image) if image else None
    return compose(site, site.partition(), Layout(ranks, 1), ["run"], image=chosen)


def told(made) -> list[str]:
    return [word.removeprefix("--mpi=") for word in made.launcher if word.startswith("--mpi=")]


@pytest.mark.parametrize(
    ("srun", "mpi", "expected"),
    [
        (["cray", "pmi2"], ["cray"], "cray_shasta"),
        (["pmi2", "cray"], ["cray"], "cray_shasta"),  # the list has no order
        (["cray", "pmi2", "pmix"], ["pmix"], "pmix"),
        (["pmix", "pmi2"], ["pmi2", "pmix"], "pmi2"),  # the MPI's choice is first
        (["pspmix"], ["pmix"], "pspmix"),
        (["pmi2"], ["pmi1"], "pmi2"),  # Slurm's pmi2 answers PMI-1
        (["pmi1", "pmi2"], ["pmi1"], "none"),
        ([], ["pmi2"], "pmi2"),  # what srun has is not known, what the MPI wants is
    ],
)
@pytest.mark.parametrize("image", [None, "rocm6-mpich-ofi"], ids=["native", "bind"])
def test_the_pmi_of_the_hosts_mpi(srun, mpi, expected, image):
    made = plan(srun=srun, mpi=mpi, image=image)
    assert (made.verdict, told(made)) == ("bind", [expected])


@pytest.mark.parametrize("srun", [["pmi2", "cray"], ["cray", "pmi2"]], ids=["first", "not-first"])
def test_the_pmi_of_an_image(srun):
    made = plan(srun=srun, image="cpu")
    assert (made.verdict, told(made)) == ("hybrid", ["pmi2"])


def test_srun_has_nothing_that_the_ranks_speak():
    made = plan(srun=["pmi2"], mpi=["pmix"])
    assert made.refused
    assert made.reason == (
        "srun speaks pmi2 to its ranks, the host's cray-mpich 8.1 pmix: each would be a world of its own"
    )
    assert not plan(srun=["pmi2"], mpi=["pmix"], ranks=1).refused
    bound = plan(srun=["pmi2"], mpi=["pmix"], image="rocm6-mpich-ofi")
    assert "cannot be bound in (srun speaks pmi2 to its ranks, cray-mpich 8.1 pmix)" in bound.reason


OPENMPI = {"implementation": "openmpi", "version": "5.0", "family": "openmpi"}
MPICH = {"implementation": "mpich", "version": "3.4", "family": "mpich"}


def started_by(name, speaks, mpi, *, image=None, **more):
    site = cluster(launcher={"name": name, "pmi": speaks, "program": "/opt/start"}, mpi=[mpi], **more)
    return compose(site, site.partition(), Layout(4, 1), ["run"], image=image and load_catalog().image(image))


@pytest.mark.parametrize("image", [None, "cpu"])
@pytest.mark.parametrize("bindable", [True, False])
@pytest.mark.parametrize(
    ("name", "speaks", "mpi", "ranks"),
    [
        ("mpiexec-hydra", ["pmi1", "pmi2"], OPENMPI, ["pmix"]),
        ("mpirun-intelmpi", ["pmi1"], OPENMPI, ["pmix"]),
        ("mpiexec-pals", ["pals"], OPENMPI, ["prrte", "pmix"]),
        ("jsrun", ["jsm"], OPENMPI, ["pmix"]),
        ("ibrun", ["pmi2"], OPENMPI, ["pmix"]),
        ("mpirun-openmpi", ["orte"], MPICH, ["pmi2"]),
        ("mpirun-openmpi", ["pmix"], MPICH, ["pmi2"]),
        ("mpiexec-hydra", ["pmi1", "pmi2"], {**MPICH, "implementation": "cray-mpich"}, ["cray"]),
    ],
)
def test_no_launcher_starts_ranks_that_speak_another_pmi(name, speaks, mpi, ranks, bindable, image):
    made = started_by(name, speaks, {**mpi, "pmi": ranks, "bindable": bindable}, image=image)
    starts_the_images_own = mpi["family"] == "mpich" and image == "cpu" and "pmi1" in speaks
    assert made.refused != starts_the_images_own
    if starts_the_images_own:
        assert made.verdict == "hybrid"
    else:
        assert f"{name} speaks {', '.join(speaks)} to its ranks, " in made.reason
        assert made.fix == "correct the launcher, launcher.pmi or mpi.pmi in the site file"
    if image is None:
        title = f"{mpi['implementation']} {mpi['version']}"
        assert made.reason.endswith(f"the host's {title} {', '.join(ranks)}: each would be a world of its own")


@pytest.mark.parametrize(
    ("name", "speaks", "mpi", "image", "reason"),
    [
        ("mpirun-openmpi", ["pmi2"], {**MPICH, "pmi": ["pmi2"]}, None,
         "mpirun-openmpi speaks pmix to its ranks (never pmi2, as launcher.pmi says), the host's mpich 3.4 pmi2: each"
         " would be a world of its own"),
        ("mpirun-openmpi", ["orte", "pmi2"], {**MPICH, "pmi": ["pmi2"]}, None,
         "mpirun-openmpi speaks orte to its ranks (never pmi2, as launcher.pmi says), the host's mpich 3.4 pmi2: each"
         " would be a world of its own"),
        ("mpirun-openmpi", ["pmi2"], {**MPICH, "bindable": False}, "cpu", "no PMI in common"),
        ("mpiexec-hydra", ["pmix"], {**OPENMPI, "pmi": ["pmix"]}, None, "mpiexec-hydra speaks pmi1, pmi2 to its ranks"),
        ("mpirun-intelmpi", ["cray"], {**MPICH, "implementation": "cray-mpich", "pmi": ["cray"]}, None, "(never cray"),
    ],
)  # fmt: skip
def test_the_files_word_gives_no_launcher_a_pmi_that_it_never_speaks(name, speaks, mpi, image, reason):
    made = started_by(name, speaks, mpi, image=image)
    assert made.refused and reason in made.reason


@pytest.mark.parametrize(
    ("parts", "program", "by"),
    [
        ({}, sys.prefix + "/bin/mpiexec", "Deep RC's own mpiexec-hydra"),
        ({"program": "/opt/mpich/bin/mpiexec"}, "/opt/mpich/bin/mpiexec", "the host's mpiexec-hydra"),
        ({"prefix": "/opt/mpich-4.2"}, "/opt/mpich-4.2/bin/mpiexec", "the host's mpiexec-hydra"),
        ({"modules": ["mpich/4.2"]}, "mpiexec", "the host's mpiexec-hydra"),
    ],
)
def test_line_and_verdict_tell_of_the_same_mpiexec(parts, program, by):
    own = {key: value for key, value in parts.items() if key != "program"}
    named = {"program": parts["program"]} if "program" in parts else {}
    network = {"fabric": "infiniband", "description": "HDR", "provider": "mlx5"}
    site = cluster(
        launcher={"name": "mpiexec-hydra", "pmi": ["pmi1"], **named},
        mpi=[{**MPICH, "bindable": False, **own}], interconnect=network,
    )  # fmt: skip
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu"))
    assert made.launcher[0] == program and f"is started by {by} through pmi1" in made.reason
    assert made.warnings == (
        []
        if parts
        else [
            "mpiexec is that of Deep RC's own environment: the site file has neither launcher.program nor the prefix"
            " or modules of an MPICH"
        ]
    )


def test_no_layer_is_loaded_for_ranks_that_the_launcher_does_not_speak_to():
    layer = {"translators": ["wi4mpi"], "settings": [{"when": {"model": ["translate"]}, "container": {"X": "1"}}]}
    made = started_by("mpiexec-hydra", ["pmi1"], {**OPENMPI, "pmi": ["pmix"]}, image="cpu", **layer)
    assert made.refused and "mpiexec-hydra speaks pmi1 to its ranks, openmpi 5.0 pmix" in made.reason


@pytest.mark.parametrize(
    ("name", "speaks", "mpi", "ranks", "image"),
    [
        ("mpirun-openmpi", ["orte"], OPENMPI, ["pmix"], "cpu"),  # its own, whatever it is called
        ("mpirun-openmpi", ["pmi2"], {**OPENMPI, "implementation": "hpcx"}, ["pmix"], "cpu"),
        ("mpiexec-hydra", ["pmi1"], MPICH, ["pmi2"], "cpu"),
        ("mpirun-intelmpi", ["pmi1"], {**MPICH, "implementation": "intel-mpi"}, ["pmi2"], "cpu"),
        ("ibrun", ["prrte"], OPENMPI, ["pmix"], "cpu"),  # PRRTE speaks PMIx
        ("mpiexec-pals", ["pmix"], OPENMPI, ["prrte"], "cpu"),
        ("mpiexec-pals", [], OPENMPI, ["pmix"], "cpu"),  # what it speaks is not known
        ("mpiexec-hydra", ["pmi1"], {**OPENMPI, "version": "4.1"}, [], None),
    ],
)
def test_a_launcher_starts_ranks_that_it_speaks_to_or_may(name, speaks, mpi, ranks, image):
    host = {**mpi, "pmi": ranks, "bindable": False}
    assert started_by(name, speaks, host).verdict == "bind"
    if image:
        assert started_by(name, speaks, host, image=image).verdict == "hybrid"


def test_no_pmi_by_default_and_none_known_is_told():
    assert plan(mpi=[], default_pmi="none").warnings == [
        "srun offers no PMI by itself; nobody says what ranks of cray-mpich 8.1 speak (mpi.pmi): each rank may be a"
        " world of its own, with exit code 0 (deeprc doctor counts them)"
    ]
    assert plan(mpi=[], default_pmi="cray").warnings == plan(default_pmi="none").warnings == []
    assert plan(mpi=[], default_pmi="none", ranks=1).warnings == []


PARTS = [  # launcher of the site, of the partition, host's MPI, what it speaks, image -> what nobody says, or a refusal
    ("mpiexec-pals", None, MPICH, ["pmix"], None, ["what mpiexec-pals speaks to its ranks (launcher.pmi)"]),
    ("jsrun", None, {**OPENMPI, "version": "4.1"}, [], None,
     ["what jsrun speaks to its ranks (launcher.pmi)", "what ranks of openmpi 4.1 speak (mpi.pmi)"]),
    ("mpiexec-pals", None, OPENMPI, ["pmix"], "cpu", ["what mpiexec-pals speaks to its ranks (launcher.pmi)"]),
    ("srun", None, MPICH, [], None,
     ["what srun speaks to its ranks (launcher.pmi)", "what ranks of mpich 3.4 speak (mpi.pmi)"]),
    ("srun", None, MPICH, ["pmi2"], None, []),  # it says so by itself where it has no such plugin
    ("ibrun", None, OPENMPI, ["pmix"], None, []),  # the mpiexec of the module that is loaded
    ("mpirun-openmpi", None, {**OPENMPI, "version": "4.1"}, [], None, []),  # it comes with that MPI
    ("mpiexec-hydra", None, MPICH, [], "cpu", []),
    ("mpirun-intelmpi", None, {**MPICH, "implementation": "intel-mpi"}, [], None, []),
    ("mpiexec-hydra", None, OPENMPI, ["pmix"], None,
     "mpiexec-hydra speaks pmi1, pmi2 to its ranks, the host's openmpi 5.0 pmix"),
    ("mpiexec-hydra", None, OPENMPI, [], None,
     "mpiexec-hydra speaks pmi1, pmi2 to its ranks, the host's openmpi 5.0 pmix"),
    ("mpirun-openmpi", None, MPICH, ["pmi1"], None,
     "mpirun-openmpi speaks pmix to its ranks, the host's mpich 3.4 pmi1"),
    # A partition that names another launcher says nothing of its PMI: what the site's launcher speaks is not it.
    ("mpirun-openmpi", "mpiexec-pals", OPENMPI, ["pmix"], None,
     ["what mpiexec-pals, as partition gpu names it, speaks to its ranks (launcher.pmi)"]),
    ("mpirun-openmpi", {"name": "mpiexec-pals", "pmi": ["pmix"]}, OPENMPI, ["pmix"], None, []),
    ("mpirun-openmpi", {"name": "mpiexec-pals", "pmi": ["pals"]}, OPENMPI, ["pmix"], None,
     "mpiexec-pals speaks pals to its ranks, the host's openmpi 5.0 pmix"),
]  # fmt: skip


@pytest.mark.parametrize(("of_site", "of_partition", "mpi", "ranks", "image", "told"), PARTS)
def test_what_nobody_says_is_told_and_what_cannot_be_is_refused(of_site, of_partition, mpi, ranks, image, told):
    site = cluster(
        launcher={"name": of_site, "program": "/opt/start", "pmi": ["pmix"] if of_partition else []},
        mpi=[{**mpi, "pmi": ranks, "bindable": False}],
        partition={"launcher": of_partition},
        interconnect={"fabric": "infiniband", "description": "HDR", "provider": "mlx5"},
    )
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=image and load_catalog().image(image))
    if isinstance(told, str):
        assert (made.verdict, made.reason) == ("refuse", f"{told}: each would be a world of its own")
    else:
        end = ": each rank may be a world of its own, with exit code 0 (deeprc doctor counts them)"
        assert not made.refused and made.warnings == ([f"nobody says {', nor '.join(told)}{end}"] if told else [])


def test_a_partitions_launcher_has_its_own_pmi_program_and_options():
    """One of another name shares nothing with the site's: `--mca` is no option of srun's."""
    site = cluster(
        launcher={
            "name": "mpirun-openmpi",
            "program": "/opt/mpirun",
            "options": ["--mca", "pml", "ucx"],
            "pmi": ["pmix"],
        },
        mpi=[{**OPENMPI, "pmi": ["pmi2", "pmix"], "bindable": False}],
        partition={"launcher": {"name": "srun", "pmi": ["pmi2"], "options": ["--quiet"]}},
    )
    made = compose(site, site.partition(), Layout(4, 1), ["run"])
    assert made.launcher == shlex.split(
        "srun --nodes=1 --ntasks=4 --cpus-per-task=1 --mpi=pmi2 --kill-on-bad-exit=1 --quiet --network=single_node_vni"
    )
    record = site.model_dump(exclude_unset=True)
    named = cluster(**record | {"partitions": [record["partitions"][0] | {"launcher": "srun"}]})
    made = compose(named, named.partition(), Layout(4, 1), ["run"])
    assert made.launcher[0] == "srun" and "--mca" not in made.launcher and "--quiet" not in made.launcher


@pytest.mark.parametrize(("launcher", "key"), [(None, "launcher.pmi"), ("jsrun", "partitions.launcher.pmi")])
def test_an_image_is_no_cure_where_nobody_says_what_the_launcher_speaks(launcher, key):
    """Seen at KIT's Future Technologies Partition, described from its documents: another image was advised."""
    site = cluster(
        launcher={"name": "srun"},
        mpi=[{**OPENMPI, "version": "4.1", "bindable": False}],
        partition={"launcher": launcher},
    )
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu"))
    assert made.refused and made.fix == f"say in the site file what {launcher or 'srun'} speaks to ranks ({key})"


def test_a_translated_mpi_is_started_by_its_pmi_too():
    host = {**CRAY, "implementation": "mpich", "version": "5.0", "standard_abi": True, "pmi": ["pmi2"]}
    site = cluster(launcher={"name": "srun", "pmi": ["pmi2", "pmix"]}, mpi=[host])
    image = load_catalog().image("cpu")
    image = image.model_copy(update={"mpi": [image.of_family("openmpi").model_copy(update={"standard_abi": True})]})
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=image)
    assert (made.verdict, told(made)) == ("translate", ["pmi2"])


def test_settings_for_pmix_only():
    """Slurm's PMIx needs its spool folder or the component hash; MUNGE does not answer in every container."""
    mpi = {"implementation": "openmpi", "version": "5.0", "family": "openmpi", "pmi": ["pmix"], "bindable": False}
    needs = {"when": {"pmi": ["pmix"]}, "container": {"PMIX_MCA_gds": "hash", "PMIX_MCA_psec": "^munge"}}
    site = cluster(launcher={"name": "srun", "pmi": ["pmi2", "pmix"]}, mpi=[mpi], settings=[needs])
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu"))
    assert (told(made), made.environment["APPTAINERENV_PMIX_MCA_gds"]) == (["pmix"], "hash")
    other = cluster(settings=[needs])
    made = compose(other, other.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu"))
    assert "APPTAINERENV_PMIX_MCA_gds" not in made.environment
