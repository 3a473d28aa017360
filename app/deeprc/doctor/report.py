"""The outcomes as a table for people."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table

from deeprc.doctor.result import CheckResult

COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red", "not run": "dim"}


def show(outcomes: list[CheckResult], console: Console) -> None:
    """Print all outcomes, the measurements, and how many of each there are."""
    words = Column("what was found, and what to do", overflow="fold")  # a path is shown whole
    table = Table("check", "of", "result", words, show_lines=False)
    last = None
    for outcome in outcomes:
        colour = COLOURS[outcome.status]
        shout = f"[{colour}]{escape(outcome.text)}[/]" if outcome.status == "failed" else escape(outcome.text)
        fix = f"\n[italic]→ {escape(outcome.fix)}[/]" if outcome.fix else ""
        name = outcome.check if outcome.check != last else ""
        table.add_row(name, outcome.subject, f"[{colour}]{outcome.status}[/]", shout + fix)
        last = outcome.check
    console.print(table)
    for outcome in outcomes:
        if outcome.figures and "bytes" in outcome.figures[0]:  # measurements; sockets are in --json only
            console.print(_figures(outcome))
    lines = list(dict.fromkeys(outcome.launch_line for outcome in outcomes if outcome.launch_line))
    for line in lines[:1]:  # those of the other checks differ in what they run; --json has them all
        console.print(f"[dim]launch line: {escape(line)}[/]", soft_wrap=True)
    counts = {status: sum(one.status == status for one in outcomes) for status in COLOURS}
    console.print(", ".join(f"[{COLOURS[status]}]{count} {status}[/]" for status, count in counts.items() if count))


def _figures(outcome: CheckResult) -> RenderableType:
    titles = {
        "bytes": "bytes",
        "allreduce_us": "allreduce µs",
        "allreduce_mb_s": "allreduce MB/s",
        "message_us": "message µs",
        "message_mb_s": "message MB/s",
    }
    keys = [key for key in titles if key in outcome.figures[0]]
    table = Table(*(titles[key] for key in keys), title=f"{outcome.check}, {outcome.subject}", title_justify="left")
    for column in table.columns:
        column.justify = "right"
    for row in outcome.figures:
        table.add_row(*(f"{row[key]:,.1f}" if key != "bytes" else str(row[key]) for key in keys))
    return Group("", table)
