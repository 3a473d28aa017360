"""Hypothesis' profiles: `pytest --hypothesis-profile=NAME`; without one, `ci` where the variable CI is set, else `dev`.

`dev` draws other examples in each run, and remembers those that failed (.hypothesis/); `ci` draws the same ones in each
run; `long` draws twenty times as many as `dev`: for a night, or after a change of what is tested.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = 20

settings.register_profile(
    "dev",
    settings.get_profile("default"),  # not the profile in force: hypothesis itself takes its own `ci` where CI is set
    deadline=None,  # a busy machine is no fault
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.register_profile("long", settings.get_profile("dev"), max_examples=LONG * 100)


def load(name: str | None = None) -> None:
    """Take the profile called `name`, else the one that fits where we are."""
    settings.load_profile(name or ("ci" if os.environ.get("CI") else "dev"))


def current() -> str:
    """The profile in force, for processes that a test starts."""
    return settings.get_current_profile_name()


def examples(usual: int) -> int:
    """How many examples a test draws that is too slow, or too wide, for hypothesis' 100."""
    return usual * LONG if current() == "long" else usual
