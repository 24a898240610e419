"""Everything that is left to chance in one run: the same seed decides the same, byte for byte."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Choice = TypeVar("Choice")

# From quiet days to days on which nothing works: how likely each call is struck, and how often in all.
WEATHER = ((0.01, 40), (0.03, 60), (0.08, 80), (0.2, 80))


@dataclass
class Fate:
    """Decides by the name of what is about to happen and how often it has happened, never by what went before.

    So a run without some of its faults is otherwise much the same, and can be made shorter while it still fails.
    `only` are the faults that may strike; None lets all of them.
    """

    seed: int
    only: frozenset[str] | None = None
    struck: list[str] = field(default_factory=list)
    calm: bool = False
    decisions: int = 0
    hold_odds: float = 0
    meeting_odds: float | None = None
    outage_odds: float = 0
    _seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        dice = self.dice("weather")
        self._odds, self._most = dice.choices(WEATHER, (1, 3, 4, 2))[0]
        self.hold_odds = dice.choice((0.0, 0.003, 0.01, 0.03))
        # In some runs two workers are likely to meet: a message goes to both, and one is held up at a vendor.
        self.meeting_odds = dice.choice((None, None, None, None, 0.3))
        self.outage_odds = dice.choice((0.0, 0.0, 0.0, 0.005))

    def dice(self, name: str) -> random.Random:
        number = self._seen[name]
        self._seen[name] += 1
        return random.Random(f"{self.seed}/{name}#{number}")

    def strikes(
        self, name: str, kinds: Sequence[str], odds: float | None = None, *, always: bool = False
    ) -> str | None:
        """The fault that strikes here, if any; what it is called ends in `struck`.

        `always` also after as many as the weather has: what happens last must be tried as well.
        """
        number = self._seen[name]
        self._seen[name] += 1
        self.decisions += 1
        if self.calm:
            return None
        dice = random.Random(f"{self.seed}/{name}#{number}")
        if dice.random() >= (self._odds if odds is None else odds):
            return None
        kind = dice.choice(kinds)
        fault = f"{name} #{number} {kind}"
        over = not always and len(self.struck) >= self._most
        if fault not in self.only if self.only is not None else over:
            return None
        self.struck.append(fault)
        return kind

    def pick(self, name: str, among: Iterable[Choice]) -> Choice:
        return self.dice(name).choice(list(among))

    def bytes(self, number: int) -> bytes:
        """What the process takes for randomness of the operating system."""
        return self.dice("entropy").randbytes(number)
