"""Facts of a site file that cannot both be so, and launchers that there are none of: refused where they are read."""

import pytest
import yaml
from typer.testing import CliRunner

from deeprc.commands.sites import app
from deeprc.core.errors import DeepRCError
from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from deeprc.sites.hardware import PartitionQueue
from deeprc.sites.software import LauncherFact, Mpi
from samples.sites import CLUSTER, cluster


@pytest.mark.parametrize(
    ("implementation", "family", "other"),
    [("openmpi", "mpich", "openmpi"), ("hpcx", "mpich", "openmpi"), ("cray-mpich", "openmpi", "mpich")],
)
def test_an_mpi_of_another_family_than_its_own_is_refused(implementation, family, other):
    with pytest.raises(
        ValueError, match=rf"{implementation} is of the {other} family \(libmpi.so.\d+\), not of {family}"
    ):
        Mpi(implementation=implementation, family=family)
    assert Mpi(implementation=implementation, family=other).family == other
    assert Mpi(implementation=implementation, family="mpi-abi").library_name == "libmpi_abi.so.1"
    assert Mpi(implementation="aurora-mpich", family="mpich").family == "mpich"


def test_a_default_that_is_not_offered_is_refused():
    with pytest.raises(ValueError, match="default_pmi pmi1 is none of what pmi says it offers: pmix, pmi2"):
        LauncherFact(name="srun", pmi=["pmix", "pmi2"], default_pmi="pmi1")
    assert LauncherFact(name="srun", pmi=["pmix"], default_pmi="none").default_pmi == "none"
    assert LauncherFact(name="srun", default_pmi="pmi2").pmi == []


def test_a_queue_takes_some_job():
    with pytest.raises(ValueError, match="queue b takes no job: min_nodes 6, nodes 3"):
        PartitionQueue(name="b", min_nodes=6, nodes=3)


@pytest.mark.parametrize(
    "parts",
    [{"launcher": {"name": "srum"}}, {"launcher": {"name": "srun", "alternatives": ["srum"]}},
     {"partitions": [{**CLUSTER["partitions"][0], "launcher": "srum"}]}],
)  # fmt: skip
def test_the_check_of_sites_finds_launchers_that_there_are_none_of(tmp_path, parts):
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(CLUSTER | parts))
    done = CliRunner().invoke(app, ["check", str(path)])
    assert done.exit_code == 2
    assert (
        done.stderr.startswith("error: site cluster: unknown launcher 'srum'\n")
        and "did you mean 'srun'?" in done.stderr
    )


def test_a_way_that_was_not_asked_for_is_no_want_of_a_pmi():
    site = cluster(
        mpi=[{"implementation": "mpich", "version": "4.2", "family": "mpich", "bindable": False, "pmi": ["pmi2"]}]
    )
    image = load_catalog().image("cpu")
    assert compose(site, site.partition(), Layout(2), ["run"], image=image).verdict == "hybrid"
    made = compose(site, site.partition(), Layout(2), ["run"], image=image, model="bind")
    assert made.refused and "no PMI in common" not in made.reason
    assert made.reason.endswith("nor start the image's own (that way was not asked for, see --model)")


def test_an_unknown_default_pmi_is_told_with_all_that_there_are(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(CLUSTER | {"launcher": {"name": "srun", "default_pmi": "pmi17"}}))
    done = CliRunner().invoke(app, ["check", str(path)])
    assert isinstance(done.exception, DeepRCError)
    assert "key 'launcher.default_pmi': Input should be 'pmi1'" in str(done.exception)
    assert "or 'none'" in str(done.exception)
