"""A run on a site that this machine is not, or that is no more, stops before it has begun; a plan works anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilots import QUIET, WORKFLOWS
from starts import Ended, together

ELSEWHERE = {
    "frontier": ["this is not frontier", "LMOD_SYSTEM_NAME=frontier in the environment", "DEEPRC_SITE=frontier"],
    "summit": ["summit was retired on 2024-11-15", "frontier"],
    "frontire": ["unknown site 'frontire'", "did you mean 'frontier'?"],
}
IMPOSSIBLE = {
    "large.txt": ["rule too_large asks for 1000 cores, the pilot has", "1000 ranks x 1 cores"],
    "gpu.txt": ["rule accelerator asks for 1 accelerators, the pilot has 0"],
    "memory.txt": ["rule too_much_memory asks for 1000000000 MB of memory, the pilot has"],
}
PLANS = ("frontier", "summit")


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict[str, tuple[Path, Ended]]:
    """How each start has ended, in a folder of its own."""
    cases = {site: ["--radical-pilot-site", site, *QUIET, "world.txt"] for site in ELSEWHERE}
    cases |= {target: [*QUIET, target] for target in IMPOSSIBLE}
    cases |= {f"plan {site}": ["-n", "--radical-pilot-site", site, "--", "world.txt"] for site in PLANS}
    folders = {case: tmp_path_factory.mktemp("site") for case in cases}
    common = ["--snakefile", WORKFLOWS / "mpi.smk", "--executor", "radical-pilot", "--jobs", "100", "--directory"]
    found = together(*([*common, folders[case], *arguments] for case, arguments in cases.items()))
    return {case: (folders[case], one) for case, one in zip(cases, found, strict=True)}


@pytest.mark.parametrize("case", [*ELSEWHERE, *IMPOSSIBLE])
def test_a_run_that_cannot_be_stops_before_it_has_begun(ended, case):
    """On another machine; or of jobs that the pilot could never run, even where others come before them."""
    folder, done = ended[case]
    assert done.code == 1
    for text in (ELSEWHERE | IMPOSSIBLE)[case]:
        assert text in done.output
    assert "Traceback" not in done.output
    assert not (folder / ".deeprc").exists()
    assert not (folder / "world.txt").exists()


@pytest.mark.parametrize("site", PLANS)
def test_what_would_run_is_told_anywhere(ended, site):
    _, done = ended[f"plan {site}"]
    assert done.code == 0, done.output
    assert "world" in done.output
