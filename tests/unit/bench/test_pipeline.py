"""A workflow's commands without Snakemake: real processes, in the order of what comes after what."""

from pathlib import Path

import pytest

from deeprc.bench.pipeline import bare
from deeprc.core.errors import DeepRCError
from deeprc.core.threads import variables


def job(label: str, command: str, *after: int, cores: int = 1, ranks: int = 1) -> dict:
    return {
        "label": label, "command": command, "after": list(after), "cores": cores, "ranks": ranks,
        "files": [f"out/{label}", f"logs/{label}.log"],
    }  # fmt: skip


def writes(label: str, *after: int, cores: int = 1) -> dict:
    command = f"echo +{label} >> order; sleep 0.2; echo -{label} >> order; touch out/{label}"
    return job(label, command, *after, cores=cores)


def order(folder: Path) -> list[str]:
    return (folder / "order").read_text().split()


def test_one_after_another_in_the_order_of_what_comes_after_what(tmp_path: Path) -> None:
    bare.run([writes("last", 1, 2), writes("a"), writes("b", 1)], tmp_path, cores=1)
    assert order(tmp_path) == ["+a", "-a", "+b", "-b", "+last", "-last"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b", "last"]


def test_as_many_at_once_as_there_are_cores(tmp_path: Path) -> None:
    bare.run([writes("a"), writes("b"), writes("c")], tmp_path, cores=2)
    assert set(order(tmp_path)[:2]) == {"+a", "+b"}
    assert order(tmp_path)[-1] == "-c"


def test_a_job_of_more_cores_than_there_are_runs_alone(tmp_path: Path) -> None:
    bare.run([writes("a"), writes("wide", cores=8), writes("b", 1)], tmp_path, cores=2)
    assert order(tmp_path) == ["+a", "-a", "+wide", "-wide", "+b", "-b"]


def test_each_job_has_the_threads_that_a_pilots_job_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    bare.run([job("a", "env > out/a", cores=2)], tmp_path, cores=2)
    told = dict(line.partition("=")[::2] for line in (tmp_path / "out/a").read_text().splitlines())
    assert {name: value for name, value in told.items() if name.endswith("_THREADS")} == variables(2)
    assert (told["DEEPRC_RANKS"], variables(2)["OMP_NUM_THREADS"]) == ("1", "2")


def test_a_command_that_fails_ends_the_others(tmp_path: Path) -> None:
    failing = job("bad", "sleep 0.3; echo no such thing > logs/bad.log; exit 3")
    with pytest.raises(DeepRCError) as error:
        bare.run([job("long", "exec sleep 60"), failing, writes("later", 1)], tmp_path, cores=2)
    assert str(error.value) == "this job failed (exit 3): bad\n  found: no such thing"
    assert not (tmp_path / "order").exists()
