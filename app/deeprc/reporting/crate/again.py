"""A crate's run once more, in a folder of its own: what is needed is compared first, and what it made after it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.errors import ConfigError, InputError, command
from deeprc.core.files import sha256, write_text
from deeprc.core.fingerprint import KEY, differences
from deeprc.core.shipped import SHIPPED, installed
from deeprc.reporting.crate.beginning import DATA, laid, refuse_masked, steered
from deeprc.reporting.crate.inputs import Input, inputs
from deeprc.reporting.crate.opened import METRICS, Opened
from deeprc.reporting.crate.products import Product, products
from deeprc.reporting.crate.sources import CONFIG

RESULTS = "results"
LARGEST = 1 << 30  # bytes that a file of a crate may unpack to


@dataclass(frozen=True)
class Rerun(Opened):
    """A crate that is to run again.

    Attributes
    ----------
    folder
        Where: it is not there yet, or empty.
    data
        Folders or files in which inputs are looked for that the crate only names.
    """

    folder: Path
    data: tuple[Path, ...] = ()

    def versions(self) -> list[str]:
        """What is installed here in another version, each as `numpy 2.4.6 here 2.5.0`."""
        versions = self.about["versions"]
        told = {name: each for name, each in versions.items() if name != "python"}
        here = installed(told)
        python = versions.get("python")
        now = ".".join(map(str, sys.version_info[:3]))
        found = [] if python in (None, now) else [f"python {python}, here {now}"]
        others = [(name, each) for name, each in told.items() if here.get(name) != each]
        return found + [f"{name} {each}, here {here.get(name, 'none')}" for name, each in others]

    def unpack(self) -> list[Input]:
        """Lay the crate's workflow, configuration and inputs into the folder; or return the inputs that were not found.

        Where there are such, or it raises, nothing is left there.

        Raises
        ------
        ConfigError
            For a folder that holds something.
        InputError
            For a crate that was altered, whose metadata do not say what each file is, or whose configuration was
            masked or would lay the results elsewhere.
        """
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ConfigError("the folder is not empty: nothing in it is overwritten", where=self.folder,
                              fix="name one that is not there yet by --folder")  # fmt: skip
        if changed := self.altered():
            raise InputError("the crate was altered", where=self.archive, found=", ".join(changed),
                             expected="files of the SHA-256 that its metadata say")  # fmt: skip
        if unknown := self.unsummed():
            raise InputError("the crate's metadata say no SHA-256 of files in it", where=self.archive,
                             found=", ".join(unknown), expected="one of each file: nobody knows what these are",
                             fix="`deeprc run crate RESULTS -o …` makes a crate that says them")  # fmt: skip
        config = self._mapping(CONFIG)
        refuse_masked(config, self.archive)
        config = steered(config, self.about["config"].get("results"), RESULTS, self.archive)
        places = laid([each.filename for each in self.files()], self.made_places(), RESULTS)
        for member in self.files():
            if member.filename in places and (".." in Path(member.filename).parts or member.file_size > LARGEST):
                raise InputError("no file of a crate", where=self.archive, found=member.filename)
        counts = Counter(places.values())
        if twice := [name for name, place in places.items() if counts[place] > 1]:
            raise InputError("files of the crate that would be one", where=self.archive, found=", ".join(twice),
                             expected="a place for each below the folder")  # fmt: skip
        if not (lacking := self._settle(config, places)):
            self._lay(places, config)
        return lacking

    def _settle(self, config: dict, places: Mapping[str, str]) -> list[Input]:
        """Name the inputs where they are, or will be laid, in the configuration; return those that are nowhere."""
        about, lacking = self.about, []
        for each in inputs(about, self.folder / RESULTS):
            found = each.path or self._held(each, places) or self._looked_for(each)
            if found is None:
                lacking.append(each)
                continue
            given = (about["config"].get(each.pipeline) or {}).get("path")
            if isinstance(given, str) and Path(given).name == found.name:
                within = config.get(each.pipeline)
                if not isinstance(within, dict) or "path" not in within:
                    raise InputError(
                        f"the workflow gives `{each.pipeline}` its own data otherwise than by the key"
                        f" `{each.pipeline}.path` of its configuration", where=self.archive, found=given,
                        fix="unpack the crate and run its workflow by snakemake, with the data where they were",
                    )  # fmt: skip
                within["path"] = str(found.absolute())
        return lacking

    def _lay(self, places: Mapping[str, str], config: dict) -> None:
        """Write all of it; what was written is removed where that breaks off."""
        fresh = [each for each in (self.folder, *self.folder.parents) if not each.exists()]
        try:
            for name, place in places.items():
                into = self.folder / place
                into.parent.mkdir(parents=True, exist_ok=True)
                into.write_bytes(self.read(name))
            write_text(self.folder / CONFIG, json.dumps(config, indent=1, ensure_ascii=False) + "\n")
        except BaseException:
            for each in fresh[-1:] or [*self.folder.iterdir()]:
                shutil.rmtree(each) if each.is_dir() else each.unlink(missing_ok=True)
            raise

    def _held(self, wanted: Input, places: Mapping[str, str]) -> Path | None:
        """Where an input that the crate itself holds will lie."""
        name = DATA + Path(wanted.name).name
        return self.folder / places[name] if name in places and self._sums().get(name) == wanted.sha256 else None

    def _looked_for(self, wanted: Input) -> Path | None:
        name = Path(wanted.name).name
        places: Iterable[Path] = (place for each in self.data for place in (each, each / name))
        return next((place for place in places if place.is_file() and sha256(place) == wanted.sha256), None)

    def profile(self, site: str) -> Path:
        """The Snakemake profile of a site; a ConfigError where there is none."""
        profile = SHIPPED / "site-configs" / site
        if not (profile / "config.yaml").is_file():
            raise ConfigError(f"no Snakemake profile of the site {site!r}", where=profile, fix="name another by --site")
        return profile

    def start(self, site: str, words: Iterable[str] = ()) -> int:
        """Run it by Snakemake in the folder; its exit code."""
        argv = [str(Path(sys.executable).with_name("snakemake")), "--profile", str(self.profile(site))]
        # Whatever configuration files say: the crate's has all of it, as it was.
        argv += ["--snakefile", self.main, "--configfile", CONFIG, "--replace-workflow-config", *words]
        print(f"in {self.folder}: {command('snakemake', *argv[1:])}", file=sys.stderr, flush=True)
        return subprocess.run(argv, cwd=self.folder, env={**os.environ, "PWD": str(self.folder.absolute())}).returncode

    def apart(self) -> list[str]:
        """What its metrics were made from that is not the same, in words: options, code, libraries."""
        made = self.folder / RESULTS / METRICS
        old, new = self.metrics, json.loads(made.read_bytes()) if made.is_file() else {}
        return [
            f"{name}: {why}"
            for name in sorted(old.keys() & new.keys())
            for why in differences(old[name].get(KEY), new[name].get(KEY))
        ]

    def equal(self) -> bool:
        """Whether the metrics that came out are the crate's, byte by byte."""
        made = self.folder / RESULTS / METRICS
        return made.is_file() and made.read_bytes() == self.read(METRICS)

    def own(self) -> list[Product]:
        """What rules made that are not of Deep RC's workflow, by their names."""
        return sorted((each for each in products(self) if each.own), key=lambda each: each.name)
