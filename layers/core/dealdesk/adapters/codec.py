"""Deals and events as JSON text in the table. One place knows the stored form; unknown fields are ignored."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from dealdesk.domain.events import EVENT_TYPES, Event

T = TypeVar("T")

# Sorted, so that the same event always has the same bytes and the chain can be checked again.
_encoder = msgspec.json.Encoder(order="deterministic")


def dump(value: object) -> str:
    return _encoder.encode(value).decode()


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def parse(text: str | bytes, type_: type[T]) -> T:
    """Raises `msgspec.ValidationError` for rows that this version cannot read."""
    value: T = _decoder(cast("Any", type_)).decode(text)
    return value


def parse_event(type_: str, text: str) -> Event:
    event: Event = parse(text, EVENT_TYPES[type_])
    return event
