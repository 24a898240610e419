"""The only clock: handlers read it and hand the time in."""

from __future__ import annotations

from datetime import UTC, datetime

from dealdesk.errors import Malformed


def now() -> datetime:
    return datetime.now(UTC)


def parse(text: str, name: str) -> datetime:
    """A time that a caller gave, as aware UTC. Raises `Malformed` naming the field."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(f"{name} must be a time like 2026-11-22T20:00:00Z, not {text[:40]!r}", pointer=name) from None
