"""`deeprc rerun CRATE`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from deeprc.core.errors import InputError


def rerun(
    crate: Annotated[Path, typer.Argument(help="a crate, as `deeprc run crate` makes it")],
    folder: Annotated[Path, typer.Option(help="where: it is not there yet, or empty")] = Path("rerun"),
    site: Annotated[str | None, typer.Option(help="the machine; else the site that the crate's run was on")] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="a file, or a folder with files, that the crate only names; repeatable")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="refuse other versions, instead of telling them")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON at the end")] = False,
) -> None:
    """Run a crate's workflow again in a fresh folder: exit code 0 only if its metrics, and what rules of your own made,
    are the crate's, byte by byte.

    1: they are others; 2: it could not begin, or did not end well.

    Example: `deeprc rerun crate.zip`

    Example: `deeprc rerun crate.zip --folder again --data ~/loads.csv`
    """
    from deeprc.pilot.environment import check_path
    from deeprc.reporting.crate.again import RESULTS, Rerun
    from deeprc.reporting.crate.kept import difference, find

    check_path(folder.resolve(), what="the folder of the rerun", fix="name one of letters, digits and _ - . + = @, in"
               " folders of such names, by --folder")  # fmt: skip
    again = Rerun(crate, folder, tuple(data or ()))
    site = site or (again.about.get("site") or {}).get("name") or "localhost"
    again.profile(site)
    if versions := again.versions():
        if strict:
            raise InputError("other versions than the crate's", where=crate, found="; ".join(versions),
                             fix="install these, or leave out --strict")  # fmt: skip
        for each in versions:
            typer.echo(f"another version: {each}", err=True)
    if lacking := again.unpack():
        wanted = "; ".join(f"{each.name} (SHA-256 {each.sha256})" for each in lacking)
        raise InputError("inputs that the crate only names were not found, or are others", where=crate,
                         expected=wanted, fix="name them, or their folder, by --data")  # fmt: skip
    code = again.start(site)
    if code:
        raise InputError(
            "the run did not end well", where=folder, found=f"exit code {code}", fix="see what it said above"
        )
    equal, runs, results = again.equal(), folder / ".deeprc" / "runs", folder / RESULTS
    own = {each.name: each.same(results) for each in again.own()}
    alike, others, untold = ([name for name, same in own.items() if same is each] for each in (True, False, None))
    found = {} if equal else difference(find(str(crate), runs), find(str(results), runs))
    if as_json:
        told = {"equal": equal and not others, "versions": versions, "differs": found, "made from": again.apart(),
                "products": {"same": alike, "differ": others, "not compared": untold}}  # fmt: skip
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        of = "the crate's, byte by byte" if equal else "not the crate's"
        typer.echo(f"{results / 'metrics.json'} is {of}")
        for why in () if equal else again.apart():
            typer.echo(f"  {why}")
        for key, (old, new) in found.get("metrics", {}).items():
            typer.echo(f"  {key}  {old} → {new}")
        for name, same in own.items():
            said = {True: "is the crate's, byte by byte", False: "is not the crate's"}
            typer.echo(f"{results / name} {said.get(same, 'is a folder that the crate does not hold: not compared')}")
    raise typer.Exit(int(not equal or bool(others)))
