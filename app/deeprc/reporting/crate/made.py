"""`ro-crate-metadata.json`: RO-Crate 1.1 by the profile Provenance Run Crate 0.5."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from deeprc.core.files import read_json, sha256
from deeprc.core.fingerprint import KEY
from deeprc.reporting import content
from deeprc.reporting.crate.inputs import Input, inputs
from deeprc.reporting.crate.kept import figures
from deeprc.reporting.crate.opened import METRICS
from deeprc.reporting.crate.plain import Hide
from deeprc.reporting.crate.sources import CONFIG
from deeprc.reporting.crate.steps import Jobs, moment
from deeprc.reporting.events import Execution, Run

RESULTS = ("metrics.json", "report.html", "run.json")
WFRUN, WORKFLOW = "https://w3id.org/ro/wfrun", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    f"{WFRUN}/process/0.5": "Process Run Crate",
    f"{WFRUN}/workflow/0.5": "Workflow Run Crate",
    f"{WFRUN}/provenance/0.5": "Provenance Run Crate",
    WORKFLOW: "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
UNSTATED = "not stated"  # the profile wants a licence; which one is for its owners to say
TYPES = {
    ".json": "application/json",
    ".html": "text/html",
    ".csv": "text/csv",
    ".arrow": "application/vnd.apache.arrow.file",
}


class Crate:
    """The metadata of a results folder, as it is put together.

    Parameters
    ----------
    folder
        The results.
    hide
        Makes values fit to leave this machine (`deeprc.reporting.crate.plain`).
    """

    def __init__(self, folder: Path, hide: Hide) -> None:
        self.folder, self._hide, self._parts = folder, hide, []
        self._crate = ROCrate(version="1.1")
        self._crate.metadata.extra_contexts.append(TERMS)

    def add(self, id_: str, type_: str | list[str], **properties: object) -> dict[str, str]:
        """An entity, where it is not yet there; the reference to it. What is None or empty is left out."""
        if self._crate.get(id_) is None:
            told = {key: self._hide(value) for key, value in properties.items() if value not in (None, "", [])}
            self._crate.add(ContextEntity(self._crate, id_, properties={"@type": type_, **told}))
        return {"@id": id_}

    def part(self, id_: str, type_: str | list[str] = "File", **properties: object) -> dict[str, str]:
        """A file or folder that the crate holds or names."""
        if (found := {"@id": id_}) not in self._parts:
            self._parts.append(found)
        return self.add(id_, type_, **properties)

    def file(self, name: str, type_: str | list[str] = "File", **properties: object) -> dict[str, str] | None:
        """A file or folder of the results, with its size and SHA-256; None where it is not there."""
        path = self.folder / name
        if path.is_dir():
            return self.part(quote(name.rstrip("/")) + "/", "Dataset", name=name, **properties)
        if not path.is_file():
            return None
        return self.part(quote(name), type_, name=name, contentSize=str(path.stat().st_size), sha256=sha256(path),
                         encodingFormat=TYPES.get(path.suffix, "text/plain"), **properties)  # fmt: skip

    def value(self, id_: str, name: str, value: object, **properties: object) -> dict[str, str]:
        """A figure, an option or a text by its name."""
        return self.add(id_, "PropertyValue", name=name, value=value, **properties)

    def close(self, **properties: object) -> dict:
        """The whole, as JSON knows it."""
        root = self._crate.root_dataset
        for key, value in {**properties, "hasPart": self._parts}.items():
            root._jsonld[key] = value if key in ("hasPart", "datePublished") else self._hide(value)
        self._crate.metadata._jsonld["conformsTo"] = [{"@id": "https://w3id.org/ro/crate/1.1"}, {"@id": WORKFLOW}]
        return self._crate.metadata.generate()


def made(
    folder: Path, about: dict, run: Run, tasks: Iterable[Execution], sources: list[str], hide: Hide,
    stated: dict | None = None, own: Mapping[str, str] | None = None,
) -> dict:  # fmt: skip
    """The crate's metadata.

    Parameters
    ----------
    folder
        The results, in which the files of the workflow stand already.
    about
        What `run.json` holds.
    run, tasks
        The newest run, and the latest execution of each job.
    sources
        The workflow's files in the crate, the main one first (`deeprc.reporting.crate.sources`).
    stated
        What is known of whose the workflow is: `license`, `authors` (names), and whether it is the study's `own`, so
        that the results are theirs, too.
    own
        Of the rules that are not of Deep RC's workflow: by their names, the Snakefile in the crate that they are from.
    """
    crate, stated = Crate(folder, hide), stated or {}
    read, told = inputs(about, folder), read_json(folder / METRICS) if (folder / METRICS).is_file() else {}
    people = [crate.add(f"#person-{quote(name)}", "Person", name=name) for name in stated.get("authors", [])]
    main = quote(sources[0])
    packages = [
        crate.add(f"#package-{quote(name)}", "SoftwareApplication", name=name, version=version, softwareVersion=version)
        for name, version in about["versions"].items()
    ]
    given = [_input(crate, each) for each in read]
    given += [crate.file(CONFIG, about={"@id": main}, exampleOfWork=[{"@id": "#parameter-configuration"}])]
    given += [crate.value(f"#option-{quote(key)}", key, value) for key, value in content.settings(about["config"])]
    gave = [found for name in RESULTS if (found := crate.file(name, exampleOfWork=[{"@id": f"#parameter-{name}"}]))]
    gave += [crate.value(f"#metric-{quote(key)}", key, value) for key, value in figures(told)]
    jobs = Jobs(crate, tasks, read, packages, own or {})
    for profile, name in PROFILES.items():
        crate.add(profile, "CreativeWork", name=name, version=profile.rsplit("/", 1)[1])
    crate.add(LANGUAGE, "ComputerLanguage", name="Snakemake", url={"@id": "https://snakemake.readthedocs.io"},
              identifier={"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
              version=about["versions"].get("snakemake"))  # fmt: skip
    crate.file(
        sources[0], ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        programmingLanguage={"@id": LANGUAGE}, author=people, license=stated.get("license"),
        hasPart=jobs.tools, step=jobs.steps, input=_parameters(crate, read),
        output=[_parameter(crate, name, [{"@id": name}]) for name in RESULTS if (folder / name).is_file()],
    )  # fmt: skip
    for name in sources[1:]:
        crate.file(name, isPartOf={"@id": main}) if name == CONFIG else crate.file(name, ["File", "SoftwareSourceCode"])
    whole = crate.add(
        f"#run-{run.id}", "CreateAction", name=f"run {run.id}", instrument={"@id": main}, object=given, result=gave,
        startTime=moment(run.begin), endTime=moment(run.end), location=_site(crate, about),
        description=" ".join(about["command"]), actionStatus={"@id": "http://schema.org/CompletedActionStatus"},
    )  # fmt: skip
    engine = crate.add("#engine", "SoftwareApplication", name="Snakemake with Deep RC's executor radical-pilot",
                       version=about["versions"].get("snakemake"), softwareRequirements=packages)  # fmt: skip
    crate.add(f"#engine-{run.id}", "OrganizeAction", name="Snakemake runs the workflow", instrument=engine,
              object=jobs.controls, result=whole, startTime=moment(run.begin), endTime=moment(run.end))  # fmt: skip
    return crate.close(
        name=f"Run {run.id} of {', '.join(about.get(KEY) or {}) or 'a workflow'}",
        description=f"What a run of a Snakemake workflow made by Deep RC {about['versions'].get('deeprc', '')}".strip(),
        datePublished=datetime.fromtimestamp(run.end, UTC).date().isoformat(),
        license=(stated.get("own") and stated.get("license")) or UNSTATED, mainEntity={"@id": main},
        mentions=[whole, *jobs.actions], conformsTo=[{"@id": profile} for profile in PROFILES],
        **({"author": people} if people and stated.get("own") else {}),
    )  # fmt: skip


def _input(crate: Crate, read: Input) -> dict[str, str]:
    size = None if read.size is None else str(read.size)
    return crate.part(
        quote(read.id(crate.folder), safe="/:;"), "File", name=Path(read.name).name, sha256=read.sha256,
        contentSize=size, exampleOfWork=[{"@id": f"#parameter-{quote(Path(read.name).name)}"}],
    )  # fmt: skip


def _parameters(crate: Crate, read: list[Input]) -> list[dict[str, str]]:
    data = [(Path(each.name).name, [{"@id": quote(each.id(crate.folder), safe="/:;")}]) for each in read]
    return [_parameter(crate, name, files) for name, files in [*data, ("configuration", [{"@id": CONFIG}])]]


def _parameter(crate: Crate, name: str, files: list[dict[str, str]]) -> dict[str, str]:
    id_ = f"#parameter-{quote(name)}"
    return crate.add(id_, "FormalParameter", additionalType="File", name=name, workExample=files)


def _site(crate: Crate, about: dict) -> dict[str, str] | None:
    if not (site := about["site"]):
        return None
    facts = {"site file, SHA-256": site["sha256"], **about["machine"]}
    told = [crate.value(f"#site-{quote(key)}", key, value) for key, value in facts.items() if value is not None]
    return crate.add("#site", "Place", name=site["name"], additionalProperty=told)
