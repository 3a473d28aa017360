"""When a training ends before its last step: nothing gets better any more, or others of a sweep are better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.learning.config import Halving

Validations = Sequence[tuple[int, float]]  # (step, loss)
Stop = Callable[[Validations], str | None]


def patient(validations: Validations, patience: int | None) -> str | None:
    """Why to stop where the last `patience` validations had no smaller loss than those before; else None."""
    losses = [loss for _, loss in validations]
    if patience is None or len(losses) - 1 - losses.index(min(losses)) < patience:
        return None
    return f"no smaller validation loss in {patience} validation{'s' * (patience > 1)}"


class Rivals:
    """Other trainings of a sweep, which write their validation losses into one file beside ours.

    Asynchronous successive halving (Li et al. 2020, arXiv:1810.05934), by Optuna.

    Parameters
    ----------
    file
        Optuna's journal, on a file system that all trainings see.
    among
        What the losses can be compared within: trainings of the same data and code and of the same sweep, whose losses
        are measured in one way.
    name
        Ours; a training that goes on has the name that it had.
    """

    def __init__(self, file: Path, halving: Halving, *, among: str, name: str) -> None:
        try:
            import optuna
            from optuna.storages.journal import JournalFileBackend
        except ImportError:
            raise ConfigError(
                "successive halving needs Optuna", found="no module optuna", fix="pip install optuna"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        file.parent.mkdir(parents=True, exist_ok=True)
        self.study = optuna.create_study(
            study_name=among,
            # Absolute: Optuna's lock is a link to it beside it, and one that leads nowhere is waited for without end.
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(file.absolute()))),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=halving.first, reduction_factor=halving.factor),
            load_if_exists=True,
        )
        mine = (one for one in self.study.get_trials(deepcopy=False) if one.user_attrs.get("name") == name)
        if (found := next(mine, None)) is not None:
            self.trial = optuna.trial.Trial(self.study, found._trial_id)
        else:
            self.trial = self.study.ask()
            self.trial.set_user_attr("name", name)
        mine = self.study.get_trials(deepcopy=False)[self.trial.number]
        self.told, self.ended = {*mine.intermediate_values}, mine.user_attrs.get("ended")

    def __call__(self, validations: Validations) -> str | None:
        """Why to stop, after the last of these validations; else None."""
        count = len(validations)
        for number, (_, loss) in enumerate(validations, 1):
            if number not in self.told:
                self.told.add(number)
                self.trial.report(loss, number)
        # Optuna decides once about a validation: what it said of an earlier one holds in a training that goes on.
        if self.ended is None and count == max(self.told) and self.trial.should_prune():
            self.ended = count
            self.trial.set_user_attr("ended", count)
        return "other trials of the sweep are better" if self.ended == count else None
