"""What rules asked for, used, and are to ask for next time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deeprc.core.events import JobEvent
from deeprc.reporting.efficiency import RuleUse, by_rule
from deeprc.reporting.events import Execution, Run, _task
from samples.results import job


def done(number: int, rule: str, cores: int, seconds: float, **used: object) -> Execution:
    made = _task("r", JobEvent(**job(number, rule, {}, "x", 1, [*range(cores)], 0, 10, 10 + seconds)))
    return replace(made, **used)


def of(*tasks: Execution) -> list[RuleUse]:
    return by_rule(Run(id="r", begin=0, end=1000, site="s", host="h", cores=8, tasks=[*tasks]))


def test_a_rule_by_hand():
    (use,) = of(
        done(1, "a", 4, 100, cpu_seconds=120.0, peak_mb=310.0, memory_mb=2000, minutes=60.0, gpus=2),
        done(2, "a", 4, 200, cpu_seconds=300.0, peak_mb=290.0, memory_mb=2000, minutes=60.0, gpus=2),
        done(3, "a", 4, 900, failed=True, cpu_seconds=3600.0, peak_mb=1990.0),
    )
    assert use == RuleUse(
        rule="a", jobs=2, cores=4, gpus=2, memory_mb=2000, minutes=60.0, core_hours=pytest.approx(1200 / 3600),
        gpu_hours=pytest.approx(600 / 3600), used_cores=1.5, efficiency=pytest.approx(420 / 1200), peak_mb=310.0,
        longest=200.0, advice=["threads: 2", "mem_mb=400", "runtime=5"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cores", "seconds", "used", "advice"),
    [
        (1, 100, {"cpu_seconds": 5.0}, []),
        (2, 100, {"cpu_seconds": 105.0}, ["threads: 1"]),
        (2, 100, {"cpu_seconds": 120.0}, []),
        (8, 0.5, {"cpu_seconds": 0.1}, []),  # too short to tell
        (8, 100, {}, []),
        (8, 100, {"cpu_seconds": 10.0, "ranks": 4}, []),
        (1, 100, {"memory_mb": 1000, "peak_mb": 700.0}, []),
        (1, 100, {"memory_mb": 1000, "peak_mb": 500.0}, ["mem_mb=600"]),
        (1, 100, {"memory_mb": 1000, "peak_mb": 980.0}, ["mem_mb=1200"]),  # that was close
        (1, 100, {"memory_mb": 1000}, []),
        (1, 100, {"peak_mb": 500.0}, []),
        (1, 100, {"minutes": 4.0}, ["runtime=3"]),
        (1, 100, {"minutes": 3.0}, []),
    ],
)
def test_what_to_ask_for_next_time(cores, seconds, used, advice):
    (use,) = of(done(1, "a", cores, seconds, **used))
    assert use.advice == advice


def test_what_is_not_known_is_none():
    first, second = of(done(1, "b", 2, 10), done(2, "a", 0, 0))
    assert (first.rule, first.used_cores, first.efficiency, first.peak_mb, first.memory_mb) == ("b", *[None] * 4)
    assert (second.cores, second.core_hours, second.efficiency) == (0, 0.0, None)
    assert of() == []
