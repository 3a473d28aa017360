"""`deeprc run diff`: what two values differ in is seen, however long they are."""

import pytest

from deeprc.commands.runs import WIDEST, _shown

COMMAND = "/home/somebody/study/.venv/bin/snakemake --profile site/localhost --configfile"


@pytest.mark.parametrize(
    "old, new, shown",
    [
        (None, "3.1.6", ["(none)", "3.1.6"]),
        (1, 2.5, ["1", "2.5"]),
        (f"{COMMAND} a.yaml", f"{COMMAND} b.yaml", ["…alhost --configfile a.yaml", "…alhost --configfile b.yaml"]),
        (COMMAND, f"{COMMAND} b.yaml", ["…calhost --configfile", "…calhost --configfile b.yaml"]),
        ("x" * 70, "y" * 70, ["x" * (WIDEST - 1) + "…", "y" * (WIDEST - 1) + "…"]),
        (f"{COMMAND} a{'-' * 70}", "b", [f"{COMMAND}"[: WIDEST - 1] + "…", "b"]),
    ],
)
def test_both_of_a_difference_are_shown_from_a_little_before_it(old, new, shown):
    """The commands of two runs were shown alike: they were cut off before they differ."""
    assert _shown(old, new) == shown
    assert all(len(one) <= WIDEST for one in shown)
