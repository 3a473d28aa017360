"""The pages of docs/sites: they show a plan, so they are above `deeprc.sites`."""

from __future__ import annotations

from pathlib import Path

from deeprc.launch.choose import make_plan
from deeprc.launch.text import as_text
from deeprc.sites import Site, known_sites, load_site
from deeprc.sites.page import overview, render


def example(site: Site) -> str | None:
    """A plan over two nodes, on accelerators where there are some; None where it depends on the reader's machine."""
    if not site.batch:
        return None
    part = next((part for part in site.partitions if part.gpus), site.partition())
    nodes = min(2, part.nodes)
    options = {"partition": part.name, "nodes": nodes, "ranks": nodes * (part.gpus or part.usable_cores)}
    options |= {"gpus_per_rank": 1, "comm": "ccl"} if part.gpus else {}
    stage = "train" if part.gpus else "prepare"
    command = ["python", "-m", f"deeprc.applications.forecasting.{stage}"]
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    line = " ".join(["$ deeprc plan", "--site", site.name, *words, "--", *command])
    return f"{line}\n{as_text(make_plan(site.name, command, **options))}"


def write_pages(out: Path) -> list[Path]:
    """A page for each known site, and the overview."""
    out.mkdir(parents=True, exist_ok=True)
    sites = [load_site(name) for name in known_sites()]
    texts = {f"{site.name}.md": render(site, example(site)) for site in sites} | {"README.md": overview(sites)}
    for name, text in texts.items():
        (out / name).write_text(text)
    return [out / name for name in texts]
