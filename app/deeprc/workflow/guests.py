"""The rules of an application, which may be somebody else's: their errors are reported before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from deeprc.applications.base.application import Application
from deeprc.core.errors import ConfigError
from deeprc.core.needs import OURS, THEIRS, distribution, packages
from deeprc.core.undone import stays
from deeprc.images.catalog import Image

STAGE = re.compile(r"python3? (?:-\w+ )*-m ([A-Za-z_][\w.]*)")  # in a rule's command


@contextmanager
def theirs(workflow: Any, application: Application, targets: list[str]) -> Iterator[None]:
    """Around the inclusion of an application's rules, which must make all `targets`.

    Raises
    ------
    ConfigError
        For a stage that is not there; a section of the report that cannot be imported; rules that cannot be read, have
        another's name or one without that of their application; a target that none of them makes; another
        working directory than before.
    """
    file = application.rules or f"rules/{application.name}.smk"
    mend = f"mend the package that the application '{application.name}' is from"
    with stays() as place:
        yield from _looked_at(workflow, application, targets, file, mend)
    if place.left:
        raise ConfigError(
            f"the application '{application.name}' changes the working directory when its rules are read",
            where=file,
            expected="the one that the run was started in, or that --directory names",
            fix=mend,
        )


def _looked_at(workflow: Any, application: Application, targets: list[str], file: object, mend: str) -> Iterator[None]:
    for stage in application.stages:
        _refuse_absent(f"{application.package}.{stage}", f"the stages of '{application.name}'", mend)
    if workflow.is_main_process and distribution(application.name) != OURS:  # a second of imports, once a run
        _refuse_untold(application, mend)
    before = {*workflow.rules}
    try:
        yield
    except ConfigError:
        raise
    except THEIRS as error:
        raise _unreadable(workflow, error, file, mend) from error
    rules = [rule for rule in workflow.rules if rule not in before]
    for rule in rules:
        where = f"{rule.snakefile}:{rule.lineno}"
        if not re.search(f"(^|_){application.name}_", rule.name):  # before it, what `use rule * as` puts there
            raise ConfigError(
                f"a rule of the application '{application.name}' cannot be called so",
                where=where,
                found=rule.name,
                expected=f"a name that begins with {application.name}_, so that it is nobody else's",
                fix=mend,
            )
        for module in STAGE.findall(rule.shellcmd or ""):
            _refuse_absent(module, f"{where}: rule {rule.name}", mend)
    for target in targets:
        if not any(rule.is_producer(target) for rule in rules):
            raise ConfigError(
                f"no rule of the application '{application.name}' makes {Path(target).name}, which it says it leaves",
                where=file,
                found=", ".join(str(made) for rule in rules for made in rule.output),
                expected=target,
                fix=mend,
            )


def lacking(
    image: Image, applications: Iterable[Application], holds: Callable[[], set[str] | None]
) -> Iterator[ConfigError]:
    """An error for each application whose stages want what the image that jobs run in does not hold.

    `holds` says which packages are in it, where that is known; it is asked for applications of other packages only.
    """
    applications = list(applications)
    guests = [application for application in applications if distribution(application.name) != OURS]
    if guests and (held := holds()) is not None:
        for application in guests:
            wanted = packages(application.name)
            if absent := [name for name in wanted if canonicalize_name(name) not in held]:
                yield ConfigError(
                    f"the pipeline '{application.name}' cannot run in the image {image.name}, which lacks its packages",
                    found=", ".join(f"no {name}" for name in absent),
                    expected=f"{', '.join(wanted)} in the image's SBOM",
                    fix="name an image that holds them by --radical-pilot-image, or leave the pipeline out:"
                    " --config pipelines=…",
                )
    for application in applications:
        for need in application.needs:
            if need.stage not in image.stages:
                yield ConfigError(
                    f"the pipeline '{application.name}' cannot run in the image {image.name}: it holds no {need.stage}",
                    found=", ".join(image.stages),
                    expected=need.stage,
                    fix="name another image by --radical-pilot-image, or leave the pipeline out: --config pipelines=…",
                )


def without_engine(engine: str, image: Image | None, holds: Callable[[], set[str] | None]) -> Iterator[ConfigError]:
    """An error where the jobs of prepare would not find Cylon; `image` and `holds` as above, None: they run here."""
    if engine != "cylon":
        return
    if image is None:
        there, found = find_spec("pycylon") is not None, "no module pycylon in this environment"
    else:
        there = "cylon" in image.stages or "pycylon" in (holds() or ())
        found = f"no pycylon in the image {image.name}"
    if not there:
        yield ConfigError(
            "engine cylon: the jobs of prepare cannot use it",
            where="the key 'engine'",
            found=found,
            expected="pycylon where prepare runs (docs/frames.md#engine-cylon)",
            fix="leave out the key: our own engine does the same",
        )


def _refuse_absent(module: str, where: str, mend: str) -> None:
    try:
        found = find_spec(module)
    except THEIRS as error:  # a package that cannot be imported
        raise ConfigError(
            f"cannot import {module}", where=where, found=f"{type(error).__name__}: {error}", fix=mend
        ) from error
    if found is None:
        raise ConfigError(f"there is no module {module}", where=where, fix=mend)


def _refuse_untold(application: Application, mend: str) -> None:
    """Refuse a section of the report that the last stage could not make."""
    where = f"the section of '{application.name}' in the report"
    try:
        told = application.report()
    except THEIRS as error:
        raise ConfigError(
            "it cannot be imported", where=where, found=f"{type(error).__name__}: {error}", fix=mend
        ) from error
    if absent := [name for name in ("read", "section") if not callable(getattr(told, name, None))]:
        raise ConfigError(f"it has no function {' and no '.join(absent)}", where=where, found=repr(told), fix=mend)


def _unreadable(workflow: Any, error: BaseException, file: object, mend: str) -> ConfigError:
    from snakemake.exceptions import CreateRuleException, get_exception_origin

    if isinstance(error, CreateRuleException):  # without its own lines
        where = f"{error.filename or file}:{error.lineno}" if error.lineno else file
        return ConfigError(str(error).strip(), where=where, fix=mend)
    if isinstance(error, SyntaxError):
        line, file, said = error.lineno, error.filename or file, error.msg
    else:
        line, file = get_exception_origin(error, workflow.linemaps) or (None, file)
        said = f"{type(error).__name__}: {error}"
    return ConfigError("these rules cannot be read", where=f"{file}:{line}" if line else file, found=said, fix=mend)
