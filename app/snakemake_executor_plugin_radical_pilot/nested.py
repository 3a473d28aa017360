"""`python -P -m …nested -m snakemake …`: the Snakemake of one job, whose own subprocesses show no variables.

Snakemake writes those of `envvars:` into their command lines, which every user of the machine can read. They have them
in their environment anyway. Its own command line has no secrets but for options of storage that no variable stands for.
"""

import runpy
import sys

from snakemake_executor_plugin_radical_pilot import commandline, internals

if __name__ == "__main__":
    commandline.hide()
    internals.show_no_variables()
    del sys.argv[1]
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
