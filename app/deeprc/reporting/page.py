"""The page: template, style, script, charts and plotly.js in one file that needs nothing else."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from deeprc.core.errors import InputError
from deeprc.core.fingerprint import KEY
from deeprc.reporting import content, tables, words
from deeprc.reporting.activity import activity, where
from deeprc.reporting.alternatives import of_timeline
from deeprc.reporting.before import RunBefore
from deeprc.reporting.events import Execution, Run
from deeprc.reporting.figures.timeline import timeline
from deeprc.reporting.figures.usage import in_words, usage
from deeprc.reporting.section import Section, chart, safe


@cache
def environment(*packages: str) -> Environment:
    """The page's templates, and those of the sections' packages as `<package>/<file>`; an unknown name is an error."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader("deeprc.reporting"), PrefixLoader({name: _of(name) for name in packages})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        name: getattr(words, name)
        for name in ("number", "fixed", "signed", "duration", "moment", "percent", "listing", "few")
    }
    made.filters |= {"where": where, "csv": tables.link, "file_name": tables.file_name}
    templates = files("deeprc.reporting") / "templates"
    made.globals |= {
        "count": words.count,
        "css": Markup((templates / "report.css").read_text(encoding="utf-8")),
        "js": Markup((templates / "report.js").read_text(encoding="utf-8")),
        "plotlyjs": Markup(get_plotlyjs()),
    }
    return made


def render(
    sections: Sequence[Section],
    *,
    run: Run | None,
    tasks: list[Execution],
    provenance: dict,
    absent: Sequence[str] = (),
    left_out: Sequence[str] = (),
    before: RunBefore | None = None,
) -> str:
    """The whole page as HTML.

    Parameters
    ----------
    sections
        What the applications tell, the most important one first: the page's headline is its.
    run
        The newest run, or None where no events were recorded.
    tasks
        The latest execution of each stage, whichever run it was in.
    provenance
        What run.json holds.
    absent
        Pipelines without results.
    left_out
        Why runs could not be read.
    before
        The run before, with what became of its figures.
    """
    templates = environment(*dict.fromkeys(section.package for section in sections))
    return templates.get_template("report.html.j2").render(
        sections=sections,
        shown=[_shown(templates, section) for section in sections],
        absent=absent,
        run=activity(run, tasks) | _charts(run) if run else None,
        provenance=provenance,
        made_from=safe(json.dumps({KEY: provenance.get(KEY)})),
        settings=content.settings(provenance["config"]),
        left_out=left_out,
        before=before,
    )


def _charts(run: Run) -> dict[str, str]:
    """Those of the run, with what they show in words."""
    return {
        "timeline": chart(timeline(run)),
        "alternative": of_timeline(run),
        "usage": chart(usage(run)),
        "used": in_words(run),
    }


def _of(package: str) -> PackageLoader:
    """The templates of a section's package, which may be somebody else's."""
    try:
        return PackageLoader(package)
    except (ValueError, ImportError) as error:
        raise InputError("this package has no folder templates", where=package, found=str(error)) from error


def _shown(templates: Environment, section: Section) -> Markup:
    """A section as HTML; an InputError names the file and line of its template that cannot be rendered."""
    try:
        macros = templates.get_template("macros.html.j2").make_module()
        return Markup(templates.get_template(f"{section.package}/{section.file}").render(section=section, m=macros))
    except Exception as error:  # somebody else's template, and what it does with values
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
        name, line = (
            (frames[-1].filename, frames[-1].lineno) if frames else (section.file, getattr(error, "lineno", None))
        )
        raise InputError(
            f"the section '{section.name}' of the report cannot be rendered",
            where=f"{name}:{line}" if line else f"{section.package}/{section.file}",
            found=f"{type(error).__name__}: {error}",
            fix="mend this template, or what the application gives it as values",
        ) from error
