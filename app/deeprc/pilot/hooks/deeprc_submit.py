"""PSI/J's job for the batch system, with what it cannot say: the site's own options, and why it was not taken.

PSI/J knows queue, account, nodes, cores and time. All else that a site wants (`--constraint`, `-l filesystems=…`) is
given to the command that submits the job, as it stands in the site file; a batch system takes a command's options
before those in the job's script.
"""

import json
import os
from pathlib import Path

OPTIONS = "DEEPRC_SUBMIT"  # JSON: the options
REFUSAL = "DEEPRC_REFUSAL"  # the file for the batch system's words


def with_options(submit):
    """`submit` of PSI/J's batch systems, with the options, and with a note of why a job was refused: RADICAL-Pilot
    says FAILED only.

    Here, since the class of each batch system is loaded past Python's imports, and cannot be changed as that happens.
    """

    def submit_and_tell(self, job):
        command = type(self).get_submit_command

        def get_submit_command(*arguments):
            program, *rest = command(self, *arguments)
            return [program, *json.loads(os.environ[OPTIONS]), *rest]

        self.get_submit_command = get_submit_command
        try:
            return submit(self, job)
        except Exception as error:
            Path(os.environ[REFUSAL]).write_text(str(error))
            raise

    return submit_and_tell
