"""PSI/J's job for the batch system, with what it cannot say: the site's own options, and why it was not taken.

PSI/J knows queue, account, nodes, cores and time. All else that a site wants (`--constraint`, `-l filesystems=…`) is
given to the command that submits the job, as it stands in the site file; a batch system takes a command's options
before those in the job's script.
"""

import io
import json
import os
from pathlib import Path

OPTIONS = "DEEPRC_SUBMIT"  # JSON: the batch system, as site files call it, and the options
REFUSAL = "DEEPRC_REFUSAL"  # the file for the batch system's words


def with_options(submit):
    """`submit` of PSI/J's batch systems, with the options, and with a note of why a job was refused: RADICAL-Pilot
    says FAILED only.

    Here, since the class of each batch system is loaded past Python's imports, and cannot be changed as that happens.
    """

    def submit_and_tell(self, job):
        from deeprc.schedulers import scheduler  # the process that submits is the client's machine's, and has it

        given = json.loads(os.environ[OPTIONS])
        batch, options = scheduler(given["scheduler"]), given["options"]
        command, generate = type(self).get_submit_command, type(self).generate_submit_script

        def get_submit_command(*arguments):
            return batch.submit(command(self, *arguments), options)

        def generate_submit_script(job, context, file):
            text = io.StringIO()
            generate(self, job, context, text)
            file.write(batch.script(text.getvalue(), options))

        self.get_submit_command, self.generate_submit_script = get_submit_command, generate_submit_script
        try:
            return submit(self, job)
        except Exception as error:
            Path(os.environ[REFUSAL]).write_text(str(error))
            raise

    return submit_and_tell


def submission(module):
    """Submit with the site's options (`psij.executors.batch.batch_scheduler_executor`)."""
    module.BatchSchedulerExecutor.submit = with_options(module.BatchSchedulerExecutor.submit)
