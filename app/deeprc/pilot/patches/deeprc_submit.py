"""PSI/J's job for the batch system, with what it cannot say: the site's own options, and why it was not taken.

PSI/J knows queue, account, nodes, cores and time. All else that a site wants (`--constraint`, `-l filesystems=…`) is
given to the command that submits the job, as it stands in the site file; a batch system takes a command's options
before those in the job's script.
"""

import io
import json
import os
import re
from pathlib import Path

OPTIONS = "DEEPRC_SUBMIT"  # JSON: the options
REFUSAL = "DEEPRC_REFUSAL"  # the file for the batch system's words


# `bsub FILE` runs the file as a command, its #BSUB lines unread, unless lsf.conf says LSB_BSUB_PARSE_SCRIPT=Y (IBM
# Spectrum LSF 10.1, job_script); every LSF reads them from its input.
FROM_INPUT = 'file=$1; shift; exec bsub "$@" < "$file"'


def for_lsf(script):
    """PSI/J's script for LSF, without the nodes and slots, which the command's options say as the site has them.

    PSI/J writes `-nnodes`, which is IBM's Cluster System Manager's, and a line with `-env` for each variable, though
    the option takes one list (bsub.env).
    """
    lines = []
    for line in script.splitlines():
        variable = re.fullmatch(r"#BSUB -env (\w+)=(.*)", line)
        if variable:
            lines.append(f"export {variable[1]}={variable[2]}")
        elif not re.match(r"#BSUB -(nnodes|n) ", line):
            lines.append(line)
    return "\n".join([*lines, ""])


def with_options(submit):
    """`submit` of PSI/J's batch systems, with the options, and with a note of why a job was refused: RADICAL-Pilot
    says FAILED only.

    Here, since the class of each batch system is loaded past Python's imports, and cannot be changed as that happens.
    """

    def submit_and_tell(self, job):
        command = type(self).get_submit_command

        generate = type(self).generate_submit_script

        def get_submit_command(*arguments):
            program, *rest = command(self, *arguments)
            options = json.loads(os.environ[OPTIONS])
            if program == "bsub":
                return ["/bin/sh", "-c", FROM_INPUT, program, *rest, *options]
            return [program, *options, *rest]

        def generate_submit_script(job, context, file):
            text = io.StringIO()
            generate(self, job, context, text)
            file.write(for_lsf(text.getvalue()) if "#BSUB" in text.getvalue() else text.getvalue())

        self.get_submit_command, self.generate_submit_script = get_submit_command, generate_submit_script
        try:
            return submit(self, job)
        except Exception as error:
            Path(os.environ[REFUSAL]).write_text(str(error))
            raise

    return submit_and_tell
