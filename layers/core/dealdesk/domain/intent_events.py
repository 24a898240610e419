"""What happens to the outside effects that the desk has promised itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, repr=False)
class EffectFailed:
    """A vendor refused for good; a person must change something before it is asked again."""

    TYPE: ClassVar[str] = "intent.failed"
    key: str
    effect: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class IntentAttempted:
    """A worker took the lease of an intent and is about to call the vendor."""

    TYPE: ClassVar[str] = "intent.attempted"
    key: str
    attempt: int
    lease_until: datetime


@dataclass(frozen=True, slots=True, repr=False)
class IntentInterrupted:
    """The vendor did not answer clearly; the lease ends at `retry_at`, or at once, and the next attempt looks up first.

    A vendor that shows what it has made only after a while must not be looked up before.
    """

    TYPE: ClassVar[str] = "intent.interrupted"
    key: str
    reason: str
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class VendorAsked:
    """The deal was silent, the vendor was asked, and nothing had changed."""

    TYPE: ClassVar[str] = "vendor.asked"
    vendor: str
    answer: str


IntentEvent = EffectFailed | IntentAttempted | IntentInterrupted | VendorAsked
