"""All stages as the jobs of one workflow, in one pilot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deeprc.bench.batch.stages import BatchStage
from deeprc.bench.ways import snakemake
from deeprc.sites import Partition

MINUTES = 60  # that the pilot may live

SNAKEFILE = """\
localrules: all

rule all:
    input: {files}

rule stage:
    output: "{{op}}-{{rows}}-{{ranks}}-{{number}}.json"
    resources:
        tasks=lambda wildcards: int(wildcards.ranks),
        warm=lambda wildcards: "polars,pyarrow" if wildcards.ranks == "1" else "mpi4py.MPI,polars,pyarrow",
    shell: "python -P -m deeprc.bench.batch.work {{wildcards.op}} {{wildcards.rows}} {{output}}"
"""


def run(stages: Sequence[BatchStage], folder: Path, site: str, partition: Partition, nodes: int) -> None:
    """Run them; what a stage has found is in a file of its name."""
    files = [f"{stage.name}.json" for stage in stages]
    (folder / "Snakefile").write_text(SNAKEFILE.format(files=files))
    options = ["--executor", "radical-pilot", "--jobs", "1000", "--scheduler", "greedy", "--keep-going"]
    options += ["--radical-pilot-site", site, "--radical-pilot-partition", partition.name]
    options += ["--radical-pilot-nodes", str(nodes), "--radical-pilot-image", "none"]
    options += ["--radical-pilot-runtime", str(min(MINUTES, partition.max_minutes or MINUTES))]
    snakemake(folder, [*options, "--quiet", "host", "progress", "reason", "rules"])
