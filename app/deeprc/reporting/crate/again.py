"""A crate's run once more, in a folder of its own: what is needed is compared first, and the metrics after it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deeprc.core.errors import ConfigError, InputError, command
from deeprc.core.files import sha256, write_text
from deeprc.core.fingerprint import KEY, differences
from deeprc.core.shipped import SHIPPED, installed
from deeprc.reporting.crate.inputs import Input, inputs
from deeprc.reporting.crate.kept import ABOUT, METRICS
from deeprc.reporting.crate.made import NAME
from deeprc.reporting.crate.sources import CONFIG, FOLDER

RESULTS = "results"
LARGEST = 1 << 30  # bytes that a file of a crate may unpack to


@dataclass(frozen=True)
class Rerun:
    """A crate that is to run again.

    Attributes
    ----------
    archive
        The crate.
    folder
        Where: it is not there yet, or empty.
    data
        Folders or files in which inputs are looked for that the crate only names.
    """

    archive: Path
    folder: Path
    data: tuple[Path, ...] = ()

    def read(self, name: str) -> bytes:
        """A file of the crate.

        Raises
        ------
        InputError
            Where it is no crate of a run.
        """
        try:
            with zipfile.ZipFile(self.archive) as archive:
                return archive.read(name)
        except (zipfile.BadZipFile, KeyError) as error:
            raise InputError(
                "not the crate of a run", where=self.archive, found=str(error).strip("'\""),
                fix="`deeprc run crate RESULTS -o …` makes one",
            ) from error  # fmt: skip

    @property
    def about(self) -> dict[str, Any]:
        """What its run.json says."""
        return json.loads(self.read(ABOUT))

    def altered(self) -> list[str]:
        """The files of the crate that are others than its metadata say."""
        whole = json.loads(self.read(NAME))["@graph"]
        told = [(unquote(each["@id"]), each["sha256"]) for each in whole if "sha256" in each and each["@id"][0] != "#"]
        with zipfile.ZipFile(self.archive) as archive:
            there = set(archive.namelist())
            return [
                name
                for name, sum_ in told
                if not name.startswith("ni:")
                and (name not in there or hashlib.sha256(archive.read(name)).hexdigest() != sum_)
            ]

    def versions(self) -> list[str]:
        """What is installed here in another version, each as `numpy 2.4.6 here 2.5.0`."""
        told = {name: each for name, each in self.about["versions"].items() if name != "python"}
        here = installed(told)
        python = self.about["versions"].get("python")
        now = ".".join(map(str, sys.version_info[:3]))
        found = [] if python in (None, now) else [f"python {python}, here {now}"]
        others = [(name, each) for name, each in told.items() if here.get(name) != each]
        return found + [f"{name} {each}, here {here.get(name, 'none')}" for name, each in others]

    def unpack(self) -> list[Input]:
        """Lay the crate's workflow, configuration and inputs into the folder; return the inputs that were not found.

        Raises
        ------
        ConfigError
            For a folder that holds something.
        InputError
            For a crate that was altered.
        """
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ConfigError("the folder is not empty: nothing in it is overwritten", where=self.folder,
                              fix="name one that is not there yet by --folder")  # fmt: skip
        if changed := self.altered():
            raise InputError("the crate was altered", where=self.archive, found=", ".join(changed),
                             expected="files of the SHA-256 that its metadata say")  # fmt: skip
        with zipfile.ZipFile(self.archive) as archive:
            for member in archive.infolist():
                wanted = member.filename.startswith((f"{FOLDER}/", "data/"))
                if member.is_dir() or not wanted:
                    continue
                if ".." in Path(member.filename).parts or member.file_size > LARGEST:
                    raise InputError("no file of a crate", where=self.archive, found=member.filename)
                into = self.folder / (RESULTS if member.filename.startswith("data/") else "") / member.filename
                into.parent.mkdir(parents=True, exist_ok=True)
                into.write_bytes(archive.read(member))
        return self._settle()

    def _settle(self) -> list[Input]:
        """Name the inputs where they are now in the configuration; return those that are nowhere."""
        config = json.loads((self.folder / CONFIG).read_text(encoding="utf-8")) | {"results": RESULTS}
        about, lacking = self.about, []
        about["config"] = config
        for each in inputs(about, self.folder / RESULTS):
            found = each.path or self._looked_for(each)
            if found is None:
                lacking.append(each)
                continue
            given = (config.get(each.pipeline) or {}).get("path")
            if isinstance(given, str) and Path(given).name == found.name:
                config[each.pipeline]["path"] = str(found.absolute())
        write_text(self.folder / CONFIG, json.dumps(config, indent=1, ensure_ascii=False) + "\n")
        return lacking

    def _looked_for(self, wanted: Input) -> Path | None:
        name = Path(wanted.name).name
        places: Iterable[Path] = (place for each in self.data for place in (each, each / name))
        return next((place for place in places if place.is_file() and sha256(place) == wanted.sha256), None)

    def start(self, site: str, words: Iterable[str] = ()) -> int:
        """Run it by Snakemake in the folder; its exit code."""
        whole = json.loads(self.read(NAME))["@graph"]
        main = next(each["mainEntity"]["@id"] for each in whole if each["@id"] == "./")
        profile = SHIPPED / "site-configs" / site
        if not (profile / "config.yaml").is_file():
            raise ConfigError(f"no Snakemake profile of the site {site!r}", where=profile, fix="name another by --site")
        argv = [str(Path(sys.executable).with_name("snakemake")), "--profile", str(profile)]
        argv += ["--snakefile", unquote(main), "--configfile", CONFIG, *words]
        print(f"in {self.folder}: {command('snakemake', *argv[1:])}", file=sys.stderr, flush=True)
        return subprocess.run(argv, cwd=self.folder, env={**os.environ, "PWD": str(self.folder.absolute())}).returncode

    def apart(self) -> list[str]:
        """What its metrics were made from that is not the same, in words: options, code, libraries."""
        made = self.folder / RESULTS / METRICS
        old, new = json.loads(self.read(METRICS)), json.loads(made.read_bytes()) if made.is_file() else {}
        return [
            f"{name}: {why}"
            for name in sorted(old.keys() & new.keys())
            for why in differences(old[name].get(KEY), new[name].get(KEY))
        ]

    def equal(self) -> bool:
        """Whether the metrics that came out are the crate's, byte by byte."""
        made = self.folder / RESULTS / METRICS
        return made.is_file() and made.read_bytes() == self.read(METRICS)
