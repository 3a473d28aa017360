"""The lines that a run writes and the report reads: what comes back, what is cut off, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.core.errors import InputError
from deeprc.core.events import (
    EndEvent,
    EnergyEvent,
    JobEvent,
    PilotEvent,
    PullEvent,
    RunEvent,
    RunImage,
    WorkerEvent,
    line,
    read,
    record,
)
from profiles import examples

text = st.text()  # with signs that end a line for Python, and with all planes of Unicode
times = st.floats(allow_nan=False, allow_infinity=False)
words = st.lists(text, max_size=3)
by_name = st.dictionaries(text, text, max_size=3)
images = st.builds(RunImage, variant=text, digest=st.none() | text, source=st.none() | text)
places = st.lists(st.tuples(st.integers(), text), max_size=3)


@st.composite
def jobs(draw) -> JobEvent:
    event = draw(
        st.builds(
            JobEvent, time=times, job=st.integers() | text, rule=text, label=text, ranks=st.integers(), submit=times,
            argv=words, wildcards=by_name, cores_per_rank=st.integers(), command=text, image=st.none() | images,
            output=words, attempt=st.integers(), cores=st.just([]), nodes=st.just([]), start=st.none() | times,
            stop=st.none() | times, exit=st.none() | st.integers(), log=st.none() | text, input=st.none() | words,
            spent=st.dictionaries(text, times, max_size=2),
        )
    )  # fmt: skip
    cores = draw(places)
    return replace(event, cores=[core for core, _ in cores], nodes=[node for _, node in cores])


runs = st.builds(
    RunEvent, time=times, run=text, site=text, host=text, cores=st.integers(), versions=by_name, command=words
)
workers = st.builds(WorkerEvent, time=times, name=text, asked=times, began=times, warm=words, nodes=words)
pulls = st.builds(PullEvent, time=times, image=text, began=times, pilot=text)
energies = st.builds(EnergyEvent, time=times, joules=st.none() | times, of=words, why=st.none() | text)
ends = st.builds(EndEvent, time=times, left=st.integers())
pilots = st.builds(PilotEvent, time=times, cores=st.none() | st.integers())
events = st.one_of(runs, pilots, jobs(), workers, pulls, energies, ends)


@settings(max_examples=examples(60))
@given(st.lists(events, max_size=4), st.data())
def test_what_is_written_is_read_and_a_file_that_was_cut_anywhere_gives_what_is_whole(tmp_path_factory, told, data):
    file = tmp_path_factory.mktemp("events") / "events.jsonl"
    lines = [line(event).encode() + b"\n" for event in told]
    file.write_bytes(b"".join(lines))
    assert list(read(file)) == told
    cut = data.draw(st.integers(0, sum(map(len, lines))))
    file.write_bytes(b"".join(lines)[:cut])
    whole = [event for i, event in enumerate(told) if sum(map(len, lines[: i + 1])) - 1 <= cut]
    assert list(read(file)) == whole


JOB = JobEvent(time=1.0, state="finished", job=1, rule="r", label="l", ranks=1, submit=0.5, argv=["a"])


def test_a_name_that_is_not_utf8_is_written_as_python_shows_it(tmp_path):
    name = b"M\xfcller".decode(errors="surrogateescape")
    (tmp_path / "e").write_text(line(replace(JOB, label=name)) + "\n", encoding="utf-8")
    assert [event.label for event in read(tmp_path / "e")] == ["M\\udcfcller"]


def test_numbers_that_json_does_not_have_are_not_written():
    with pytest.raises(ValueError, match="JSON"):
        line(replace(JOB, start=float("nan")))


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("not JSON", "not a JSON object"),
        ("", "not a JSON object"),
        ("[1]", "not an event of a run"),
        ('{"event": "nobody"}', "not an event of a run"),
        ('{"time": 1}', "not an event of a run"),
        ({"argv": ...}, "an event 'job' without 'argv'"),
        ({"memory": 3}, "an event 'job' with the unknown field 'memory'"),
        ({"state": "done"}, "an event 'job', field 'state': Input should be 'submitted', 'finished' or 'failed'"),
        ({"time": "now"}, "an event 'job', field 'time': Input should be a valid number"),
        ({"ranks": 1.5}, "an event 'job', field 'ranks': Input should be a valid integer"),
        ({"cores": [0], "nodes": ["a", "b"]}, "an event 'job': 2 nodes for 1 cores"),
        ({"image": {"digest": "x"}}, "an event 'job' without 'image.variant'"),
        ({"start": float("inf")}, "an event 'job', field 'start': Input should be a finite number"),
    ],
)
def test_a_line_that_is_no_event_is_named(tmp_path, bad, problem):
    if isinstance(bad, dict):
        bad = json.dumps({key: value for key, value in (record(JOB) | bad).items() if value is not ...})
    file = tmp_path / "events.jsonl"
    file.write_text(f"{line(JOB)}\n{bad}\n{line(JOB)}\n")
    with pytest.raises(InputError) as caught:
        list(read(file))
    assert str(caught.value).startswith(f"{file}:2: {problem}\n")
    assert caught.value.fix


def test_a_misspelt_field_is_told_with_the_right_one(tmp_path):
    (tmp_path / "e").write_text(line(JOB).replace('"state"', '"stat"') + "\n")
    with pytest.raises(InputError, match=r"unknown field 'stat'\n(.*\n)*  expected: 'state'"):
        list(read(tmp_path / "e"))
