"""A crate that somebody hands over: it is looked at before anything in it is believed."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from deeprc.core.errors import InputError

NAME, ABOUT, METRICS = "ro-crate-metadata.json", "run.json", "metrics.json"


@dataclass(frozen=True)
class Opened:
    """A crate as one file. What it lacks, or has in another form, is an InputError as soon as it is asked for.

    Attributes
    ----------
    archive
        The file.
    """

    archive: Path

    def read(self, name: str) -> bytes:
        """A file of the crate."""
        try:
            with zipfile.ZipFile(self.archive) as archive:
                return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, KeyError, OSError, RuntimeError) as error:
            raise self._none(str(error).strip("'\"")) from error

    @cached_property
    def entities(self) -> list[dict[str, Any]]:
        """What its metadata tell of, each with its `@id`; the crate itself and the workflow are among it."""
        whole = self._json(NAME)
        graph = whole.get("@graph") if isinstance(whole, dict) else None
        if not isinstance(graph, list) or not all(isinstance(_id(each), str) for each in graph):
            raise self._none(f"{NAME} without a list `@graph` of entities with an `@id`")
        root = next((each for each in graph if each["@id"] == "./"), {})
        if not isinstance(_id(root.get("mainEntity")), str):
            raise self._none(f"{NAME} that names no workflow: no `mainEntity` of `./`")
        return graph

    @property
    def main(self) -> str:
        """Its Snakefile."""
        return next(unquote(each["mainEntity"]["@id"]) for each in self.entities if each["@id"] == "./")

    @property
    def about(self) -> dict[str, Any]:
        """What its run.json says."""
        about = self._mapping(ABOUT)
        for key, kind in (("config", dict), ("versions", dict), ("data", list)):
            if not isinstance(about.get(key), kind):
                raise self._none(f"{ABOUT} without `{key}`")
        return about

    @property
    def metrics(self) -> dict[str, Any]:
        """What its metrics.json says."""
        return self._mapping(METRICS)

    def files(self) -> list[zipfile.ZipInfo]:
        """All that is packed in it, without folders."""
        with zipfile.ZipFile(self.archive) as archive:
            return [each for each in archive.infolist() if not each.is_dir()]

    def altered(self) -> list[str]:
        """The files of the crate that are others than its metadata say."""
        there = {each.filename for each in self.files()}
        return [
            name
            for name, sum_ in self._sums().items()
            if name not in there or hashlib.sha256(self.read(name)).hexdigest() != sum_
        ]

    def unsummed(self) -> list[str]:
        """The files of the crate whose SHA-256 its metadata do not say: of a folder that a job made they say none."""
        told, made = self._sums(), self.made_places()
        names = [each.filename for each in self.files()]
        return [name for name in names if name != NAME and name not in told and not within(name, made)]

    def made(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """What jobs made, each with the rule that did."""
        known = {each["@id"]: each for each in self.entities}
        for job in self.entities:
            if job["@id"].startswith("#job-"):
                results = job.get("result") or []
                for each in results if isinstance(results, list) else [results]:
                    yield known.get(_id(job.get("instrument")), {}), known.get(_id(each)) or {"@id": str(_id(each))}

    def made_places(self) -> set[str]:
        """Where in the crate that stands."""
        return {unquote(each["@id"]) for _, each in self.made()}

    def _sums(self) -> dict[str, str]:
        told = {unquote(each["@id"]): each["sha256"] for each in self.entities if "sha256" in each}
        return {name: sum_ for name, sum_ in told.items() if not name.startswith(("#", "ni:"))}

    def _mapping(self, name: str) -> dict[str, Any]:
        found = self._json(name) if self.entities else None  # a crate first
        if not isinstance(found, dict):
            raise self._none(f"{name} with a {type(found).__name__}")
        return found

    def _json(self, name: str) -> object:
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise self._none(f"{name} that is no JSON: {error}") from error

    def _none(self, found: str) -> InputError:
        fix = "`deeprc run crate RESULTS -o …` makes one"
        return InputError("not the crate of a run", where=self.archive, found=found, fix=fix)


def within(name: str, places: Collection[str]) -> bool:
    """Whether a file of the crate is one of these, or lies in one that is a folder."""
    return name in places or any(f"{above}/" in places for above in PurePosixPath(name).parents)


def _id(value: object) -> object:
    """What an entity is called, or a reference to it."""
    return value.get("@id") if isinstance(value, dict) else None
