"""What all models of a user's configuration have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel, ValidationInfo, field_validator


class Settings(BaseModel):
    """A part of the configuration in which true and false are not numbers: pydantic takes them for 1 and 0."""

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        kinds = set(_leaves(cls.model_fields[info.field_name or ""].annotation))
        if kinds & {int, float} and bool not in kinds and any(isinstance(leaf, bool) for leaf in _values(value)):
            raise ValueError("Input should be a number, and true and false are none")
        return value


def _leaves(annotation: object) -> Iterator[object]:
    """The types that an annotation is made of."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for each in inner:
        yield from _leaves(each)


def _values(value: object) -> Iterator[object]:
    """A value, or those of a list or mapping."""
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _values(inner)
    else:
        yield value
