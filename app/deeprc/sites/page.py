"""A site's page in docs/sites, generated from its site file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from deeprc.sites.fact import MARKS, Fact
from deeprc.sites.hardware import Partition
from deeprc.sites.model import Site
from deeprc.sites.setting import Setting, When

HEAD = "<!-- Generated from site-configs/{name}/site.yaml by `deeprc site pages --out docs/sites`: edit that. -->"
LEGEND = "; ".join(f"**{mark}** {meaning}" for mark, meaning in MARKS.items())


def render(site: Site, example: str | None = None) -> str:
    """The page of `site`; `example` is a plan as `deeprc plan` prints it, with the command before it."""
    parts = [
        HEAD.format(name=site.name),
        f"# {site.name}",
        f"{site.description}. {_status(site)}",
        f"Contact: {site.contact}. Documents: {_link(site.url)}. Use it with `snakemake --profile site/{site.name}`.",
        f"Marks of the facts: {LEGEND}.",
        "## Machine",
        _table(("", "", "mark", "source"), _machine(site)),
        "## Partitions",
        _table(
            ("partition", "nodes", "cores", "memory", "accelerators", "network cards", "mark", "source"),
            (_partition(site, part) for part in site.partitions),
        ),
        *_notes(site.partitions),
    ]
    if site.settings:
        head = ("what", "when", "gives", "mark", "source")
        parts += ["## Settings", _table(head, map(_setting, site.settings)), *_notes(site.settings)]
    for title, mark in (("Where sources disagree", "!"), ("Not verified", "U")):
        lines = [f"- {place}: {_cell(line[4:])}" for place, line in _doubts(site) if line.startswith(f"[{mark}] ")]
        if lines:
            parts += [f"## {title}", "\n".join(lines)]
    if example:
        parts += ["## Example", f"```console\n{example.rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def overview(sites: Sequence[Site]) -> str:
    """The page that lists them all."""
    head = ("site", "machine", "scheduler", "launcher", "interconnect", "MPI", "images by", "not verified")
    intro = (
        "Each machine is a folder in `site-configs/`: `site.yaml` holds what is known of it, `config.yaml` is the "
        "Snakemake profile. A new one: [add-a-site.md](../add-a-site.md)."
    )
    rows = []
    for site in sites:
        state = f"retired {site.status.retired}" if site.status.retired else site.runtime.kind
        unsure = sum(1 for _ in _doubts(site))
        machine = (f"[{site.name}]({site.name}.md)", site.description, site.scheduler.name, site.launcher.name)
        rows.append((*machine, site.interconnect.description, ", ".join(site.families), state, str(unsure)))
    return "\n\n".join([HEAD.format(name="*"), "# Sites", intro, _table(head, rows)]) + "\n"


def _status(site: Site) -> str:
    status = site.status
    if status.state == "retired":
        return f"**Retired on {status.retired}**" + (
            f"; its successor is {status.successor}." if status.successor else "."
        )
    return "In service" + (f" (as of {status.date})." if status.date else ".")


def _machine(site: Site) -> Iterator[tuple[str, ...]]:
    start, where = site.launcher, site.runtime
    names = [f"`{name}={pattern}`" for name, pattern in site.identity.environment.items()]
    names += [f"host `{pattern}`" for pattern in site.identity.hostnames]
    yield _row("known by", ", ".join(names) or "nothing: it is every machine", site.identity)
    yield _row("scheduler", site.scheduler.name, site.scheduler)
    other = f"; else {', '.join(start.alternatives)}" if start.alternatives else ""
    options = f" `{' '.join(start.options)}`" if start.options else ""
    yield _row("launcher", f"{start.name}{options}, speaks {', '.join(start.pmi) or 'nothing'}{other}", start)
    yield _row("interconnect", f"{site.interconnect.description} ({site.interconnect.provider})", site.interconnect)
    for mpi in site.mpi:
        bind = "may be bound into images" if mpi.bindable else "is not bound into images"
        modules = f", modules {' '.join(mpi.modules)}" if mpi.modules else ""
        yield _row("MPI", f"{mpi.title}: {mpi.family} family, {mpi.library_name}, {bind}{modules}", mpi)
    modules = f", modules {' '.join(where.modules)}" if where.modules else ""
    place = " on compute nodes only" if where.where == "compute" else ""
    yield _row("images by", f"{where.kind} {where.version or ''}".strip() + place + modules, where)
    if site.binds.paths:
        yield _row("binds", " ".join(f"`{path}`" for path in site.binds.paths), site.binds)
    folders = {"scratch": site.storage.scratch, "on the node": site.storage.node_local, "shared": site.storage.images}
    folders["images"] = site.storage.image_cache
    yield _row("storage", ", ".join(f"{name} `{path}`" for name, path in folders.items() if path), site.storage)


def _row(name: str, text: str, fact: Fact) -> tuple[str, ...]:
    return (name, f"{text}. {fact.note}" if fact.note else text, *_read(fact))


def _read(fact: Fact) -> tuple[str, str]:
    """Its mark, and where and when it was read."""
    source = fact.source or ""
    return fact.mark or "", f"{source} ({fact.date})" if fact.date else source


def _partition(site: Site, part: Partition) -> tuple[str, ...]:
    if not site.batch:  # what this machine has is detected, and is no fact of the file
        return (part.name, "1", "detected", "detected", "", "", *_read(part))
    cores = str(part.usable_cores)
    if part.reserved_cores:
        cores += f" of {part.cores} (not {', '.join(map(str, part.reserved_cores))})"
    memory = f"{part.memory_mb / 1000:g} GB" if part.memory_mb else ""
    gpus = ""
    if part.accelerator:
        about = [part.accelerator.arch, part.accelerator.memory_gb and f"{part.accelerator.memory_gb} GB"]
        gpus = f"{part.gpus} x {part.accelerator.model} ({', '.join(filter(None, about))})"
    nics = f"{part.nics.count} x {part.nics.model}" if part.nics else ""
    cpu = ", ".join(filter(None, (part.cpu, part.architecture)))
    return (part.name, str(part.nodes), f"{cores}: {cpu}", memory, gpus, nics, *_read(part))


def _setting(setting: Setting) -> tuple[str, ...]:
    gives = [f"`{name}={value}`" for name, value in setting.environment.items()]
    gives += [f"in the container `{name}={value}`" for name, value in setting.container.items()]
    for title, values in (
        ("modules", setting.modules),
        ("binds", setting.binds),
        ("launcher", setting.launcher_options),
        ("scheduler", setting.scheduler_options),
        ("runtime", setting.flags),
    ):
        if values:
            gives.append(f"{title} " + " ".join(f"`{value}`" for value in values))
    return (setting.description or "", _condition(setting.when), "<br>".join(gives), *_read(setting))


def _condition(when: When) -> str:
    words = []
    if when.nodes:
        words.append("one node" if when.nodes == "one" else "several nodes")
    if when.gpus is not None:
        words.append("accelerators" if when.gpus else "no accelerators")
    lists = (("comm", when.comm), ("MPI by", when.model), ("partition", when.partitions))
    words += [f"{name} {' or '.join(values)}" for name, values in lists if values]
    return ", ".join(words) or "always"


def _notes(facts: Iterable[Fact]) -> list[str]:
    """Notes that are not doubts: doubts have their own sections."""
    return [
        f"{getattr(fact, 'name', None) or getattr(fact, 'description', None)}: {fact.note}."
        for fact in facts
        if fact.note and fact.mark not in ("U", "!")
    ]


def _doubts(site: Site) -> Iterator[tuple[str, str]]:
    return ((place, line) for place, fact in site.facts() for line in fact.doubts)


def _link(url: str) -> str:
    return f"<{url}>" if url.startswith("http") else url


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
