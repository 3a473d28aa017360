"""docs/benchmarks.md and its figures, from the logs in docs/figures/; and the measurements that the logs are of.

`benchmarks.py`: writes the page anew. `benchmarks.py run [--all] [NAME…]`: measures first (`make bench`): those that
take seconds or a few minutes, those that are named, or all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catalogue import BENCHMARKS, Benchmark, Log
from section import Section, Verdict

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "figures"
PAGE = ROOT / "docs" / "benchmarks.md"
# Date and commit of the logs from before each told its own: those of the commit that brought them.
STORED = FIGURES / "stored.json"
HEAD = """\
<!-- Written by `.ci/docs/benchmarks.py` from the logs in docs/figures/: edit that. -->

# Benchmarks

Every figure on this page comes from a stored log (*raw*), and the page is written from these alone. `make bench`
measures the quick ones anew on your machine, says beforehand how long each takes, and writes their logs and this page;
`make bench ARGS=batch` measures the one of that name, `make bench ARGS=--all` all that one command measures. Why a
target was missed is in the page that is named beside the benchmark. Date and commit of logs that do not tell their own
are those of the commit that brought them.

"""


def stored(name: str, folder: Path = FIGURES) -> Any:
    """What a log says; None where there is none."""
    path = folder / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def machine(log: Any) -> dict:
    """The machine of a log, which may be one of several runs."""
    first = log[0] if isinstance(log, list) else log
    return first.get("machine", {})


def about(log: Log, told: Any, known: dict) -> str:
    """When, with what and on what it was measured, as far as the log says."""
    first = told[0] if isinstance(told, list) else told
    where = {**known.get(log.file, {}), **machine(told)}
    words = [
        where.get("date"),
        (commit := where.get("commit")) and f"commit `{commit[:12]}`",
        where.get("cpu") and f"{where['cores']} cores of {where['cpu']}",
        where.get("python") and f"Python {where['python']}",
        "load" in first and f"load {first['load']:.1f}",
    ]
    return f"[raw]({'' if log.file.startswith('../') else 'figures/'}{log.file.removeprefix('../')}): " + ", ".join(
        word for word in words if word
    )


def page(folder: Path = FIGURES) -> tuple[str, dict[str, str]]:
    """The page's text, and its figures by their names."""
    known = stored(STORED.name, folder)
    texts, rows, pictures = [], [], {}
    for benchmark in BENCHMARKS:
        logs = [(log, told) for log in benchmark.logs if (told := stored(log.file, folder)) is not None]
        if not logs:
            continue
        section = benchmark.show({log.file: told for log, told in logs})
        rows += [_row(benchmark, verdict) for verdict in section.verdicts] or [_row(benchmark, None)]
        if section.picture:
            pictures[f"bench-{benchmark.name}.svg"] = section.picture
        texts.append(_section(benchmark, section, [about(log, told, known) for log, told in logs]))
    head = "| benchmark | wanted | measured | |\n|---|---|---|---|\n"
    return HEAD + head + "".join(rows) + "\n" + "\n".join(texts), pictures


def _row(benchmark: Benchmark, verdict: Verdict | None) -> str:
    anchor = benchmark.title.lower().replace(" ", "-").replace(",", "").replace("`", "").replace("'", "")
    cells = [verdict.wanted, verdict.found, verdict.word] if verdict else ["", "see there", ""]
    return f"| [{benchmark.title}](#{anchor}) | {' | '.join(cells)} |\n"


def _section(benchmark: Benchmark, section: Section, sources: Sequence[str]) -> str:
    lines = [f"## {benchmark.title}", "", f"{benchmark.what} ({benchmark.more})", ""]
    lines += (
        ["```console", *(f"$ {command}" for command in benchmark.commands), "```", ""] if benchmark.commands else []
    )
    lines += [f"| {' | '.join(section.head)} |", "|---" * len(section.head) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in section.rows]
    if section.picture:
        lines += ["", f"![{benchmark.title}](figures/bench-{benchmark.name}.svg)"]
    lines += ["", *(f"- {source}" for source in sources), ""]
    return "\n".join(lines)


def write() -> None:
    """The page and its figures."""
    text, pictures = page()
    PAGE.write_text(text, encoding="utf-8")
    for old in FIGURES.glob("bench-*.svg"):
        old.unlink()
    for name, picture in pictures.items():
        (FIGURES / name).write_text(picture, encoding="utf-8")


def chosen(words: Sequence[str]) -> list[Log]:
    """The logs of those that are named, of all, or the quick ones; SystemExit for a name that is none."""
    there = {each.name: [log for log in each.logs if log.commands] for each in BENCHMARKS}
    known = [name for name, logs in there.items() if logs]
    if wrong := [word for word in words if word != "--all" and word not in known]:
        raise SystemExit(f"error: no benchmark {wrong[0]}\n  expected: --all, or some of {', '.join(known)}")
    logs = [log for name in ([] if "--all" in words else words) or known for log in there[name]]
    return logs if words else [log for log in logs if log.quick]


def measure(logs: Sequence[Log], folder: Path = FIGURES) -> int:
    """Make them anew, one after the other; how many failed. The log of one that fails stays as it was."""
    for log in logs:
        print(f"{log.file:<28} about {_long(log.seconds)} on two idle cores", file=sys.stderr)
    print(f"{'in all':<28} about {_long(sum(log.seconds for log in logs))}", file=sys.stderr, flush=True)
    return sum(not _log(log, folder) for log in logs)


def _log(log: Log, folder: Path) -> bool:
    found = []
    for command in log.commands:
        print(f"$ {command}", file=sys.stderr, flush=True)
        done = subprocess.run(["bash", "-c", f"{command} --json"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        # Exit 1: measured, and something of it is not as it should be, which the log says.
        if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
            print(f"failed (exit {done.returncode}): {log.file} stays as it was", file=sys.stderr)
            return False
        found.append(json.loads(done.stdout))
    told = found if log.several else found[0]
    (folder / log.file).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    known = stored(STORED.name, folder) or {}
    if "date" in machine(told) and known.pop(log.file, None):
        (folder / STORED.name).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return True


def _long(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


if __name__ == "__main__":
    words, failed = sys.argv[1:], 0
    if words[:1] == ["run"]:
        failed = measure(chosen(words[1:]))
    write()
    raise SystemExit(bool(failed))
