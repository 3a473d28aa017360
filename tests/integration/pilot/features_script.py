"""Run by the rule `scripted` through Snakemake's `script:`."""

from pathlib import Path

Path(snakemake.output[0]).write_text(f"by {snakemake.rule}\n")  # noqa: F821
