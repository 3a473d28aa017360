"""Every key of the configuration, another value of it, and the jobs that depend on it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from deeprc.applications.config import config_model
from deeprc.applications.forecasting.config import DataConfig as ForecastingData
from deeprc.applications.forecasting.config import ModelConfig
from deeprc.applications.hydrology.config import DataConfig as HydrologyData
from deeprc.applications.hydrology.config import TrainConfig as HydrologyTraining

BASE = {
    "forecasting": {"dataset": "ett", "path": "mine.csv", "target": "load", "models": {"GRU": {}, "NHITS": {}}},
    "hydrology": {"path": ["a.csv", "b.csv"]},
}
REPORT = {"report": 1}
MODELS = {"forecasting_train": 2, "forecasting_predict": 2, "forecasting_evaluate": 1, **REPORT}
ONE_MODEL = {**MODELS, "forecasting_train": 1, "forecasting_predict": 1}
FORECASTING = {"forecasting_check": 1, "forecasting_prepare": 1, **MODELS}
NETWORK = {"hydrology_train": 1, "hydrology_predict": 1, "hydrology_evaluate": 1, **REPORT}
HYDROLOGY = {"hydrology_check": 1, "hydrology_prepare": 1, **NETWORK}
# What cannot be told from the type of a key: what to set, and what then depends on it where that is not the rule.
VALUES = {
    "forecasting.dataset": {"dataset": "csv"},
    "forecasting.path": {"path": "other.csv"},
    "forecasting.split": {"split": [0.6, 0.2]},
    "forecasting.models": {"models": {"GRU": {}, "NHITS": {}, "TCN": {}}},
    "forecasting.input_size": {"input_size": 200},
    "forecasting.intervals": {"intervals": [80]},
    "forecasting.step": {"step": "2h"},
    "forecasting.separator": {"separator": ";"},
    "forecasting.training.optimisation": {"optimisation": {"clip": 0.5}},
    "forecasting.training.synchronisation": {"ranks": 2, "synchronisation": {"kind": "fp16"}},
    "forecasting.training.shards": {"reproducible": "elastic", "shards": 8},
    "forecasting.training.mlflow": {"mlflow": "none"},
    "forecasting.models.GRU.loss": {"loss": "mse"},  # what is written out as it is anyhow changes nothing
    "forecasting.models.GRU.level": {"level": "mean"},
    "forecasting.models.GRU.calendar": {"calendar": False},
    "hydrology.dataset": {"dataset": "camels-us", "path": "camels"},
    "hydrology.forcing": {"dataset": "camels-us", "path": "camels", "forcing": "maurer"},
    "hydrology.columns": {
        "dataset": "csv",
        "columns": {"discharge": "q", "rain": "p", "date": "d"},
        "discharge_unit": "l/s",
    },
    "hydrology.split": {"split": [0.6, 0.2]},
    "hydrology.split_dates": {"split_dates": ["1985-01-01", "1987-01-01"]},
    "hydrology.areas": {"areas": {"a": 3.5}},
    "hydrology.path": {"path": ["a.csv", "other.csv"]},
    "hydrology.separator": {"separator": ";"},
    "hydrology.variant": {"variant": "paper"},
}
for key in ("discharge_unit", "attributes"):
    VALUES[f"hydrology.{key}"] = {**VALUES["hydrology.columns"], key: {"discharge_unit": "m3/s"}.get(key, "att.csv")}
DEPENDS = {
    "results": "everything",
    "min_free_mb": {},
    "pipelines": REPORT,
    "forecasting.models": ONE_MODEL,
    "forecasting.path": FORECASTING,
    "forecasting.steps": MODELS,
    "forecasting.learning_rate": MODELS,
    "forecasting.batch_size": MODELS,
    "forecasting.seed": MODELS,
    "forecasting.intervals": MODELS,
    "forecasting.with_validation": MODELS,
    "forecasting.ranks": {},
    "forecasting.threads": {},
    "forecasting.training.reproducible": MODELS,
    "forecasting.training.precision": MODELS,
    "forecasting.training.shards": MODELS,
    "forecasting.training.synchronisation": MODELS,
    "forecasting.training.optimisation": MODELS,
    "hydrology.path": HYDROLOGY,
    "hydrology.variant": HYDROLOGY,  # which gives the window, too
    "hydrology.ranks": {},
    "hydrology.threads": {},
    **{f"forecasting.models.GRU.{key}": ONE_MODEL for key in ModelConfig.model_fields},
}


def keys() -> Iterator[tuple[str, dict]]:
    """Every key of the schema, dotted, with what the schema says of it."""
    schema = config_model().model_json_schema()
    for name, about in schema["properties"].items():
        if name == "sweep":  # other jobs, not the same ones made anew (test_sweep.py)
            continue
        section = schema["$defs"].get(f"{name.capitalize()}Config")
        if section is None:
            yield name, about
        else:
            yield from ((f"{name}.{key}", inner) for key, inner in section["properties"].items() if key != "training")
    for key, inner in schema["$defs"]["ModelConfig"]["properties"].items():
        yield f"forecasting.models.GRU.{key}", inner
    for key, inner in schema["$defs"]["TorchTraining"]["properties"].items():
        yield f"forecasting.training.{key}", inner


def other(about: dict) -> object:
    """A value of the type of a key that is not its default."""
    about = next((kind for kind in about.get("anyOf", []) if kind["type"] != "null"), about) | {
        "default": about.get("default")
    }
    if "enum" in about:
        return next(value for value in about["enum"] if value != about["default"])
    return {
        "boolean": lambda: not about["default"],
        "integer": lambda: (about["default"] or 7) + 1,
        "number": lambda: (about["default"] or 0.25) / 2,
        "string": lambda: "x",
        "array": lambda: ["x"],
        "object": lambda: {"encoder_hidden_size": 9} if "options" in about.get("title", "").lower() else {"x": 9},
    }[about["type"]]()


def depends(key: str) -> dict:
    """The jobs that depend on a key."""
    section, _, name = key.partition(".")
    kinds = {
        "forecasting": [(ForecastingData, FORECASTING)],
        "hydrology": [(HydrologyData, HYDROLOGY), (HydrologyTraining, NETWORK)],
    }.get(section, [])
    return DEPENDS.get(key) or next((jobs for kind, jobs in kinds if name in kind.model_fields), {})


def changed(key: str, about: dict) -> dict:
    """BASE with another value of `key`."""
    config = json.loads(json.dumps(BASE))
    *parents, last = key.split(".")
    inner = config
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner |= VALUES.get(key) or {last: {"results": "elsewhere", "pipelines": ["hydrology"]}.get(key, other(about))}
    return config
