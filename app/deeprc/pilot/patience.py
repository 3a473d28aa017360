"""How long tasks of several ranks wait before the schedule helps them: what it decides, and when.

On one node the oldest of them goes before all younger tasks. On several nodes it would be dear to empty nodes for each
in turn, so they take what comes free, the largest first (see `patches/deeprc_launch.py`, `in_turn`): the nodes of one
that ends go to another like it. None of them is overtaken for ever, though.
"""

from __future__ import annotations

from deeprc.pilot.deciding import Decision
from deeprc.pilot.schedule import Schedule

STUCK = 10.0  # seconds for which there has been room for one that does not start; then all idle workers leave
PRESSED = 60.0  # seconds that one may be the oldest; then nodes are kept for it, and no other begins before it


class _Same:
    """Since when something has been the same."""

    def __init__(self) -> None:
        self.what: str | None = None
        self._since = 0.0

    def seconds(self, what: str | None, now: float) -> float:
        """How long it has been that; 0 where there is nothing."""
        if what != self.what:
            self.what, self._since = what, now
        return now - self._since if what else 0.0


class Patience:
    """Asks a schedule for its decisions."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule, self._oldest, self._awaited = schedule, _Same(), _Same()

    def waited(self, uid: str, now: float) -> float:
        """Seconds for which that task of several ranks has been the oldest."""
        return self._oldest.seconds(uid, now) if uid == self._oldest.what else 0.0

    def pressed(self, now: float) -> str | None:
        """The oldest task of several ranks, once it has been that for too long."""
        oldest = self._schedule.first_of_several
        return oldest if self._oldest.seconds(oldest, now) > PRESSED and self._schedule.nodes > 1 else None

    def decide(self, now: float | None) -> Decision:
        """What is to be done at that time (seconds); None where the pilot has no nodes yet, so that nobody waits."""
        if now is None:
            return self._schedule.decide()
        pressed = self.pressed(now)
        stuck = self._schedule.nodes > 1 and self._awaited.seconds(self._awaited.what, now) > STUCK
        decision = self._schedule.decide(
            stuck=(self._awaited.what,) if stuck else (), pressed=(pressed,) if pressed else ()
        )
        self._awaited.seconds(decision.awaits, now)
        return decision
