"""Which of the processes that run the tests beside each other takes which file."""

from collections import OrderedDict
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

import beside

LEFT = [
    "tests/unit/a.py",
    "tests/integration/pilot/b.py",
    "tests/integration/workflow/c.py",
    "tests/integration/slurm/d.py",
]


@pytest.mark.parametrize(("process", "order"), [("gw0", [0, 2, 1, 3]), ("gw1", [0, 2, 1, 3]), ("gw2", [1, 3, 0, 2])])
def test_each_takes_its_own_and_then_the_others(process, order):
    """By what the scheduler itself sends to a process."""
    scheduler = beside.pytest_xdist_make_scheduler(SimpleNamespace(getvalue=lambda _: ["popen"]), None)
    sent, node = [], Mock(gateway=SimpleNamespace(id=process))
    node.send_runtest_some = sent.extend
    names = [f"{file}::test" for file in LEFT]
    scheduler.registered_collections[node] = names
    scheduler.workqueue = OrderedDict((file, {name: False}) for file, name in zip(LEFT, names, strict=True))
    for _ in LEFT:
        scheduler._assign_work_unit(node)
    assert sent == order
    assert not scheduler.workqueue


def test_the_tests_of_images_are_one_unit_of_work():
    scheduler = beside.pytest_xdist_make_scheduler(SimpleNamespace(getvalue=lambda _: ["popen"]), None)
    scopes = {scheduler._split_scope(f"tests/integration/apptainer/test_{name}.py::test") for name in "ab"}
    assert scopes == {"tests/integration/apptainer/"}
