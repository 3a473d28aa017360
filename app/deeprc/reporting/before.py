"""This run beside the one before it on the same results: which figures became better or worse, and what differed."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from deeprc.core.fingerprint import KEY, differences
from deeprc.reporting import words
from deeprc.reporting.crate import kept
from deeprc.reporting.events import Run
from deeprc.reporting.section import Results, Score

SAME = 1e-6  # of a figure: other numbers of threads change no more than that
MOST = 40  # figures of a pipeline that the page shows
VERDICTS = ("better", "worse", "the same", "not known")
FIRST = "no run before this one is known that made these results and whose report was kept"
UNRECORDED = "no events of this run were recorded, so that it is not known which one was before it"


@dataclass(frozen=True)
class ComparedScore:
    """A figure of both runs. `gain` is above 0 where it became better; None where one of the two is not known."""

    of: str
    what: str
    before: float | None
    now: float | None
    gain: float | None
    verdict: str

    @property
    def change(self) -> float | None:
        """From then to now."""
        return None if self.gain is None else self.now - self.before


@dataclass(frozen=True)
class ComparedPipeline:
    """The figures of a pipeline.

    Attributes
    ----------
    rows
        Those that both runs have, measured by the same.
    why
        Why none of them can be compared.
    apart
        Whose figures cannot be compared, and why.
    new, gone
        Whose figures only this run has, or only the one before.
    """

    name: str
    rows: list[ComparedScore] = field(default_factory=list)
    why: str = ""
    apart: dict[str, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def lead(self) -> list[ComparedScore]:
        """The rows of the figure that stands first."""
        return [row for row in self.rows if row.what == self.rows[0].what]

    @property
    def said(self) -> str:
        """`MAE: 3 better, 1 worse, 7 the same`."""
        counts = Counter(row.verdict for row in self.lead)
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
        return f"{self.rows[0].what}: {told}"

    @property
    def shown(self) -> list[ComparedScore]:
        """All rows; of too many those of the first figure that lost and gained the most."""
        if len(self.rows) <= MOST:
            return self.rows
        known = sorted((row for row in self.lead if row.gain is not None), key=lambda row: row.gain)
        return known if len(known) <= MOST else [*known[: MOST // 2], *known[-MOST // 2 :]]


@dataclass(frozen=True)
class RunBefore:
    """The run before this one on the same results, and what became of it.

    Attributes
    ----------
    run
        That run; None where there is none to compare with, and `why`.
    differences
        What it is of (`options`, …), its name, what it was then and what it is now, in words.
    unknown
        What cannot be compared, since one of the two does not tell it.
    """

    run: Run | None = None
    why: str = ""
    pipelines: list[ComparedPipeline] = field(default_factory=list)
    differences: list[tuple[str, str, str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def before(runs: list[Run], folder: Path, out: Path, about: dict, found: Mapping[str, Results]) -> RunBefore:
    """The newest run before this one that made the results in `out`.

    Parameters
    ----------
    runs
        All recorded runs, the oldest first; the last one is this.
    folder
        The folder of runs, where the report of each that ended well is kept.
    out
        The results folder.
    about, found
        What this run's run.json says, and the results by pipeline.
    """
    if not runs:
        return RunBefore(why=UNRECORDED)
    mine = os.path.abspath(out / kept.METRICS)  # noqa: PTH100  (Path.resolve would follow links)
    for run in reversed(runs[:-1]):
        made = (name for task in run.tasks if not task.failed for name in task.output)
        if not any(os.path.abspath(name) == mine for name in made):  # noqa: PTH100
            continue
        try:
            then = kept.with_report(run, folder)
        except (OSError, ValueError) as error:
            return RunBefore(why=f"what was kept of the run {run.id} cannot be read: {error}")
        if then is not None:
            break
    else:
        return RunBefore(why=FIRST)
    now = kept.KnownRun(str(out), about, {name: part.metrics for name, part in found.items()}, runs[-1])
    return RunBefore(
        run,
        pipelines=[_pipeline(name, then.metrics.get(name), part) for name, part in found.items()],
        differences=list(_differences(then, now)),
        unknown=[name for name in kept.unknown(then, now) if name != "metrics"],
    )


def _pipeline(name: str, old: object, part: Results) -> ComparedPipeline:
    """Its figures then, `old` being its metrics, and now."""
    if not isinstance(old, dict):
        return ComparedPipeline(name, why="it was not part of that run")
    if not (now := part.scores()):
        return ComparedPipeline(name, why="it does not say by which of its figures runs are compared")
    then, made = old.get(KEY), part.metrics.get(KEY)
    if not then or not made:
        return ComparedPipeline(name, why="it is not told of which data both of them are")
    files, once = (record.get("data") or {} for record in (made, then))
    if changed := [file for file, sum_ in files.items() if once.get(file, sum_) != sum_]:
        return ComparedPipeline(name, why=f"other data: {words.few(changed)} changed")
    try:
        was = {(score.key, score.what): score for score in replace(part, metrics=old).scores()}
    except (KeyError, TypeError, AttributeError, ValueError):
        return ComparedPipeline(name, why="what was kept of that run is in the form of another release")
    rows, apart, new = [], {}, []
    for score in now:
        one = was.pop((score.key, score.what), None)
        if one is None:
            new.append(score.of)
        elif why := _apart(one, score):
            apart[score.of] = why
        else:
            rows.append(_row(one, score))
    new, gone = (list(dict.fromkeys(names)) for names in (new, (score.of for score in was.values())))
    reasons = {*apart.values()}
    if apart and not rows and len(reasons) == 1:
        return ComparedPipeline(name, why=reasons.pop(), new=new, gone=gone)
    return ComparedPipeline(name, rows, "" if rows or apart else "none of its figures is in both", apart, new, gone)


def _apart(one: Score, other: Score) -> str:
    """Why the two are not of the same thing: `horizon 24 → 48`; nothing where they are."""
    told = dict.fromkeys([*one.under, *other.under])
    pairs = {name: (one.under.get(name), other.under.get(name)) for name in told}
    return ", ".join(f"{name} {_said(old)} → {_said(new)}" for name, (old, new) in pairs.items() if old != new)


def _row(one: Score, score: Score) -> ComparedScore:
    if one.value is None or score.value is None:
        return ComparedScore(score.of, score.what, one.value, score.value, None, "not known")
    gain = (score.value - one.value) * (1 if score.better == "higher" else -1)
    same = math.isclose(score.value, one.value, rel_tol=SAME)
    verdict = "the same" if same else "better" if gain > 0 else "worse"
    return ComparedScore(score.of, score.what, one.value, score.value, gain, verdict)


def _differences(then: kept.KnownRun, now: kept.KnownRun) -> Iterator[tuple[str, str, str, str]]:
    """What else the two differ in, metrics aside."""
    for of, rows in kept.difference(then, now).items():
        if of == "options":
            yield from _options(then.about.get("config"), now.about.get("config"))
        elif of != "metrics":
            yield from ((of, name, _said(old), _said(new)) for name, (old, new) in rows.items())
    commits = [((each.about.get("git") or {}).get("commit"), each) for each in (then, now)]
    if all(commit for commit, _ in commits) and commits[0][0] != commits[1][0]:
        yield ("code", "git commit", *(commit for commit, _ in commits))
    for name in sorted(then.metrics.keys() & now.metrics.keys()):
        old, new = ((each.metrics[name].get(KEY) or {}).get("code") for each in (then, now))
        changes = differences({"code": old}, {"code": new}) if old and new else ()
        yield from (("code", name, words.NONE, why) for why in changes)


def _options(old: object, new: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str, str]]:
    """The options that differ, each by itself, however deep it stands."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _options(old.get(key), new.get(key), (*path, str(key)))
    elif _said(old) != _said(new):
        yield "options", ".".join(path), _said(old), _said(new)


def _said(value: object) -> str:
    return words.NONE if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
