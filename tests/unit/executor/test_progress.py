import json
import os
import stat
from dataclasses import replace

import pytest

from deeprc.core.events import JobEvent, PilotEvent, RunEvent, record
from deeprc.core.masking import Masker
from snakemake_executor_plugin_radical_pilot.events import Events
from snakemake_executor_plugin_radical_pilot.progress import Progress


def test_lines(capsys):
    progress = Progress(lambda: 12)
    progress.finished("train NHITS", 7.06, running=2)
    progress.finished("group g", 0.5, running=0, jobs=9)
    progress.failed("train GRU", "exit code 1", ["one", "two"], "logs/gru.log")
    progress.heartbeat([("a", 31.0), ("b", 2.0), ("c", 2.0), ("d", 1.0), ("e", 1.0)], 3)
    progress.heartbeat([], 3)
    assert capsys.readouterr().err == (
        "[ 0:00]  1/12 done · 2 running · finished: train NHITS (7.1 s)\n"
        "[ 0:00] 10/12 done · 0 running · finished: group g (0.5 s)\n"
        "[ 0:00] FAILED: train GRU (exit code 1)\n"
        "  | one\n"
        "  | two\n"
        "  log: logs/gru.log\n"
        "[ 0:00] running: a (31 s), b (2 s), c (2 s), d (1 s) and 1 more · 3 waiting\n"
        "[ 0:00] running: nothing · 3 waiting\n"
    )


def test_a_terminal_has_a_line_that_is_kept_up_to_date(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = Progress(lambda: 2)
    progress.failed("a", "exit code 1", [], "log")
    progress.status(1, 7, "2 of 4 cores")
    progress.status(1, 7, "2 of 4 cores")  # at most twice a second
    progress.say("more")
    assert capsys.readouterr().err == (
        "\r\x1b[2K[ 0:00] FAILED: a (exit code 1)\n  log: log\n"
        "\r\x1b[2K[ 0:00] 1 running · 7 waiting · 0 done · 1 failed · 2 of 4 cores\r"
        "\r\x1b[2K[ 0:00] more\n"
    )


def test_silence_is_measured_from_the_last_line(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress(lambda: 1)
    now += 29
    assert not progress.silent
    progress.say("a line")
    now += 29
    assert not progress.silent
    now += 2
    assert progress.silent


def test_events_are_json_lines_that_are_there_at_once(tmp_path):
    events = Events(tmp_path / "run" / "events.jsonl")
    events.write(PilotEvent(time=1.0, state="active", pilot="pilot-1", cores=2))
    told = JobEvent(time=2.0, state="submitted", job=1, rule="r", label="µ", ranks=1, submit=2.0, argv=["a"])
    events.write(told)
    first, second = map(json.loads, (tmp_path / "run" / "events.jsonl").read_text().splitlines())
    assert first == {
        "event": "pilot", "time": 1.0, "state": "active", "pilot": "pilot-1", "partition": "", "nodes": None,
        "cores": 2, "gpus": 0, "why": None,
    }  # fmt: skip
    assert second == record(told)


@pytest.mark.requires("tmpfs")
def test_events_of_a_full_disk_are_written_when_there_is_room(tmpfs):
    disk = tmpfs("64k")
    events, told = Events(disk / "events.jsonl"), PilotEvent(time=1.0, state="active", pilot="pilot-1", cores=2)
    events.write(told)
    large = disk / "large"
    with pytest.raises(OSError, match="No space left"):
        large.write_bytes(bytes(70_000))
    for _ in range(50):  # some of them fill its page
        events.write(told)
    large.unlink()
    events.write(told)
    lines = (disk / "events.jsonl").read_text().splitlines()
    assert len(lines) == 52 and {*lines} == {lines[0]}


@pytest.mark.parametrize("umask", [0, 0o002, 0o022])
def test_events_are_their_owners_only(tmp_path, umask):
    before = os.umask(umask)
    try:
        Events(tmp_path / "events.jsonl")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "events.jsonl").stat().st_mode) == 0o600


def test_events_and_lines_show_no_secrets(tmp_path, capsys):
    mask = Masker.of({"A_TOKEN": "abcdefgh"})
    events, progress = Events(tmp_path / "events.jsonl", mask), Progress(lambda: 1, mask)
    command = ["snakemake", "--config", "a_key=1", "b=abcdefgh"]
    events.write(RunEvent(time=1.0, run="r", site="s", host="h", cores=2, command=command))
    told = JobEvent(time=2.0, state="submitted", job=1, rule="r", label="of abcdefgh", ranks=1, submit=2.0, argv=["b"])
    events.write(replace(told, command="curl abcdefgh", argv=["srun", "abcdefgh"]))
    run, job = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    assert run["command"] == ["snakemake", "--config", "a_key=***", "b=***"]
    assert (job["label"], job["command"], job["argv"]) == ("of ***", "curl ***", ["srun", "***"])
    progress.failed("of abcdefgh", "exit code 1", ["it was abcdefgh"], "log")
    assert capsys.readouterr().err.splitlines() == [
        "[ 0:00] FAILED: of *** (exit code 1)",
        "  | it was ***",
        "  log: log",
    ]


def test_a_reader_that_is_gone_does_no_harm(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    gone = os.fdopen(writer, "w")
    monkeypatch.setattr("sys.stderr", gone)
    Progress(lambda: 1).say("nobody hears this")
    monkeypatch.undo()
    with pytest.raises(BrokenPipeError):  # what stderr itself says of it
        gone.close()
