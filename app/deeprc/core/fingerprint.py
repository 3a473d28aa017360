"""What a product was made from: each carries it under `made_from`, so that no stage mixes what does not fit together.

A record holds `data` (file name to SHA-256), `prepare` (the options of the preparation), `code` (`deeprc.core.code`:
that of the application and of what it computes with, of the stage that prepared: another one redoes all from there on)
and, from the model on, `train` (the options of the training); from the predictions on, `infer`, where there are options
that only later stages take. That of metrics may have `installed`: versions of packages that the evaluation uses where
they are there. What a stage must do:

- `check`, `prepare`: `prepared(files, options)` of what they read, in `check.json` and `meta.json`;
- `train`: `trained(meta["made_from"], options)`, in `model.json`; of several models the options begin with the model's
  name, so that another one's weights or forecasts with the same options are not taken for it;
- `predict`: `refuse` a model of other data; its predictions carry the model's record (`to_arrow`);
- any stage after `train` that takes options of its own: `inferred(record, options)` of that record;
- `evaluate`: `refuse` predictions of other data or of another model; in `metrics.json` a `trained` record (of several
  models, the options by model);
- the report: refuses what does not fit the metrics (`deeprc.applications.base.products`); in `run.json` and
  in the page's head the metrics' records by pipeline.

Ranks and threads are in no record: prepared data are the same for any number of ranks, and threads change sums in
their last digits only. The workflow compares the records with what the configuration and the data say now
(`deeprc.workflow`), and makes anew what differs: that is the cure which an error names. Code is compared there alone:
the check is made outside the image that later stages may run in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deeprc.core import code
from deeprc.core.contents import Contents
from deeprc.core.errors import DeepRCError

KEY = "made_from"
HEAD = 1 << 18  # bytes of an Arrow or HTML file in which its record stands
Record = dict[str, Any]


class MixError(DeepRCError):
    """A product that was made from other data or with other options than what it is to be used with."""


def prepared(files: Mapping[str, Path], options: Mapping[str, Any]) -> Record:
    """The record of data prepared from `files` (by name) with `options`, whose values JSON knows."""
    own = code.of_stage()
    return {"data": Contents().of(files), "prepare": dict(options)} | ({"code": own} if own else {})


def trained(made_from: Record | None, options: Mapping[str, Any]) -> Record | None:
    """The record of a model trained on prepared data whose record is `made_from`; None where those have none."""
    return made_from and {**made_from, "train": dict(options)}


def part_of(made_from: Record | None) -> Record | None:
    """The record of the prepared data that a model, its predictions or metrics are of."""
    return made_from and {key: value for key, value in made_from.items() if key not in ("train", "infer", "installed")}


def inferred(made_from: Record | None, options: Mapping[str, Any]) -> Record | None:
    """The record of what is made of a model by `options` of later stages; that of the model, where there are none."""
    return made_from and {**made_from, **({"infer": dict(options)} if options else {})}


def of_model(made_from: Record | None) -> Record | None:
    """The record of the model that predictions or metrics are of."""
    return made_from and {key: value for key, value in made_from.items() if key not in ("infer", "installed")}


def without_code(made_from: Record | None) -> Record | None:
    """The record, with nothing that is to be compared of the code and of what is installed beside it."""
    return made_from and {key: value for key, value in made_from.items() if key not in ("code", "installed")}


def refuse(where: object, found: Record | None, expected: Record | None, of: object) -> None:
    """Raise a MixError where the product at `where` is not of the data and options that `of` is of.

    Products that carry no record at all (of the stages run by hand on data of one's own making) pass where neither
    has one.
    """
    if reasons := list(differences(found, without_code(expected))):
        raise MixError(
            f"made from other data or options than {of}",
            where=where,
            found="; ".join(reasons),
            fix="start the workflow again: it makes anew whatever does not fit",
        )


def differences(found: Record | None, expected: Record | None) -> Iterator[str]:
    """What tells the two records apart, as a person says it: `horizon 24 → 48`, `ETTh1.csv has changed`.

    The code counts where `expected` names it, and so does what is installed.
    """
    if found is None or expected is None:
        if found is not expected:
            yield "it does not say what it was made from" if found is None else "nothing is known of the other"
        return
    if new := expected.get("code"):
        yield from _changes(found.get("code") or {}, new)
    old, new = found.get("data", {}), expected.get("data", {})
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name} " + ("is new" if name not in old else "is gone" if name not in new else "has changed")
    if "installed" in expected:
        yield from _versions(found.get("installed") or {}, expected["installed"])
    for part in ("prepare", "train", "infer"):
        old, new = (record.get(part) or {} for record in (found, expected))
        for model in sorted(old.keys() ^ new.keys()):
            if isinstance({**old, **new}[model], dict):
                yield f"{model} is " + ("new" if model in new else "left out")
        both = [name for name in old if name in new or not isinstance(old[name], dict)]
        both += [name for name in new if name not in old and not isinstance(new[name], dict)]
        old, new = (dict(_flat({name: part[name] for name in both if name in part})) for part in (old, new))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield f"{name} {_said(old.get(name))} → {_said(new.get(name))}"


def to_arrow(made_from: Record | None) -> dict[str, str]:
    """The metadata that an Arrow file's schema carries the record in."""
    return {KEY: json.dumps({KEY: made_from}, ensure_ascii=True)}


def from_arrow(metadata: Mapping[bytes, bytes] | None) -> Record | None:
    """The record in the metadata of an Arrow file's schema."""
    return json.loads(text)[KEY] if (text := (metadata or {}).get(KEY.encode())) else None


def read(product: Path) -> Record | None:
    """The record of a product: a JSON, Arrow or HTML file (the last two not read as such), or a folder that holds one.

    None where it carries none, or is not whole.
    """
    try:
        if product.is_dir():
            product = next(path for name in ("meta.json", "model.json") if (path := product / name).is_file())
        if product.suffix == ".json":
            value = json.loads(product.read_text(encoding="utf-8"))
        else:
            with product.open("rb") as handle:
                head = handle.read(HEAD)
            # It stands first in the file, as plain text: in the metadata of the schema, or of the page.
            value = json.JSONDecoder().raw_decode(head[head.index(b'{"' + KEY.encode()) :].decode(errors="replace"))[0]
        record = value.get(KEY)
    except (OSError, ValueError, StopIteration, AttributeError):
        return None
    return record if isinstance(record, dict) else None


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What tells one code from another (`deeprc.core.code`)."""
    if old.keys() != new.keys():
        yield f"the code of {new['name']} was not yet written down"
        return
    if any(old[key] != new[key] for key in ("name", "version", "sha256")):
        versions = old["version"], new["version"]
        told = f" ({' → '.join(versions)})" if all(versions) and len({*versions}) == 2 else ""
        yield f"the code of {new['name']} has changed{told}"
    yield from (
        f"the code of {each} has changed" for each, sum_ in new["below"].items() if old["below"].get(each) != sum_
    )
    yield from _versions(old["libraries"], new["libraries"])


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name} {_said(old.get(name))} → {_said(new.get(name))}"


def _flat(options: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _said(value: object) -> str:
    return "(none)" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
