"""Whatever `check` accepts, the later stages can do: any_file.py on one rank and on two."""

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize(("ranks", "files"), [(1, 60), (2, 20)])
def test_what_check_accepts_the_later_stages_can_do(mpirun, tmp_path, ranks, files):
    results = tmp_path / "results.json"
    done = mpirun(ranks, [Path(__file__).with_name("any_file.py"), results, files], timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(results.read_text())
    assert found["failure"] is None, found["failure"]
    # Neither is trivial: files of both kinds were drawn.
    assert min(found["accepted"], found["refused"]) > files // 5
    assert ranks > 1 or found["forecast"] >= 4
