"""Run by the rule `script_environment`: what the kernel has given to this program."""

import os
from pathlib import Path

Path(snakemake.output[0]).write_bytes(b"\0".join(b"=".join(each) for each in os.environb.items()))  # noqa: F821
