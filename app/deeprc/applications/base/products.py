"""What a pipeline has left in its folder, beside what it should have been made from."""

from __future__ import annotations

from pathlib import Path

from deeprc.applications.base.application import METRICS, Application
from deeprc.applications.base.trial import Trial
from deeprc.core.fingerprint import MixError, Record, differences, read, refuse


def stale(case: Trial, record: Record) -> dict[Path, list[str]]:
    """The products of a case that are not of `record` (the one that its metrics should have), each with the reasons.

    What is not there is not stale: whoever asks knows what to do about it.
    """
    found = case.products(record)
    told = {path: list(differences(read(path), expected)) for path, expected in found.items() if path.exists()}
    return {path: reasons for path, reasons in told.items() if reasons}


def refuse_mixed(application: Application, folder: Path) -> None:
    """Raise a MixError for a product in `folder` that is not of the data and options that its metrics are of."""
    record = read(folder / METRICS)
    if record is None:  # of a stage that was run by hand on data of one's own making
        return
    for path, expected in application.products(folder, record).items():
        if path.exists():
            refuse(path, read(path), expected, folder / METRICS)


def refuse_untold(application: Application, folder: Path, options: object) -> None:
    """Raise a MixError where the metrics in `folder` do not say all `options` that they are made with: another value
    would not be seen, or they would be made anew at each start."""
    record = read(folder / METRICS)
    if record is None or not isinstance(options, dict):
        return
    wanted = application.inferring(application.configuration.model_validate(options))
    if absent := sorted(wanted.keys() - record.get("infer", {}).keys()):
        raise MixError(
            "this does not say which options it was made with",
            where=folder / METRICS,
            found=f"nothing of {', '.join(absent)}",
            expected="`fingerprint.inferred` of all that neither prepare nor train take",
            fix=f"mend the stage that writes it; if they change no result: `untold` of '{application.name}'",
        )
