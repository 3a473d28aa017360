"""`make test` in three processes beside each other: two compute; the third has the tests that mostly wait.

Each takes the next of its files whose tests none has begun, in the order of `pytest_collection_modifyitems`, and those
of the others once it has none left; the tests of a file, or of a folder in TOGETHER, share what a fixture has made for
them. A few tests, asked for by name, are run by the process that was started: no other has to collect them first.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

import builds

TOGETHER = ("tests/integration/apptainer/",)  # one registry, one published image
# For pilots that start, for limits that pass, for a batch system: beside them a core has little to do.
WAITING = tuple(f"tests/integration/{name}/" for name in ("pilot", "slurm", "gridengine", "modules", "doctor"))
WAITS = "gw2"  # the process that begins with them


def following(scopes: Iterable[str], process: str) -> str:
    """What this process takes of what is left."""
    first, *others = scopes
    mine = (scope for scope in (first, *others) if scope.startswith(WAITING) == (process == WAITS))
    return next(mine, first)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """What one process takes at a time: a file, or a folder."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((each for each in TOGETHER if nodeid.startswith(each)), nodeid.partition("::")[0])

        def _assign_work_unit(self, node) -> None:
            self.workqueue.move_to_end(following(self.workqueue, node.gateway.id), last=False)
            super()._assign_work_unit(node)

    return ByFile(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes: three for the whole, none but this one where tests are chosen. `-n 2` or `-n 0` says else."""
    options = ("keyword", "markexpr", "lf", "stepwise", "trace", "setuponly", "setupplan")
    chosen = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or any(map(config.getoption, options))
    return 0 if chosen or config.getoption("capture") == "no" else 3


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Each process has a temporary folder of its own, as short as that of one: a socket's name has 107 characters."""
    if hasattr(config, "workerinput"):
        config.option.basetemp = None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(ids: list[str]) -> None:
    """The images are built by none of them: who is done first must not end what another waits for."""
    if any(each.startswith(TOGETHER) for each in ids):
        builds.begin(builds.REAL)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say at once which test has failed: processes beside each other print no names of files."""
    if report.failed and hasattr(report, "node"):
        terminal = report.node.config.pluginmanager.getplugin("terminalreporter")
        terminal.ensure_newline()
        terminal.write_line(f"FAILED {report.nodeid}")


def pytest_unconfigure() -> None:
    builds.end()
