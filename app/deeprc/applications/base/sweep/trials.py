"""The trials of a sweep: what each one's options are, and where it is kept."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from deeprc.applications.base.application import Application
from deeprc.applications.base.sweep.config import Between, Sweep, combinations
from deeprc.applications.base.sweep.keys import keys, put
from deeprc.applications.base.trial import Trial
from deeprc.core.errors import ConfigError, nearest
from deeprc.core.fingerprint import Record
from deeprc.core.validation import validate
from deeprc.learning.config import How

FOLDER, SWEEP, TABLE = "sweep", "sweep.json", "sweep.csv"  # in the application's folder
HALVING = "training.optimisation.halving"
MEANS = {*How.model_fields, "ranks"}  # of a training, which change nothing of its result
SANE = 100_000  # combinations that are looked at
Values = dict[str, Any]


def trials(
    application: Application, given: dict, sweep: Sweep, folder: Path, where: Callable[[tuple], object] | object
) -> list[Trial]:
    """Every trial once, the repetitions of a combination beside each other.

    Parameters
    ----------
    given
        The application's options as the user gave them.
    folder
        The application's folder of results.
    where
        Where a key of the sweep stands.

    Raises
    ------
    ConfigError
        For a key that is none, one that changes no result, a value that cannot be, and for too many trainings.
    """
    name = application.name
    if application.goal is None:
        raise _error("this application has no figure that trials could be ranked by", (), name, where)
    usual = validate(application.configuration, given, where=where)
    axes = application.axes(usual) | sweep.over
    for key, values in axes.items():
        _refuse_unknown(key, application, where)
        if isinstance(values, Between) and (sweep.draw is None or key == application.repeats):
            fix = "give `draw`: how many combinations are drawn" if sweep.draw is None else "list its values"
            raise _error(f"{key}: a range is for a random search", ("over", key), name, where, fix=fix)
    repeats = axes.pop(application.repeats, [None])
    if sweep.halving:
        _refuse_halving(application, repeats, where)
        given = copy.deepcopy(given)
        common = _name(_common(application, usual, axes, repeats))
        put(given, HALVING.split("."), {**sweep.halving.model_dump(), "sweep": common}, application.configuration)
    size = sweep.draw or math.prod(len(values) for values in axes.values())
    if size * len(repeats) > max(SANE, sweep.most):
        raise _too_many(size * len(repeats), sweep, name, where)
    found: dict[str, Trial] = {}
    for combination in combinations(axes, sweep):
        for seed in repeats:
            values = combination | ({} if seed is None else {application.repeats: seed})
            case = _case(application, given, values, folder, where)
            application.cost(case.options)  # refuses what is no trial
            if bool(halving_of(case.options)) != bool(sweep.halving):
                raise _error(f"{HALVING} is what the sweep's key `halving` gives", ("over",), name, where,
                             found=f"trial {_label(values)}", fix="leave it out of `over`")  # fmt: skip
            found.setdefault(case.folder.name, case)
    for key, values in {**axes, application.repeats: repeats}.items():
        _refuse_idle(key, _ends(values), [*found.values()], given, where)
    if len(found) > sweep.most:
        raise _too_many(len(found), sweep, name, where)
    cases = [*found.values()]
    if sweep.draw is not None or len(cases) < size * len(repeats):  # of a grid of different trials no value is idle
        cases = [_without_idle(case, axes, given, where) for case in cases]
    for key in axes:
        if not any(key in case.values for case in cases):
            raise _error(f"{key}: no trial has it", ("over", key), name, where, fix="leave it out of `over`")
    _refuse_measures(cases, where)
    return _called(cases if sweep.ranks is None else _on_ranks(cases, sweep.ranks, given, where))


def _common(application: Application, usual: BaseModel, axes: dict[str, list | Between], repeats: list) -> dict:
    """What all trials of a halving have in common: the keys that it varies, and all else that a training depends on.

    Of entries, such as models, those that something is said of: a plain one less is the same sweep.
    """
    tried, never = application.axes(usual), {*Application.untold, *application.inferring(usual)}
    told = usual.model_dump(mode="json", exclude=never)
    told["training"] = {key: value for key, value in told["training"].items() if key not in MEANS}
    told |= usual.model_dump(mode="json", include={*tried}, exclude_defaults=True)
    for key in axes.keys() - tried.keys():
        *above, last = key.split(".")
        inner = told
        for name in above:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner.pop(last, None)
    said = {key: {k: v for k, v in told[key].items() if v} for key in tried if isinstance(told.get(key), dict)}
    seed = {} if repeats == [None] else {application.repeats: repeats}
    return {"varied": sorted(axes), **{key: told[key] for key in told if key not in tried}, **said, **seed}


def _case(
    application: Application, given: dict, values: Values, folder: Path, where: Callable[[tuple], object] | object
) -> Trial:
    changed, used = copy.deepcopy(given), {}
    for key in sorted(values, key=lambda key: key.count(".")):  # a model before what is changed of it
        if put(changed, key.split("."), values[key], application.configuration):
            used[key] = values[key]
    used = {key: used[key] for key in values if key in used}
    place = where((application.name, FOLDER, "over")) if callable(where) else where
    options = validate(application.configuration, changed, where=f"{place}: trial {_label(used)}")
    group = folder / FOLDER / _name(application.preparing(options))
    return Trial(application, options, group / _name(application.told(options)), group, used)


def _on_ranks(cases: list[Trial], ranks: int, given: dict, where: object) -> list[Trial]:
    """The costliest on `ranks` ranks, others on as many less as they cost less."""
    found, costs = [], [case.application.cost(case.options) for case in cases]
    for case, cost in zip(cases, costs, strict=True):
        share = ranks * cost / max(costs)
        own = ranks if cost == max(costs) else 1 << max(0, math.floor(math.log2(share)))
        own = min(ranks, max(own, getattr(case.options.training, "least_ranks", 1)))
        values = case.values | {"training.ranks": own}
        made = _case(case.application, given, values, case.prepared.parent.parent, where)
        found.append(replace(case, options=made.options))
    return found


def _called(cases: list[Trial]) -> list[Trial]:
    """With labels, no two of them alike."""
    short, long = ([_label(case.values, whole=whole) for case in cases] for whole in (False, True))
    labels = short if len({*short}) == len(short) else long
    return [replace(case, label=label) for case, label in zip(cases, labels, strict=True)]


def _label(values: Values, *, whole: bool = False) -> str:
    words = [(key if whole else key.rpartition(".")[2], value) for key, value in values.items()]
    return ", ".join(value if isinstance(value, str) and not whole else f"{key} {_text(value)}" for key, value in words)


def _text(value: object) -> str:
    # A day, which YAML makes of 2001-10-01, as the text that `collect` is given.
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _name(told: object) -> str:
    """A folder's name that the same options have always, whatever else is tried."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:10]


