from pathlib import Path

Path(snakemake.output[0]).write_text("scripted\n")  # noqa: F821  Snakemake puts it there
