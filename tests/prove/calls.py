"""Every call to the outside passes here: it takes time, the others may go on meanwhile, and it may go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.prove.fate import Fate
from tests.prove.invocation import Invocation

HELD_UP = {"is held up 2 s": 2, "is held up 20 s": 20, "is held up 64 s": 64}
LIKELY = 0.25
AWS_CALL = ("dies before", "dies after", "is throttled", "loses the answer")
# A function that has run into its timeout may go on for so long: its last request is on the wire.
RUNS_ON = timedelta(seconds=8)


class Calls:
    """`now` is what the desk's clocks say."""

    def __init__(self, fate: Fate, clock: Any) -> None:
        self.fate, self._clock = fate, clock
        self.current: Invocation | None = None
        self.number = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def take(self, **span: float) -> None:
        """Time passes."""
        self._clock.shift(timedelta(**span))

    def begin(self, name: str, kinds: Sequence[str], *, milliseconds: int, likely: bool = False) -> str | None:
        """What goes wrong with this call, if anything; people and the checks are not disturbed."""
        if self.current is None:
            return None
        self.number += 1
        name = f"{self.current.name} > {name}"
        self.take(milliseconds=milliseconds)
        self._hold(name, self.fate.meeting_odds if likely else None)
        fault = self.fate.strikes(name, kinds, odds=LIKELY if likely else None, always=likely)
        if fault == "dies before":
            self.current.die()
        return fault

    def end(self, fault: str | None) -> str | None:
        """The work is done, and the answer on its way."""
        if self.current is None:
            return None
        if fault == "dies after":
            self.current.die()
        self._hold(f"{self.current.name} < its answer")
        return fault

    def aws(self, name: str, kinds: Sequence[str] = AWS_CALL) -> str | None:
        """As `begin`, for a service of AWS that may throttle."""
        fault = self.begin(name, kinds, milliseconds=8)
        if fault == "is throttled":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, name)
        return fault

    def aws_done(self, fault: str | None) -> None:
        if self.end(fault) == "loses the answer":
            raise ReadTimeoutError(endpoint_url="https://aws.test")

    def _hold(self, name: str, odds: float | None = None) -> None:
        held = self.fate.strikes(name, tuple(HELD_UP), odds=odds or self.fate.hold_odds)
        one = self.current
        if held is None or one is None:
            return
        one.resumes_at = self.now() + timedelta(seconds=HELD_UP[held])
        one.hold()
        if self.now() > one.ends + RUNS_ON:
            one.die()