def _refuse_unknown(key: str, application: Application, where: object) -> None:
    known = keys(application.configuration)
    if key in known or any(open_ and key.startswith(f"{one}.") for one, open_ in known.items()):
        return
    same = [one for one in known if one.rpartition(".")[2] == key]
    guess = same[0] if same else nearest(key, known)
    raise _error(
        f"unknown key {key!r}",
        ("over", key),
        application.name,
        where,
        found=key,
        expected=f"a key of '{application.name}': {', '.join(known)}",
        fix=f"did you mean {guess!r}?" if guess else None,
    )


def halving_of(options: object) -> object:
    """The successive halving in options; None where there is none."""
    for key in HALVING.split("."):
        options = getattr(options, key, None)
    return options


def _refuse_halving(application: Application, repeats: list, where: object) -> None:
    if HALVING not in keys(application.configuration):
        raise _error("successive halving is of trainings in PyTorch", ("halving",), application.name, where,
                     fix="leave it out")  # fmt: skip
    if len(repeats) > 1:
        raise _error(
            "successive halving goes with one seed: of several only the lucky ones would be left",
            ("halving",),
            application.name,
            where,
            found=f"{application.repeats} {', '.join(map(_text, repeats))}",
            fix="find out with one seed which are left, then try those with several, without `halving`",
        )
    if find_spec("optuna") is None:
        raise _error("successive halving needs Optuna, which is not here", ("halving",), application.name, where,
                     fix="pip install optuna")  # fmt: skip


