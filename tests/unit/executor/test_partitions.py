from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.sites import load_site
from snakemake_executor_plugin_radical_pilot import partitions
from snakemake_executor_plugin_radical_pilot.partitions import NodeKind, best, chosen, needed, score
from snakemake_executor_plugin_radical_pilot.resources import Request
from snakemake_executor_plugin_radical_pilot.shapes import read

CPU, FAT, GPU = (
    NodeKind("cpu", 64, 0, 256_000, 100),
    NodeKind("fat", 128, 0, 2_000_000, 2),
    NodeKind("gpu", 64, 4, 512_000, 20),
)
KINDS = [GPU, CPU, FAT]


@pytest.mark.parametrize(
    ("asked", "name", "nodes"),
    [
        (Request(), "cpu", 1),
        (Request(128, 1), "fat", 1),  # one node instead of two
        (Request(128, 1, 0, 0), "fat", 1),
        (Request(64 * 3, 1), "fat", 2),
        (Request(64 * 5, 1), "cpu", 5),
        (Request(1, 1, 0, 1_000_000), "fat", 1),
        (Request(1, 1, 1), "gpu", 1),
        (Request(8, 1, 1), "gpu", 2),
        (Request(2, 1, nodes=2), "cpu", 2),
        (Request(1, 1, 8), None, None),
        (Request(1, 256), None, None),
        (Request(64 * 101, 1), None, None),
        (Request(1, 1, 0, 3_000_000), None, None),
        (Request(1, 1, 1, 400_000), "gpu", 1),
    ],
)
def test_the_partition_for_a_job(asked, name, nodes):
    found = best(asked, KINDS)
    assert (found and (KINDS[found[0]].name, found[1])) == (name and (name, nodes))


def test_of_nodes_alike_the_fuller_one_is_better():
    assert score(Request(1, 32), CPU, 1) == 0.5
    assert score(Request(1, 32), FAT, 1) == 0.25
    assert score(Request(4, 16, 1, 512_000), GPU, 1) == 3.0


REQUESTS = st.builds(
    Request, st.integers(1, 300), st.integers(1, 130), st.integers(0, 5), st.integers(0, 3_000_000),
    nodes=st.integers(0, 9),
)  # fmt: skip


@given(REQUESTS)
def test_no_job_goes_where_it_has_no_room(asked):
    found = best(asked, KINDS)
    if found is None:
        assert all(needed(asked, kind) is None for kind in KINDS)
        return
    kind, nodes = KINDS[found[0]], found[1]
    assert 1 <= nodes <= kind.nodes
    assert asked.cores <= nodes * kind.cores
    assert asked.gpus <= nodes * kind.gpus
    assert asked.memory_mb <= nodes * kind.memory_mb
    if kind is GPU and not asked.gpus:
        assert needed(asked, CPU) is None and needed(asked, FAT) is None


@pytest.mark.parametrize(
    ("word", "asked", "made"),
    [
        ("auto", [Request(4, 4)], [("compute", 1, None, None)]),
        ("auto,cores=4", [Request(4, 4)], [("compute", 4, 4, None)]),
        ("auto,gpus=1", [Request(4, 4), Request(2, 1, 1)], [("compute", 1, None, None), ("gpu", 2, None, 1)]),
    ],
)
def test_partitions_are_chosen_by_what_is_taken_of_a_node(monkeypatch, word, asked, made):
    monkeypatch.setattr(partitions, "_requests", lambda jobs: [("a", each) for each in asked])
    settings = SimpleNamespace(partition=None, cores=None, gpus=None, nodes=1)
    shapes = chosen(read([word]).shapes[0], load_site("expanse"), settings, [])
    assert [(each.partition, each.nodes, each.cores, each.gpus) for each in shapes] == made
