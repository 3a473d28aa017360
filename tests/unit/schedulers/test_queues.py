"""What batch systems call accelerators and architectures."""

import pytest

from deeprc.schedulers import queues


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu:2", [(None, 2)]),
        ("gpu:a100:4(S:0-3)", [("a100", 4)]),
        ("gpu:v100:2(S:0),gpu:a100:2(S:1)", [("v100", 2), ("a100", 2)]),
        ("gpu:a100_1g.5gb:28(S:0-1)", [("a100_1g.5gb", 28)]),
        ("craynetwork:4,gpu:nvidia_a100-sxm4-80gb:8(S:0,2),shard:16", [("nvidia_a100-sxm4-80gb", 8)]),
        ("craynetwork:4", []),
        ("gpu:0", []),
        ("gpu:a100", [("a100", None)]),
        ("gpu", [(None, None)]),
        (None, []),
    ],
)
def test_gres(text, expected):
    assert queues.parse_gres(text) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("X86_64", "x86_64"),
        ("LINUXPPC64LE", "ppc64le"),
        ("LINUX_ARM64", "aarch64"),
        ("aarch64", "aarch64"),
        ("NTX64", None),
    ],
)
def test_what_batch_systems_call_an_architecture(said, expected):
    assert queues.architecture(said) == expected
