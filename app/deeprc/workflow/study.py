"""A study of one's own: a folder in which `snakemake --profile site/localhost` ends with a report (`deeprc init`)."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deeprc.applications.config import schema
from deeprc.applications.registry import MINE, absent, applications
from deeprc.core.errors import ConfigError, unknown
from deeprc.core.files import storage_error, write_text
from deeprc.core.needs import distribution
from deeprc.sites.load import known_sites, load_site, site_file

FILES = Path(__file__).with_name("study_files")
PLUGIN = "snakemake_executor_plugin_radical_pilot"
IGNORED = ("results*/", ".snakemake/", ".deeprc/", "__pycache__/", "*.sif")


@dataclass(frozen=True)
class Study:
    """What is to be made.

    Attributes
    ----------
    folder
        It does not exist yet, or is empty.
    applications, sites
        The pipelines that run, and the machines that there is a Snakemake profile for; known ones.
    """

    folder: Path
    applications: list[str]
    sites: list[str]

    def check(self) -> None:
        """Raise a ConfigError for an unknown name, a retired site, or a folder that holds something."""
        for name in self.applications:
            if name not in applications():
                raise absent(name)
        for name in self.sites:
            if name not in known_sites():
                raise unknown("site", name, known_sites())
            status = load_site(name).status
            if status.state == "retired":
                fix = (
                    f"take its successor {status.successor}" if status.successor else "`deeprc sites` lists the others"
                )
                raise ConfigError(f"{name} was retired on {status.retired}", fix=fix)
            if not _profile(name).is_file():
                raise ConfigError(f"site {name!r} has no Snakemake profile", where=_profile(name))
        self._check_place()
        if self.folder.is_dir() and (held := sorted(path.name for path in self.folder.iterdir())):
            shown = ", ".join(held[:3]) + (" …" if len(held) > 3 else "")
            raise ConfigError(
                "the study's folder is not empty: nothing in it is overwritten",
                where=self.folder,
                found=shown,
                fix="name a folder that is not there yet",
            )

    def _check_place(self) -> None:
        """Refuse a path at which no study can be made, or from which none could run."""
        other = "name a folder that is not there yet, below one that is"
        for path in (self.folder, *self.folder.parents):
            if path.is_symlink() and not path.exists():
                found = f"a link to {path.readlink()}, which is not there"
                raise ConfigError("a dangling link, where a folder should be", where=path, found=found,
                                  fix=f"remove it, or {other}")  # fmt: skip
            if path.exists() and not path.is_dir():
                what = "the study's folder" if path == self.folder else "a folder above the study's"
                raise ConfigError(f"is a file, where {what} should be", where=path, fix=other)
        from deeprc.pilot.environment import check_path  # the command line is in images, too, where no pilot is

        check_path(
            self.folder.resolve(),
            what="the study's folder",
            fix="name one of letters, digits and _ - . + = @ (letters of any script, such as ä)",
        )

    def texts(self) -> dict[str, str]:
        """What its files hold, by their paths in the folder."""
        return {
            "workflow/Snakefile": (FILES / "Snakefile").read_text(encoding="utf-8"),
            "workflow/scripts/summary.py": (FILES / "summary.py").read_text(encoding="utf-8"),
            "config/config.yaml": self._configuration(),
            "config/config.schema.json": _schema(),
            **{f"site/{name}/config.yaml": profile(name) for name in self.sites},
            "data/README.md": "Your own data, if you have some: config/config.yaml says where.\n",
            "README.md": self._readme(),
            ".gitignore": "".join(f"{name}\n" for name in IGNORED),
        }

    def make(self) -> list[Path]:
        """Write the study; return its files, relative to its folder.

        Raises
        ------
        ConfigError
            See `check`: nothing has been written then.
        StorageError
            Where the folder cannot be written.
        """
        self.check()
        for name, text in self.texts().items():
            try:
                write_text(self.folder / name, text)
            except OSError as error:
                raise storage_error(error, self.folder) from error
        return [Path(name) for name in self.texts()]

    def missing(self) -> list[dict[str, str]]:
        """What its stages import and this environment lacks: `module`, and what brings it (`install`)."""
        wanted = {PLUGIN: "snakemake-executor-plugin-radical-pilot"}
        for name in self.applications:
            for need in applications()[name].needs:
                wanted |= dict.fromkeys(need.modules, f"{distribution(name)}[{need.extra}]")
        return [{"module": each, "install": by} for each, by in wanted.items() if not importlib.util.find_spec(each)]

    def around(self) -> Path | None:
        """The study that its folder lies in, if it does."""
        marks = ("workflow/Snakefile", "config/config.schema.json")
        above = self.folder.absolute().parents
        return next((path for path in above if all((path / mark).is_file() for mark in marks)), None)

    def _configuration(self) -> str:
        own = "".join(f"\n# {name}:\n#   path: data/…" for name in self.applications)
        return (
            "# What the study does. A key that is left out has its default; an unknown one is an error.\n"
            "# yaml-language-server: $schema=config.schema.json\n"
            "results: results          # everything is written below this folder\n"
            f"pipelines: [{', '.join(self.applications)}]\n"
            "\n# Public data are fetched where no path is given. Yours, relative to the study's folder:"
            f"{own}\n"
            f"\n# Options of your own rules: Deep RC does not look at them.\n{MINE}:\n  digits: 4\n"
        )

    def _readme(self) -> str:
        runs = "\n".join(f"$ snakemake --profile site/{name}" for name in self.sites)
        text = (FILES / "README.md").read_text(encoding="utf-8")
        return text.replace("NAME", self.folder.absolute().name).replace("RUNS", runs)


def profile(site: str) -> str:
    """The Snakemake profile of a site for a study: Snakemake finds the study's Snakefile by itself."""
    lines = _profile(site).read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith("snakefile:"))


def _profile(site: str) -> Path:
    return site_file(site).with_name("config.yaml")


def _schema() -> str:
    made = schema()
    made["properties"][MINE] = {"description": "Options of your own rules."}
    return json.dumps(made, indent=1) + "\n"


def chosen(names: Iterable[str] | None) -> list[str]:
    """Those applications, or all that are installed; each once."""
    return list(dict.fromkeys(names or applications()))
