"""QuickBooks' webhook: CloudEvents that name what was touched, without a word of what it says now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from dealdesk.errors import Malformed

# qbo.invoice.updated.v1
Type = Annotated[str, msgspec.Meta(max_length=100)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class CloudEvent(msgspec.Struct):
    id: Id
    type: Type
    intuitentityid: Id
    intuitaccountid: Id


class Hint(msgspec.Struct, frozen=True):
    """That an invoice was touched; it is read back from QuickBooks before anybody believes it."""

    cause: str
    ledger_id: str
    operation: str


_EVENTS = msgspec.json.Decoder(list[CloudEvent])


def parse_events(body: bytes) -> list[CloudEvent]:
    """Raises `Malformed`, naming the place, for a body that is no array of QuickBooks' events."""
    try:
        return _EVENTS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is no array of QuickBooks events: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def hints_of(events: list[CloudEvent], realm_id: str) -> Iterator[Hint]:
    """One for each invoice of our company: a message may hold several companies and every kind of entity."""
    for event in events:
        product, _, rest = event.type.partition(".")
        entity, _, operation = rest.partition(".")
        if event.intuitaccountid == realm_id and (product, entity) == ("qbo", "invoice"):
            yield Hint(f"quickbooks:{event.id}", event.intuitentityid, operation.partition(".")[0])
