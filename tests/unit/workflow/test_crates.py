"""Which files beside a Snakefile go with a run's crate."""

from __future__ import annotations

from deeprc.reporting.crate.sources import copy, places
from deeprc.workflow.crates import LARGEST, MOST, beside


def test_only_what_belongs_to_a_workflow_by_its_layout(tmp_path):
    """Not data, nor what else lies beside a Snakefile: that may be a home folder, with files for nobody else."""
    (tmp_path / "Snakefile").touch()
    for name in ("scripts/plot.py", "rules/own.smk", "envs/a/b.yaml", "data/large.csv", "password.txt", "scripts/.key"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "scripts" / "__pycache__").mkdir()
    (tmp_path / "scripts" / "__pycache__" / "plot.pyc").touch()
    (tmp_path / "scripts" / "link.py").symlink_to(tmp_path / "password.txt")
    with (tmp_path / "scripts" / "huge.bin").open("wb") as huge:
        huge.truncate(LARGEST + 1)
    found = [path.relative_to(tmp_path.resolve()).as_posix() for path in beside(tmp_path / "Snakefile")]
    assert found == ["rules/own.smk", "scripts/plot.py", "envs/a/b.yaml"]


def test_no_more_of_them_than_can_be_looked_through(tmp_path):
    (tmp_path / "scripts").mkdir()
    for number in range(MOST + 5):
        (tmp_path / "scripts" / f"{number:04}.py").touch()
    assert len([*beside(tmp_path / "Snakefile")]) == MOST


def test_what_is_no_text_goes_byte_by_byte(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "Snakefile").write_text("rule all: pass")
    (tmp_path / "report" / "logo.png").write_bytes(bytes(range(256)))
    placed = copy(tmp_path / "results", places(tmp_path / "Snakefile", beside(tmp_path / "Snakefile")), {})
    assert placed == ["workflow/Snakefile", "workflow/report/logo.png", "workflow/config.json"]
    assert (tmp_path / "results" / "workflow" / "report" / "logo.png").read_bytes() == bytes(range(256))