def _refuse_idle(key: str, values: list, cases: list[Trial], given: dict, where: object) -> None:
    """Refuse a key whose values lead to the same results: nothing would be compared."""
    application = cases[0].application
    trying = [case for case in cases if key in case.values]
    for case in trying:
        others = [_changed(case, {**case.values, key: value}, given, where) for value in values]
        without = _changed(case, {k: v for k, v in case.values.items() if k != key}, given, where)
        if len({other and other.folder for other in others}) > 1 or without is None or without.folder != case.folder:
            return
        if len({*map(_text, values)}) == 1 and without.options == case.options:
            return  # what it is anyway
    if not trying:
        return
    raise _error(
        f"{key}: its values lead to the same results",
        ("over", key),
        application.name,
        where,
        found=", ".join(map(_text, values)),
        expected="a key that a result depends on, other than the data",
        fix="leave it out of `over`",
    )


def _without_idle(case: Trial, axes: dict[str, list | Between], given: dict, where: object) -> Trial:
    """A trial that tells no value which changes nothing of it: the learning rate of a model that has its own."""
    used = dict(case.values)
    for key, value in case.values.items():
        others = [one for one in _ends(axes.get(key, [])) if _text(one) != _text(value)]
        left = {k: v for k, v in used.items() if k != key}  # those alone must lead to the same trial
        changed = (_changed(case, one, given, where) for one in (*({**left, key: one} for one in others), left))
        if others and all(other and other.folder == case.folder for other in changed):
            used = left
    return replace(case, values=used)


def _changed(case: Trial, values: Values, given: dict, where: object) -> Trial | None:
    """A trial with other values; None where it could not be, such as a patience without its validations."""
    try:
        return _case(case.application, given, values, case.prepared.parent.parent, where)
    except ConfigError:
        return None


def _ends(tried: list | Between) -> list:
    return [tried.least, tried.most] if isinstance(tried, Between) else tried


def _refuse_measures(cases: list[Trial], where: object) -> None:
    """Refuse trials of one task whose figures are of different kinds: the smaller one would not be the better one."""
    application, found = cases[0].application, {}
    for case in cases:
        found.setdefault(case.prepared, {}).setdefault(application.measure(case.options), case)
    if several := next((of for of in found.values() if len(of) > 1), None):
        goal, _ = application.goal
        raise _error(
            f"the {goal} of these trials is measured in different ways, and cannot be compared",
            ("over",),
            application.name,
            where,
            found="; ".join(f"{_label(case.values)}: {measure}" for measure, case in several.items()),
            fix="try what is measured in one way alone, each in a sweep of its own",
        )


def _too_many(count: int, sweep: Sweep, name: str, where: object) -> ConfigError:
    return _error(
        f"this sweep would start {count:,} trainings",
        ("most",),
        name,
        where,
        expected=f"at most {sweep.most:,} (key 'most')",
        fix=f"give `most: {count}`, if they are meant; or fewer values, or `draw` some of the combinations",
    )


def _error(problem: str, keys: tuple, name: str, where: object, **more: Any) -> ConfigError:
    place = where((FOLDER, name, *keys)) if callable(where) else where
    dotted = ".".join((FOLDER, name, *keys[:1]))
    return ConfigError(f"key '{dotted}': {problem}", where=place, **more)


def together(common: Record, cases: list[Trial]) -> Record:
    """The record of the table: `common`, of any trial, with the options of each by its label."""
    told = [case.application.told(case.options) for case in cases]
    parts = {
        part: {case.label: one[part] for case, one in zip(cases, told, strict=True) if part in one}
        for part in ("prepare", "train", "infer")
    }
    return {key: value for key, value in common.items() if key not in parts} | {k: v for k, v in parts.items() if v}
