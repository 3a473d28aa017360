"""Which shape of pilots each job goes to; one that fits none is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snakemake_interface_common.exceptions import WorkflowError

from deeprc.core.errors import DeepRCError
from snakemake_executor_plugin_radical_pilot import direct
from snakemake_executor_plugin_radical_pilot.asking import asks
from snakemake_executor_plugin_radical_pilot.resources import PlacementError, Request
from snakemake_executor_plugin_radical_pilot.routing import preferred

if TYPE_CHECKING:
    from snakemake_executor_plugin_radical_pilot.kinds import PilotKind


class Routes:
    """Between the jobs of a run and the shapes of its pilots."""

    def __init__(self, kinds: Sequence[PilotKind]) -> None:
        self._kinds = kinds
        self._known: dict[tuple, PilotKind] = {}  # jobs of a rule that ask for the same go the same way

    def check(self, jobs: Sequence) -> None:
        """Raise an error for the first job that fits no pilot, as far as it is known what it asks for."""
        if len(self._kinds) == 1:
            return  # the plan of its pilot has looked
        for job in jobs:
            try:
                self.kind(job)
            except WorkflowError:
                continue  # a resource that is computed from a file which is not there yet

    def kind(self, job) -> PilotKind:
        """The shape that a job goes to: the first that fits, those that waste accelerators last."""
        if len(self._kinds) == 1:
            return self._kinds[0]
        asked, rule = asks(job), direct.rule_name(job)
        key = rule, asked
        if key not in self._known:
            self._known[key] = self._find(job, rule, asked)
        return self._known[key]

    def _find(self, job, rule: str, asked: Request) -> PilotKind:
        why = []
        for number in preferred(asked, [kind.room for kind in self._kinds]):
            kind = self._kinds[number]
            try:
                kind.asking.request(job, kind.template)
            except DeepRCError as error:
                why.append(f"{kind.text}: {error.problem.removeprefix(f'rule {rule} ').removeprefix(f'rule {rule}: ')}")
                continue
            return kind
        raise PlacementError(
            f"rule {rule} fits none of the pilots",
            found=words(asked),
            expected="what one of them has\n    " + "\n    ".join(why),
            fix="ask for less, or give another shape (--radical-pilot-pilots)",
        )


def words(asked: Request) -> str:
    """What a job asks for."""
    parts = [f"{asked.ranks} rank{'s' * (asked.ranks > 1)} x {asked.cores_per_rank} cores"]
    parts += [f"{asked.gpus} accelerators"] if asked.gpus else []
    parts += [f"{asked.memory_mb} MB of memory"] if asked.memory_mb else []
    parts += [f"{asked.nodes} nodes"] if asked.nodes else []
    parts += [f"{asked.minutes:g} min"] if asked.minutes else []
    parts += [f"of model {', '.join(asked.models)}"] if asked.models else []
    return ", ".join(parts)
