"""Small slips in site files, each of which went by without a word."""

import datetime

import pytest
import yaml
from pydantic import ValidationError

from deeprc.core.errors import ConfigError
from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from deeprc.launch.images import unknown_images
from deeprc.launch.text import as_text
from deeprc.sites import load_site
from samples.sites import CLUSTER, cluster

GPU = {"vendor": "nvidia", "model": "A100", "count": 2}


@pytest.mark.parametrize(
    ("parts", "key", "problem"),
    [
        ({"launcher": {"name": "srun", "pmi": []}}, "launcher.pmi", "an empty list says nothing"),
        ({"settings": []}, "settings", "an empty list says nothing"),
        ({"partitions": [{"name": "a", "architecture": "x86_64", "cores": 2, "accelerator": {**GPU, "order": []}}]},
         "partitions.0.accelerator.order", "an empty list says nothing"),
        ({"launcher": {"name": "srun", "pmi": ["pmix", "pmi2", "pmix"]}}, "launcher.pmi", "'pmix' stands twice"),
        ({"partitions": [{"name": "a", "architecture": "x86_64", "cores": 2, "reserved_cores": [0, 0]}]},
         "partitions.0.reserved_cores", "0 stands twice"),
        ({"images": ["cpu", "cpu"]}, "images", "'cpu' stands twice"),
    ],
)  # fmt: skip
def test_empty_and_doubled_lists_are_refused(tmp_path, parts, key, problem):
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(CLUSTER | parts))
    with pytest.raises(ConfigError) as caught:
        load_site(path)
    assert caught.value.problem == f"key {key!r}: {problem}" and caught.value.fix


def test_no_other_launcher_and_no_doubt_left_are_said_by_empty_lists(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(CLUSTER | {"launcher": {"name": "srun", "alternatives": [], "unverified": []}}))
    assert load_site(path)


def test_words_of_options_may_come_twice(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(CLUSTER | {"scheduler": {"name": "slurm", "options": ["-C", "a", "-C", "a"]}}))
    assert load_site(path).scheduler.options == ["-C", "a", "-C", "a"]


@pytest.mark.parametrize(
    ("name", "near"), [("openmp", "openmpi"), ("Cray-MPICH", "cray-mpich"), ("intelmpi", "intel-mpi")]
)
def test_an_unknown_mpi_is_told_with_the_nearest(name, near):
    with pytest.raises(ValidationError, match=rf"unknown implementation '{name}'[\s\S]*did you mean '{near}'"):
        cluster(mpi=[{"implementation": name, "family": "mpich"}])
    assert cluster(mpi=[{"implementation": name, "family": "mpi-abi"}])  # whatever has the standard's ABI


@pytest.mark.parametrize("version", ["latest", "v5.0", "", "five", "5.0 or so"])
@pytest.mark.parametrize("key", ["version", "abi_version", "glibc", "driver"])
def test_a_version_begins_with_a_number(key, version):
    with pytest.raises(ValidationError, match="should match pattern"):
        if key == "glibc":
            cluster(glibc=version)
        elif key == "driver":
            cluster(partition={"accelerator": {**GPU, "driver": version}})
        else:
            cluster(mpi=[{"implementation": "mpich", "family": "mpich", key: version}])


@pytest.mark.parametrize("version", ["5.0", "2019.4", "8.1.30", "5.0.0rc1", "4.1.5-1", "20"])
def test_versions_as_they_are(version):
    assert cluster(mpi=[{"implementation": "mpich", "family": "mpich", "version": version}], glibc=version)


@pytest.mark.parametrize("key", ["contact", "url", "description", "source", "note"])
@pytest.mark.parametrize("text", ["", "  "])
def test_a_text_says_something(key, text):
    with pytest.raises(ValidationError, match="should match pattern"):
        cluster(**{key: text})


QUEUES = [{"name": "small", "nodes": 4}, {"name": "large", "min_nodes": 16, "nodes": 64}]


@pytest.mark.parametrize("nodes", [5, 15, 65])
def test_a_job_between_the_queues_is_refused(nodes):
    """It went to the first queue, which does not take it."""
    site = cluster(partition={"queues": QUEUES})
    with pytest.raises(ConfigError) as caught:
        compose(site, site.partition(), Layout(nodes, 1, 0, nodes), [])
    assert caught.value.problem == (
        f"no queue of partition gpu takes a job of {nodes} nodes (small: 1-4, large: 16-64)"
    )
    assert not compose(site, site.partition(), Layout(4, 1, 0, 4), []).refused
    placed = compose(site, site.partition(), Layout(nodes, 1, 0, nodes), [], placed=True)
    assert not placed.refused  # the pilot has its nodes already


def test_facts_of_the_future_are_told():
    today = datetime.date(2026, 1, 1)
    launcher = CLUSTER["launcher"] | {"mark": "V", "source": "x", "date": datetime.date(2027, 5, 1)}
    site = cluster(launcher=launcher)
    made = compose(site, site.partition(), Layout(2, 1), ["run"])
    assert "facts      dated in the future: launcher\n" in as_text(made, today)
    assert made.record()["future_facts"] == ["launcher"] or datetime.date.today() >= datetime.date(2027, 4, 30)
    assert "future" not in as_text(made, datetime.date(2028, 1, 1))


def test_a_whole_partition_is_no_part_of_an_error(tmp_path):
    part = CLUSTER["partitions"][0] | {"cores": 64, "sockets": 3, "cpu": "x" * 500}
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(CLUSTER | {"partitions": [part]}))
    with pytest.raises(ConfigError) as caught:
        load_site(path)
    assert "in 3 sockets" in caught.value.problem and len(str(caught.value.found)) <= 201


@pytest.mark.parametrize(("vendor", "library"), [("nvidia", "NCCL"), ("amd", "RCCL"), ("intel", "oneCCL")])
def test_the_vendors_own_library_is_named(vendor, library):
    site = cluster(partition={"accelerator": {"vendor": vendor, "model": "x", "count": 8}})
    made = compose(site, site.partition(), Layout(16, 1, 1, 2), ["x"], comm="ccl")
    assert [line for line in made.warnings if line.endswith(f": {library} falls back to TCP")]


def test_an_image_that_there_is_none_of_is_told():
    (error,) = unknown_images(load_catalog(), cluster(images=["cpu", "rocm6-mpich-ofl"]))
    assert error.problem == "unknown image 'rocm6-mpich-ofl'" and error.fix == "did you mean 'rocm6-mpich-ofi'?"
