import pytest

from deeprc.bench.many import phases
from deeprc.bench.pilot import summarize
from deeprc.core.events import JobEvent, PilotEvent, RunEvent


def job(start: float, stop: float, *cores: int, state: str = "finished") -> JobEvent:
    return JobEvent(
        time=stop, state=state, job=1, rule="r", label="r", ranks=1, submit=10.0, argv=[], start=start, stop=stop,
        cores=list(cores),
    )  # fmt: skip


def pilot(state: str, time: float) -> PilotEvent:
    return PilotEvent(time=time, state=state)


def test_figures_of_a_run():
    events = [
        RunEvent(time=9.5, run="r", site="s", host="h", cores=2),
        pilot("starting", 10.0),
        job(10.0, 10.0, state="submitted"),
        pilot("active", 28.0),
        job(28.5, 29.0, 0),
        job(28.6, 29.1, 1),
        job(29.2, 29.5, 0),  # 0.2 s after core 0 was free
        job(29.9, 30.0, 0, 1),  # 0.4 s after core 0, the later of its two, was free
        pilot("closing", 30.5),
        pilot("closed", 31.75),
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
        pilot("starting", 0.0),
        pilot("active", 20.0),
        job(20.5, 21.0, 0),
        pilot("closing", 21.0),
        pilot("closed", 22.0),
    ]
    figures = summarize(events)
    assert figures["latency_median_s"] is figures["latency_p95_s"] is None
    assert figures["tasks_per_s"] == 1.0


def test_the_phases_of_a_run_of_many_jobs():
    jobs = [job(12.0, 13.0), job(13.0, 19.0)]
    assert phases(4.0, [10.0, 10.5, 14.0], jobs, 25.0) == {
        "before": 6.0, "handing_over": 4.0, "taking_in": 5.0, "finishing": 6.0, "running": 7.0,
    }  # fmt: skip
