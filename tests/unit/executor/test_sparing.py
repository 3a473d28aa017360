"""What is spared of Snakemake's work for each job leaves what its own leaves."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.io import _IOFile
from snakemake.logging import DefaultFilter, logger
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import Quietness

from made_jobs import jobs
from snakemake_executor_plugin_radical_pilot import internals, sparing

JOB = internals.job_class()
OWN_PIPES = getattr(JOB.is_pipe_or_service_input, "instead_of", JOB.is_pipe_or_service_input)
OWN_WRITE = getattr(FilePersistence._write_record, "instead_of", FilePersistence._write_record)
WRITE = sparing._write_instead(OWN_WRITE)
MARKED, NAMES = "marked", ["a", "out/b", "ä " * 40, "long/" + "x" * 400]


@pytest.fixture
def persistence(tmp_path):
    return FilePersistence(path=tmp_path / ".snakemake")


def files(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_text())
        for part in ("metadata", "incomplete")
        for path in (folder / part).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("before", ["", MARKED, "made before", "made before, marked"])
def test_a_record_is_written_as_snakemake_writes_it(tmp_path, name, before):
    left = []
    for place, write in (("own", OWN_WRITE), ("ours", WRITE)):
        there = FilePersistence(path=tmp_path / place)
        if "made" in before:
            OWN_WRITE(there, name, MetadataRecord(rule="older", params=["x" * 5000]))
            Path(there._record_path(there._metadata_path, name)).chmod(0o644)
        if MARKED in before:
            there._mark_incomplete(name, "short.1" + "x" * 1000)  # longer than what is written over it
        write(there, name, MetadataRecord(rule="short", code="touch {output}", starttime=1.5, endtime=2.25))
        there._unmark_incomplete(name)
        assert there._filter_incomplete_keys([name]) == set()
        assert there._read_record(name).rule == "short"
        left.append(files(tmp_path / place))
    assert left[0] == left[1] and len(left[0]) == 1


def test_no_file_is_made_and_removed_for_a_job(persistence, tmp_path):
    persistence._mark_incomplete("a", "short.1")
    (mark,) = (tmp_path / ".snakemake" / "incomplete").iterdir()
    number = mark.stat().st_ino
    WRITE(persistence, "a", MetadataRecord(rule="short"))
    (record,) = (tmp_path / ".snakemake" / "metadata").iterdir()
    assert record.stat().st_ino == number and not mark.exists()


def test_a_record_that_cannot_be_written_leaves_the_mark(persistence, monkeypatch):
    """A full disk, or the end of Snakemake's process in the midst of it: the file is made anew the next time."""
    persistence._mark_incomplete("a", "short.1")

    def dump(content: object, file) -> None:
        file.write('{"rule": "sh')
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sparing.json, "dump", dump)
    with pytest.raises(OSError, match="No space"):
        WRITE(persistence, "a", MetadataRecord(rule="short"))
    monkeypatch.undo()
    assert persistence._filter_incomplete_keys(["a"]) == {"a"}
    assert persistence._read_record("a") is None
    assert persistence._get_external_jobids(["a"]) == set()


PIPED = """
rule all:
    input: "joined", expand("plain-{i}", i=range(20))
rule pipe:
    output: pipe("stream")
    shell: "seq 3 > {output}"
rule from_pipe:
    input: "stream", "plain-1"
    output: "joined"
    shell: "cat {input} > {output}"
rule plain:
    output: "plain-{i}"
    resources: mem_mb=lambda wildcards: 100 + int(wildcards.i)
    shell: "touch {output}"
"""


def test_pipes_are_found_among_the_inputs_as_snakemake_finds_them(tmp_path):
    made, _ = jobs(tmp_path, PIPED)
    looked = [(job, path) for job in made for path in [*job.input, _IOFile("none", job.rule)]]
    found = [sparing.is_pipe_or_service_input(*each) for each in looked]
    assert found == [OWN_PIPES(*each) for each in looked]
    assert sum(found) == 1 and len(found) > 20


def test_all_inputs_of_a_job_are_looked_at_once():
    """Rule `all` of 16,000 files: each had been looked for at up to 16,000 jobs."""
    looks = []

    class Source:
        @property
        def pipe_or_service_output(self) -> set:
            looks.append(self)
            return set()

    job = SimpleNamespace()
    job.dag = SimpleNamespace(dependencies={})
    JobLike = type("JobLike", (), {"__hash__": object.__hash__})
    job = JobLike()
    sources = {Source(): {f"plain-{number}"} for number in range(500)}
    job.dag = SimpleNamespace(dependencies={job: sources})
    assert not any(sparing.is_pipe_or_service_input(job, f"plain-{number}") for number in range(500))
    assert len(looks) == 500
    piped = Source()
    sources[piped] = {"stream"}
    assert not sparing.is_pipe_or_service_input(job, "stream")
    assert piped in looks  # one that a checkpoint adds is seen


@pytest.mark.parametrize("tmpdir", ["", 'tmpdir="here", ', "tmpdir=lambda wildcards: wildcards.i, "])
def test_resources_are_what_snakemake_expands_them_to(tmp_path, tmpdir):
    text = PIPED.replace("resources: ", f"resources: {tmpdir}")
    for job in jobs(tmp_path, text)[0]:
        whole = job.rule.expand_resources(job.wildcards_dict, job.input, job.attempt, skip_evaluation=set())
        job._resources = job.rule.expand_resources(
            job.wildcards_dict, job.input, job.attempt, skip_evaluation={"tmpdir"}
        )  # as with a remote executor
        sparing._expand(job)
        assert [*job.resources.items()] == [*whole.items()]
        assert tmpdir or job.rule.name == "all" or job.resources.tmpdir == tempfile.gettempdir()


@pytest.mark.parametrize(
    ("quiet", "shell", "heard"),
    [
        ((), False, True),
        ((Quietness.RULES,), True, False),
        ((Quietness.ALL,), False, False),
        ((Quietness.PROGRESS, Quietness.REASON, Quietness.HOST), False, True),
    ],
)
def test_whether_anybody_hears_of_a_job(monkeypatch, quiet, shell, heard):
    handler = logging.StreamHandler()
    handler.addFilter(DefaultFilter({*quiet}, False, False, False, shell))
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    assert sparing.is_heard() == heard


def test_a_plugin_that_logs_hears_of_each_job(monkeypatch):
    quiet = logging.NullHandler()
    quiet.addFilter(DefaultFilter({Quietness.ALL}, False, False, False, False))
    monkeypatch.setattr(logger, "propagate", False)
    for other in (logging.NullHandler(), logging.NullHandler()):
        monkeypatch.setattr(logger, "handlers", [quiet, other])
        assert sparing.is_heard()
        other.addFilter(lambda record: record.of_the_plugins_own)
    monkeypatch.setattr(logger, "handlers", [quiet])
    assert not sparing.is_heard()


def test_what_snakemake_says_of_a_checkpoint_is_still_said(tmp_path):
    text = 'rule all:\n    input: "a"\ncheckpoint first:\n    output: "a"\n    shell: "touch a"\n'
    assert {job.rule.name: sparing.is_told_apart(job) for job in jobs(tmp_path, text)[0]} == {
        "first": True,
        "all": False,
    }


def test_the_records_are_json(persistence):
    persistence._mark_incomplete("a", None)
    WRITE(persistence, "a", MetadataRecord(rule="short", input=["ä"]))
    assert json.loads(Path(persistence._record_path(persistence._metadata_path, "a")).read_text())["input"] == ["ä"]
