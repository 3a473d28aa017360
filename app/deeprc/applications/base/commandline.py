"""What the command lines of all stages have in common; `deeprc.core.stage.run` starts a stage's `main`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel

from deeprc.core.errors import ConfigError
from deeprc.core.validation import validate
from deeprc.learning import config as learning

Model = TypeVar("Model", bound=BaseModel)

Prepared = Annotated[Path, typer.Option(help="the folder that prepare wrote")]
Trained = Annotated[Path, typer.Option(help="the folder that train wrote")]
Device = Annotated[learning.Device, typer.Option(help="what the model is computed on")]
Threads = Annotated[int, typer.Option(min=1, help="threads to compute with")]


def options(kind: type[Model], text: str, option: str = "--config") -> Model:
    """The options in the JSON that a stage was given by `option`.

    Raises
    ------
    ConfigError
        For what is no JSON, or the first key or value that is wrong.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", where=option, found=text[:80]) from None
    return validate(kind, values, where=option)
