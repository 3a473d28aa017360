"""Snakemake executor that runs a workflow's jobs as tasks of RADICAL-Pilot's pilots: `--executor radical-pilot`."""

from snakemake_executor_plugin_radical_pilot import early  # noqa: F401

# isort: split
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.masking import Masker, masked_words
from deeprc.core.ownership import require_closed
from deeprc.core.umask import require_umask
from deeprc.pilot.queueing import Queueing
from snakemake_executor_plugin_radical_pilot import (
    commandline,
    detach,
    foretelling,
    internals,
    interrupting,
    shapes,
)
from snakemake_executor_plugin_radical_pilot.executor import Executor

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


def _plainly(check: Callable[[list[str]], None]) -> None:
    try:
        check(sys.argv)
    except DeepRCError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


_plainly(commandline.check_files)


def _setting(default, help_text: str, kind: type | None = str):
    return field(default=default, metadata={"help": help_text} | ({"type": kind} if kind else {}))


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """The settings `--radical-pilot-*`."""

    site: str = _setting("localhost", "The site: the name of a known one, or the path of a site.yaml.")
    partition: str | None = _setting(None, "The site's partition; its first one if not given.")
    nodes: int = _setting(1, "Nodes of the pilot.", int)
    cores: int | None = _setting(None, "Cores of a node to use, instead of all that the site file gives.", int)
    runtime: int = _setting(240, "How long the pilot may live, minutes.", int)
    gpus = None  # a pilot's shape may say how many accelerators of a node it takes; without it, it takes all

    pilots: list[str] = field(
        default_factory=lambda: ["1"],
        metadata={
            "help": "Pilots that may be taken one after the other, where one is lost or its time is over before all is"
            " done; or several at once, of the shapes given (`partition=NAME,nodes=2,max=3 …`), or `auto`: chosen by"
            " what jobs ask for.",
            "nargs": "+",
        },
    )
    idle: int = _setting(
        60, "Seconds without a job after which a pilot ends, where `pilots` gives shapes or `auto`.", int
    )
    grace: int = _setting(
        30, "Seconds from the signal that asks a job to end (its runtime is over, or Ctrl-C) to the one that makes it.",
        int,
    )  # fmt: skip
    account: str | None = _setting(None, "Whom the batch system charges for the pilot.")
    qos: str | None = _setting(None, "The batch system's quality of service for the pilot.")
    constraint: str | None = _setting(
        None, "Features that the pilot's nodes must have, beside those that the site file asks for."
    )
    reservation: str | None = _setting(None, "The batch system's reservation that the pilot runs in.")
    exclusive: bool = _setting(False, "Ask for nodes that are the pilot's alone.", None)
    image: str | None = _setting(
        None, "The image for jobs: a variant of the catalog, or `none`; the one that fits best, if not given."
    )
    folder: str = _setting(".deeprc", "Private folder, in the working directory, for all files of pilots and jobs.")
    keep: bool = _setting(False, "Keep the pilot's own files after a run without failures, too.", None)

    detach: bool = _setting(
        False, "Leave a run that goes on without this terminal; `deeprc run attach` shows it.", None
    )

    def __post_init__(self) -> None:
        interrupting.tell_plainly()
        interrupting.let_in()
        self.began_in = Path.cwd()
        _plainly(lambda argv: internals.check())
        commandline.hide()
        line, shown, mask = " ".join(sys.argv), " ".join(masked_words(sys.argv)), Masker.of(os.environ, argv=sys.argv)
        internals.mask_messages(lambda text: mask(text.replace(line, shown)))  # Snakemake shows its command
        _plainly(lambda argv: (require_umask(), require_closed(Path.cwd()), commandline.check(argv)))
        _plainly(lambda argv: detach.attach(Path(self.folder), argv))
        _plainly(lambda argv: self._look())
        internals.foretell(lambda workflow, dag: foretelling.tell(self, workflow, dag))

    def _look(self) -> None:
        """What is wrong with the settings themselves is told before anything else is done."""
        self.wish = shapes.read(self.pilots)
        for name in ("idle", "grace"):
            if getattr(self, name) < 0:
                where = f"--radical-pilot-{name}"
                raise ConfigError("no such time", where=where, found=getattr(self, name), expected="0 s or more")

    @property
    def queueing(self) -> Queueing:
        """What the batch system is asked for besides nodes and time."""
        return Queueing(self.account, self.qos, self.constraint, self.reservation, self.exclusive)


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)
