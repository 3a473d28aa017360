"""A plan as text: for people, and as lines of shell."""

from __future__ import annotations

import datetime
import re
import shlex

from deeprc.launch.modules import command
from deeprc.launch.plan import Plan
from deeprc.sites.age import future, months, oldest

_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})", re.ASCII)
_SPECIAL = re.compile(r'([\\"`$])')


def shell_word(text: str) -> str:
    """`text` as one word of shell in which `$NAME` is a variable, and nothing else is special."""
    if not _VARIABLE.search(text):
        return shlex.quote(text)
    parts, end = [], 0
    for match in _VARIABLE.finditer(text):
        parts += [_SPECIAL.sub(r"\\\1", text[end : match.start()]), match.group()]
        end = match.end()
    parts.append(_SPECIAL.sub(r"\\\1", text[end:]))
    return f'"{"".join(parts)}"'


def launch_line(plan: Plan) -> str:
    """The launch line as shell. The command's own words stand for themselves; so does the binding's script."""
    outside = [shell_word(word) for word in plan.launcher]
    return " ".join(
        [*outside, *map(shlex.quote, plan.binding), *map(shell_word, plan.runtime), *map(shlex.quote, plan.command)]
    )


def exports(plan: Plan) -> list[str]:
    """Lines that load the modules and set the environment."""
    lines = [command(module) for module in plan.modules]
    return lines + [f"export {name}={shell_word(value)}" for name, value in plan.environment.items()]


def as_text(plan: Plan, today: datetime.date | None = None) -> str:
    """The plan for people; with `today`, how old its facts are, too."""
    layout = plan.layout
    size = f"{layout.nodes} x {layout.ranks_per_node} ranks" if layout.nodes > 1 else f"{layout.ranks} ranks"
    if layout.nodes * layout.ranks_per_node > layout.ranks:
        size = f"{layout.ranks} ranks on {layout.nodes} nodes, up to {layout.ranks_per_node} on each"
    shape = f"{size}, {layout.cores_per_rank} cores" + (
        f" and {layout.gpus_per_rank} GPUs" if layout.gpus_per_rank else ""
    )
    rows = [
        f"site       {plan.site}, partition {plan.partition}",
        f"layout     {shape} each",
        f"image      {plan.image or 'none'}",
        f"verdict    {plan.verdict}: {plan.reason}",
    ]
    if plan.refused:
        return "\n".join([*rows, f"fix        {plan.fix}"]) + "\n"
    rows += _age(plan, today) if today else []
    rows += [f"warning    {line}" for line in plan.warnings]
    for title, lines in (
        ("scheduler", plan.scheduler_options),
        ("environment", exports(plan)),
        *((f"file {path}", text.splitlines()) for path, text in plan.files.items()),
        ("launch", [launch_line(plan)]),
        ("not verified", plan.doubts),
    ):
        if lines:
            rows += ["", title, *(f"  {line}".rstrip() for line in lines)]
    return "\n".join(rows) + "\n"


def _age(plan: Plan, today: datetime.date) -> list[str]:
    """How old the oldest fact is that the line rests on."""
    early = [f"facts      dated in the future: {place}" for place in plan.yet_to_come(today)]
    undated = sum(fact.mark is not None and fact.date is None for _, fact in plan.facts)
    if (old := oldest(plan.facts)) is None:
        return [f"facts      none of {undated} has a date"] if undated else []
    place, fact = old
    rest = f"; {undated} have no date" if undated else ""
    source = f", {fact.source}" if fact.source else ""
    line = f"facts      the oldest is of {fact.date}, {months(fact.date, today)} months ago: {place}{source}{rest}"
    return [*early, *([] if future(fact, today) else [line])]
