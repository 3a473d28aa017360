"""What a plan tells of facts that nobody has verified."""

from deeprc.launch import Layout, compose
from samples.sites import CLUSTER, cluster

UNSURE = {"mark": "U", "note": "nobody knows", "environment": {"A": "1"}}


def doubts(site, layout: Layout, **more) -> list[str]:
    return compose(site, site.partition(), layout, ["run"], **more).doubts


def test_only_settings_that_the_task_gets_are_doubted():
    site = cluster(settings=[{**UNSURE, "description": "NCCL", "when": {"comm": ["ccl"], "nodes": "several"}}])
    assert doubts(site, Layout(16, 1, 1, 2), comm="ccl") == ["settings.NCCL: [U] nobody knows"]
    assert doubts(site, Layout(8, 1, 1, 1), comm="ccl") == []
    assert doubts(site, Layout(16, 1, 1, 2)) == []


def test_only_the_tasks_own_partition_is_doubted():
    other = {**CLUSTER["partitions"][0], "name": "other", "mark": "!", "note": "two say 64, one 128"}
    site = cluster(partitions=[CLUSTER["partitions"][0], other])
    assert doubts(site, Layout(2)) == []
    assert compose(site, site.partition("other"), Layout(2), ["run"]).doubts == [
        "partitions.other: [!] two say 64, one 128"
    ]


def test_values_are_told_in_words():
    unread = ["nics", "accelerator", "scheduler_options", "nodes"]
    site = cluster(
        partition={
            "unverified": unread,
            "nics": {"count": 2, "model": "NDR", "gbit": 400},
            "scheduler_options": ["--partition=gpu", "--nodes={nodes}"],
        }
    )
    assert doubts(site, Layout(2)) == [
        "partitions.gpu: [U] nics = count: 2, model: NDR, gbit: 400",
        "partitions.gpu: [U] accelerator = vendor: amd, model: MI250X, arch: gfx90a, count: 8",
        "partitions.gpu: [U] scheduler_options = --partition=gpu --nodes={nodes}",
        "partitions.gpu: [U] nodes = 100",
    ]
