"""Where the wall clock of a run went, core by core: work, imports, launches, idle cores, what came before the pilot."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate, pairwise

from deeprc.reporting.breakdown import pilots, waits
from deeprc.reporting.events import Execution, Run

PARTS = (
    "workflow start", "queue", "pilot start", "image pull", "launch", "import", "data preparation", "compute",
    "checkpoint", "failed attempts", "idle cores", "pilot close", "between pilots", "after the pilot",
)  # fmt: skip
WORK = ("data preparation", "compute")
PREPARING = ("fetch", "check", "prepare")  # stages
Span = tuple[float, float, int, str]  # begin, end, which of several goes before, part

TASK, IMPORT, PULL, LAUNCH = range(4)  # of several at once the first is told


def parts(run: Run) -> dict[str, float]:
    """Seconds by part; they add up to the wall clock of the run.

    A second in which half of the cores compute and the others wait is half a second of `compute` and half a one of
    `idle cores`. Of several pilots at once each counts with its cores, from when it is asked for to its end.
    """
    found, each = dict.fromkeys(PARTS, 0.0), pilots(run)
    homes = _homes(run, each)
    cores = [
        max(_offered(run, number), len(homes.get(number, {})), 1) for number in range(len(each))
    ]  # a core that a task ran on was there, whatever was told
    shares = _Shares([(first, last, cores[number]) for number, (first, *_, last) in enumerate(each)], run)
    for begin, end in shares.alone:
        before, after = all(end <= first for first, *_ in each), all(last <= begin for *_, last in each)
        name = "workflow start" if before else "after the pilot" if after else "between pilots"
        found[name] += end - begin
    for number, (starting, active, closing, closed) in enumerate(each):
        waited = min(max(run.pilots[number].get("waiting", starting), starting), active)
        pulled = [(pull.began, pull.time) for pull in run.pulls if _is_of(pull.pilot, run, number)]
        for name, begin, end in (
            ("queue", starting, waited), ("pilot start", waited, active), ("pilot close", closing, closed),
        ):  # fmt: skip
            found[name] += cores[number] * shares.of(begin, end)
        of_cores, mine = [*homes.get(number, {}).values()], cores[number]
        for spans in [*of_cores, *[[]] * (mine - len(of_cores))]:
            left = shares.of(active, closing)
            for begin, end, name in _apart([*spans, *((*pull, PULL, "image pull") for pull in pulled)]):
                begin, end = max(begin, active), min(end, closing)
                if end > begin:
                    found[name] += (seconds := shares.of(begin, end))
                    left -= seconds
            found["idle cores"] += max(0.0, left)
    return {name: seconds for name, seconds in found.items() if seconds > 1e-9}


class _Shares:
    """How much of the wall clock a core has: of each moment, one part of as many as there are cores in all."""

    def __init__(self, lives: list[tuple[float, float, int]], run: Run) -> None:
        self._times = sorted({run.begin, run.end, *(time for first, last, _ in lives for time in (first, last))})
        changes = dict.fromkeys(self._times, 0)
        for first, last, cores in lives:
            changes[first] += cores
            changes[last] -= cores
        self._cores = list(accumulate(changes[time] for time in self._times))
        steps = [(end - begin) / n if n else 0.0 for (begin, end), n in zip(pairwise(self._times), self._cores,
                                                                            strict=False)]  # fmt: skip
        self._upto = [0.0, *accumulate(steps)]

    @property
    def alone(self) -> list[tuple[float, float]]:
        """The times without any pilot."""
        return [span for span, cores in zip(pairwise(self._times), self._cores, strict=False) if not cores]

    def of(self, begin: float, end: float) -> float:
        """What a core has of the time between."""
        return max(0.0, self._at(end) - self._at(begin)) if end > begin else 0.0

    def _at(self, time: float) -> float:
        at = bisect_right(self._times, time) - 1
        if at < 0:
            return 0.0
        cores = self._cores[at]
        return self._upto[at] + ((time - self._times[at]) / cores if cores else 0.0)


def _homes(run: Run, each: list[tuple[float, float, float, float]]) -> dict[int, dict[tuple, list[Span]]]:
    """By pilot and core: what it was at. A pilot that is not told is the last that was up when a task began."""
    numbers = {place.name: number for number, place in enumerate(run.places)} if run.told else {}
    found: dict[int, dict[tuple, list[Span]]] = defaultdict(lambda: defaultdict(list))

    def home(pilot: str, time: float) -> int:
        up = [number for number, (_, active, _, _) in enumerate(each) if active <= time]
        return numbers.get(pilot, up[-1] if up else 0)

    for task, waited in zip(run.tasks, waits(run), strict=True):
        for place in task.places or [("", -1)]:
            spans = found[home(task.pilot, task.start)][place]
            spans += _of_task(task)
            spans.append((task.start - waited.launch, task.start, LAUNCH, "launch"))
    for worker in run.workers:
        for place in zip(worker.nodes or [""] * len(worker.cores), worker.cores, strict=True):
            spans = found[home(worker.pilot, worker.time)][place]
            spans += [(worker.began, worker.time, IMPORT, "import"), (worker.asked, worker.began, LAUNCH, "launch")]
    return found if each else {}


def _of_task(task: Execution) -> Iterator[Span]:
    """What its command did; when it waited for its checkpoints is not known, so that they stand at its end."""
    if task.failed:
        yield task.start, task.stop, TASK, "failed attempts"
        return
    begun = task.start + task.spent.get("import", 0.0)
    saves = task.stop - task.spent.get("checkpoint", 0.0)
    yield task.start, begun, TASK, "import"
    yield begun, saves, TASK, "data preparation" if task.stage in PREPARING else "compute"
    yield saves, task.stop, TASK, "checkpoint"


def _apart(spans: list[Span]) -> Iterator[tuple[float, float, str]]:
    """Spans of a core that do not overlap: of several at once, the one that goes before."""
    edges = sorted([edge for number, (begin, end, *_) in enumerate(spans) if end > begin
                    for edge in ((begin, 1, number), (end, 0, number))])  # fmt: skip
    now: set[int] = set()
    for (time, begins, number), (then, *_) in pairwise(edges):
        (now.add if begins else now.discard)(number)
        if now and then > time:
            yield time, then, spans[min(now, key=lambda each: (spans[each][2], each))][3]


def _offered(run: Run, number: int) -> int:
    return (run.places[number].cores if run.told else run.cores) or 0


def _is_of(pilot: str, run: Run, number: int) -> bool:
    return not run.told or run.places[number].name == pilot
