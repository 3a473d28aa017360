"""What a user has asked for and does not get."""

from __future__ import annotations

from snakemake_interface_common.exceptions import WorkflowError


class RefusedError(WorkflowError):
    """What a user has asked for is refused: Snakemake shows the words, and no line of ours."""

    # Snakemake prints the traceback's lines that are not its own.
    __traceback__ = property(lambda self: None, lambda self, traceback: None)


RefusedError.__name__ = WorkflowError.__name__  # Snakemake prints it, too
