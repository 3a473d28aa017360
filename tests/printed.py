"""Commands as pages print them: read from ```console blocks, run by one shell, held against what is printed below them.

A command begins with `$ `, goes on after a backslash, and through `<<'EOF'`. What stands below it is the essential part
of its output: these lines, in this order, with anything between them; `…` in a line is anything, blanks count as one.
A command that is not run has a comment above its block that names it: <!-- not run: `make run`: the reason -->.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PART = re.compile(
    r"^## (?P<leg>[^\n]+)$|^(?P<marks>(?:<!-- not run: [^\n]+ -->\n+)*)```console\n(?P<block>.*?)^```$", re.M | re.S
)
MARK = re.compile(r"<!-- not run: `([^`]+)`: ([^\n]+) -->")


@dataclass
class Printed:
    """A command of a page: the heading it stands under, the lines below it, and why it is not run, if it is not."""

    leg: str
    command: str
    lines: list[str] = field(default_factory=list)
    why_not: str = ""

    @property
    def short(self) -> str:
        """Its first line, without a comment behind it."""
        return re.sub(r"\s+# .*", "", self.command.partition("\n")[0])


def printed(text: str) -> list[Printed]:
    """All commands of a page, in their order."""
    leg, found = "", []
    for part in PART.finditer(text):
        if part["leg"]:
            leg = part["leg"]
            continue
        here, reasons = _commands(leg, part["block"].splitlines()), dict(MARK.findall(part["marks"]))
        for each in here:
            each.why_not = reasons.pop(each.short, "")
        assert not reasons, f"no such command in the block below: {reasons}"
        found += here
    return found


def _commands(leg: str, lines: list[str]) -> list[Printed]:
    found: list[Printed] = []
    rest = iter(lines)
    for line in rest:
        if not line.startswith("$ "):
            found[-1].lines.append(line)
            continue
        words = [line[2:]]
        while words[-1].endswith("\\"):
            words.append(next(rest))
        if here := re.search(r"<<'(\w+)'", line):
            while words[-1] != here[1]:
                words.append(next(rest))
        found.append(Printed(leg, "\n".join(words)))
    return found


def missing(wanted: Iterable[str], output: str) -> str | None:
    """The first line that the output does not hold, behind those before it."""
    lines = (" ".join(line.split()) for line in output.splitlines())
    for want in wanted:
        pattern = re.compile(".*".join(map(re.escape, " ".join(want.split()).split("…"))))
        if want.strip(" …") and not any(pattern.fullmatch(line) for line in lines):
            return want
    return None


def pytest_terminal_summary(terminalreporter) -> None:
    """A table of the legs of a newcomer's way, with the seconds that each took."""
    legs = [
        value
        for report in terminalreporter.stats.get("passed", [])
        for name, value in getattr(report, "user_properties", [])
        if name == "leg"
    ]
    if legs:
        terminalreporter.section("a newcomer's way, in seconds")
        for leg, seconds, limit in (*legs, ("all of it", round(sum(each[1] for each in legs), 1), "")):
            terminalreporter.write_line(f"{seconds:8.1f}  {leg}" + (f" (at most {limit})" if limit else ""))


class Shell:
    """A bash that keeps its folder and its variables from one command to the next, as a reader's does."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.said = folder / ".said"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            ["bash", "--norc"], cwd=folder, env=environment, text=True, start_new_session=True, **pipes
        )

    def run(self, command: str, timeout: float) -> tuple[int | None, str, float]:
        """How a command ended (None: it was ended), what it said, and the seconds that it took."""
        began = time.monotonic()
        late = threading.Timer(timeout, os.killpg, (self.process.pid, signal.SIGKILL))
        late.start()
        try:
            self.process.stdin.write(f"{{ {command}\n}} < /dev/null &> '{self.said}'; echo $?\n")
            self.process.stdin.flush()
            ended = self.process.stdout.readline()
        finally:
            late.cancel()
        said = self.said.read_text(encoding="utf-8", errors="replace") if self.said.exists() else ""
        return int(ended) if ended else None, said, time.monotonic() - began

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait(timeout=60)
