"""What scenarios on several ranks share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import FunctionType

import polars as pl

from deeprc.frames import Communicator, Frame

COMM = Communicator.world()


class fails:
    """A context that asserts that its body raises the same error on every rank: of this class, with these texts."""

    def __init__(self, kind: type[BaseException], *texts: str) -> None:
        self.kind, self.texts = kind, texts

    def __enter__(self) -> None: ...

    def __exit__(self, found: type | None, error: BaseException | None, _: object) -> bool:
        everywhere = COMM.allgather((found and found.__name__, str(error)))
        assert everywhere == [everywhere[0]] * COMM.size, f"the ranks disagree: {everywhere}"
        assert found is not None and issubclass(found, self.kind), f"raised {found}, not {self.kind}: {error}"
        for text in self.texts:
            assert text in str(error), f"{text!r} not in {error}"
        return True


def mine(table: pl.DataFrame) -> Frame:
    """The ranks' thirds of a table."""
    return Frame(table[table.height * COMM.rank // COMM.size : table.height * (COMM.rank + 1) // COMM.size], COMM)


def gathered(frame: Frame) -> pl.DataFrame:
    return pl.concat(COMM.allgather(frame.to_polars()))


def scenarios_of(module: dict, *, but: Collection[Callable]) -> list[Callable[[], None]]:
    """The functions that a module, given by its `globals()`, has itself, in their order; without those it uses."""
    own = [each for each in module.values() if isinstance(each, FunctionType) and each.__module__ == module["__name__"]]
    return [each for each in own if each not in but]
