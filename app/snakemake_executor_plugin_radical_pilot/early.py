"""What the executor does as soon as it is imported, which Snakemake does late in its own imports, as it begins.

To be imported before anything else of ours: what follows takes a second on a slow machine, and so long a Ctrl-C would
show the lines that were just being imported. Before that nothing of ours is there. Of another program than Snakemake
nothing is changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from snakemake_executor_plugin_radical_pilot.interrupting import tell_plainly

program = Path(sys.argv[0])
if "snakemake" in (program.name, program.parent.name):  # its script, or `python -m`
    tell_plainly()
