import pytest

from deeprc.bench.pilot import summarize


def job(start: float, stop: float, *cores: int, submit: float = 10.0) -> dict:
    return {"event": "job", "state": "finished", "submit": submit, "start": start, "stop": stop, "cores": list(cores)}


def test_figures_of_a_run():
    events = [
        {"event": "run", "time": 9.5},
        {"event": "pilot", "state": "starting", "time": 10.0},
        {"event": "job", "state": "submitted", "time": 10.0, "submit": 10.0},
        {"event": "pilot", "state": "active", "time": 28.0},
        job(28.5, 29.0, 0),
        job(28.6, 29.1, 1),
        job(29.2, 29.5, 0),  # 0.2 s after core 0 was free
        job(29.9, 30.0, 0, 1),  # 0.4 s after core 0, the later of its two, was free
        {"event": "pilot", "state": "closing", "time": 30.5},
        {"event": "pilot", "state": "closed", "time": 31.75},
    ]
    assert summarize(events) == {
        "startup_s": 18.0,
        "tasks_per_s": 2.0,  # 4 jobs in the 2 s between the pilot's start and the last job's end
        "latency_median_s": pytest.approx(0.3),
        "latency_p95_s": pytest.approx(0.39),
        "close_s": 1.25,
    }


def test_one_job_has_no_latency():
    events = [
        {"event": "pilot", "state": "starting", "time": 0.0},
        {"event": "pilot", "state": "active", "time": 20.0},
        job(20.5, 21.0, 0),
        {"event": "pilot", "state": "closing", "time": 21.0},
        {"event": "pilot", "state": "closed", "time": 22.0},
    ]
    figures = summarize(events)
    assert figures["latency_median_s"] is figures["latency_p95_s"] is None
    assert figures["tasks_per_s"] == 1.0
