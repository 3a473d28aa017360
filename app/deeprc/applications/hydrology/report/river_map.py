"""Where the basins lie, and how well the model does there: marks on a map without a background."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deeprc.reporting import words
from deeprc.reporting.theme import BLUE, GREEN, ORANGE, RED, SLATE

# From the best down: NSE from there on, colour, mark (an SVG path around 0, 0) and words. Nobody needs the colours, as
# marks differ, too.
CLASSES = (
    (0.75, BLUE, "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0z", "NSE from 0.75 on"),
    (0.5, GREEN, "M-5.5-5.5h11v11h-11z", "0.5 to 0.75"),
    (0.0, ORANGE, "M0-7.5 7.5 0 0 7.5-7.5 0z", "0 to 0.5"),
    (-math.inf, RED, "M-7-5.5h14L0 7z", "below 0: worse than the mean"),
)
UNKNOWN = (SLATE, "M-5-5 5 5M5-5-5 5", "not known")
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 45)  # degrees between lines of the grid
TICKS = 5  # at most, along each side
LEAST = 0.4  # degrees from side to side
EDGE = 0.12  # of the basins' extent, around them
WIDEST, NARROWEST = 2.2, 0.9  # width by height
SMALL = 250.0  # pixels of the map's width in a window of 400
WORD, LINE = 34.0, 15.0  # pixels of a figure beside its mark


@dataclass(frozen=True)
class MapPoint:
    """A basin: its place in percent from the left and the top, its mark, and the figure beside it, if there is room."""

    name: str
    x: float
    y: float
    colour: str
    mark: str
    nse: str
    place: str
    written: bool
    left: bool  # the figure stands at the left of the mark


@dataclass(frozen=True)
class RiverMap:
    """The map.

    Attributes
    ----------
    across, up
        Lines of the grid: percent from the left, or from the top, and what they say.
    aspect
        Width by height.
    unplaced
        Basins of which no place is known.
    """

    points: list[MapPoint]
    across: list[tuple[float, str]]
    up: list[tuple[float, str]]
    aspect: float
    unplaced: int

    @property
    def classes(self) -> list[tuple[str, str, str]]:
        """Colour, mark and words of the classes that are on the map."""
        every = [*((colour, mark, told) for _, colour, mark, told in CLASSES), UNKNOWN]
        used = {point.mark for point in self.points}
        return [each for each in every if each[1] in used]

    @property
    def in_words(self) -> str:
        """For who does not see it."""
        told = f"Map of {words.count(len(self.points), 'river')} by latitude and longitude, marked by NSE"
        if len(self.points) > 8:
            return f"{told}. The table of the rivers has each."
        return f"{told}: {'; '.join(f'{point.name} ({point.place}) {point.nse}' for point in self.points)}."


def river_map(basins: dict[str, dict]) -> RiverMap | None:
    """The map of `basins`, of each of which `name`, `nse` and `place` are told; None where no place is known."""
    placed = {key: row for key, row in basins.items() if row["place"]}
    if not placed:
        return None
    low, high, aspect = extent([row["place"] for row in placed.values()])
    points, taken = [], []
    for row in placed.values():
        latitude, longitude = row["place"]
        x = 100 * (longitude - low[1]) / (high[1] - low[1])
        y = 100 * (high[0] - latitude) / (high[0] - low[0])
        colour, mark = _marked(row["nse"])
        spot = x / 100 * SMALL, y / 100 * SMALL / aspect
        left = spot[0] + WORD + 10 > SMALL
        written = all(abs(spot[0] - other[0]) > WORD + 12 or abs(spot[1] - other[1]) > LINE for other in taken)
        if written:
            taken.append(spot)
        place = f"{degrees(latitude, 'NS', 2)}, {degrees(longitude, 'EW', 2)}"
        points.append(MapPoint(row["name"], x, y, colour, mark, words.fixed(row["nse"]), place, written, left))
    east, north = ([at for at in ticks(low[side], high[side]) if abs(at) <= most] for side, most in ((1, 180), (0, 90)))
    across = [(100 * (at - low[1]) / (high[1] - low[1]), degrees(at, "EW")) for at in east]
    up = [(100 * (high[0] - at) / (high[0] - low[0]), degrees(at, "NS")) for at in north]
    return RiverMap(points, across, up, aspect, len(basins) - len(placed))


def extent(places: list[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float], float]:
    """The lowest and the highest latitude and longitude of the map, and its width by its height: a degree of longitude
    is as long as it is in the middle of the map.
    """
    sides = [(min(side), max(side)) for side in zip(*places, strict=True)]
    middle = [(first + last) / 2 for first, last in sides]
    spans = [max((last - first) * (1 + 2 * EDGE), LEAST) for first, last in sides]
    short = max(math.cos(math.radians(middle[0])), 0.1)
    aspect = spans[1] * short / spans[0]
    if aspect > WIDEST:
        spans[0], aspect = spans[1] * short / WIDEST, WIDEST
    elif aspect < NARROWEST:
        spans[1], aspect = spans[0] * NARROWEST / short, NARROWEST
    low, high = (tuple(at + sign * span / 2 for at, span in zip(middle, spans, strict=True)) for sign in (-1, 1))
    return low, high, aspect


def ticks(low: float, high: float) -> list[float]:
    """Round numbers of degrees between the two."""
    step = next((step for step in STEPS if (high - low) / step <= TICKS), STEPS[-1])
    return [round(number * step, 2) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def degrees(value: float, signs: str, places: int | None = None) -> str:
    """`44.5° N`; signs are those of above and below 0."""
    size = f"{abs(value):.{places}f}" if places is not None else f"{abs(value):g}"
    return f"{size}° {signs[value < 0]}" if float(size) else "0°"


def _marked(nse: float | None) -> tuple[str, str]:
    if nse is None:
        return UNKNOWN[:2]
    return next((colour, mark) for least, colour, mark, _ in CLASSES if nse >= least)
