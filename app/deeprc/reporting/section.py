"""What an application tells the report: its results, and the section that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import plotly.graph_objects as go
import polars as pl
from markupsafe import Markup

UNJUDGED = "The results could not be judged: no observed values in the part that tests"


@dataclass(frozen=True)
class Score:
    """A figure that runs are compared by.

    Attributes
    ----------
    key, of
        Whose it is: in every run alike, and for people.
    what
        Which it is.
    value
        None where it is not known.
    better
        Which way.
    under
        What must be the same in both runs, or the two are of different things: the horizon, the days that test.
    """

    key: str
    of: str
    what: str
    value: float | None
    better: Literal["lower", "higher"]
    under: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What a pipeline left behind.

    Attributes
    ----------
    metrics
        As its last stage wrote them.
    check
        As its check of the data wrote it; empty where it is missing.
    """

    metrics: dict
    check: dict

    def tables(self) -> dict[str, pl.DataFrame]:
        """What else is written as CSV beside the report, by name: its predictions."""
        return {}

    def scores(self) -> list[Score]:
        """The figures of the test part that it is compared by with the run before, the most important kind first."""
        return []


@dataclass(frozen=True)
class Card:
    """A figure of the summary: what it is, its value, what follows that in small letters, and a sentence."""

    label: str
    value: str
    text: str
    small: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    name
        The application's.
    title
        Its heading, and its name in the navigation.
    package
        The package in whose folder `templates` its template stands.
    values
        What the template shows, as `section.values`. Figures are made safe by `chart`.
    headline
        The page's first sentence, if there is something to say.
    cards
        Those of the summary.
    template
        The template's file; `<name>.html.j2`, if not given.
    unjudged
        What the page's first sentence says where no section has a headline: why this one has none.
    """

    name: str
    title: str
    package: str
    values: dict
    headline: str | None = None
    cards: list[Card] = field(default_factory=list)
    template: str = ""
    unjudged: str | None = None

    @property
    def file(self) -> str:
        """The template's file."""
        return self.template or f"{self.name}.html.j2"


def chart(fig: go.Figure) -> Markup:
    """A figure as JSON that is safe within a `<script>` element."""
    return safe(fig.to_json(remove_uids=False))


def safe(text: str) -> Markup:
    """JSON within a `<script>` element: no `<` is left in it that could end the element."""
    return Markup(text.replace("<", "\\u003c"))
