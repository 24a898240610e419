"""HubSpot's webhook: up to 100 changes in one array, and the desk's ids that are derived from HubSpot's.

Source: HubSpot, "Webhooks API guide" and "Create generic webhook subscriptions".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from dealdesk.errors import Malformed

MOST_CHANGES = 100
DEAL_TYPE = "0-3"
SUBMITTED = "deal_desk_submitted_at"
DECISION = "decision"
# HubSpot tries for a day; what is older than its last try is a replay.
OLDEST = timedelta(days=3)
AHEAD = timedelta(minutes=5)
# What HubSpot writes for a change that an app made, in webhooks and in the history of a property.
BY_APP = "INTEGRATION"

_ID = re.compile(r"[0-9]{1,19}")
_USER = re.compile(r"userId:([0-9]{1,19})")


class Change(msgspec.Struct, rename="camel"):
    """One changed property. `event_id` alone is not unique, says HubSpot."""

    event_id: int
    subscription_id: int
    portal_id: int
    app_id: int
    occurred_at: int
    object_id: int
    subscription_type: str = ""
    event_type: str = ""
    object_type_id: str = ""
    property_name: str = ""
    property_value: str | None = None
    change_source: str = ""
    source_id: str | None = None

    @property
    def cause_id(self) -> str:
        """The same for every delivery of one change, and for no other change."""
        change = (self.portal_id, self.subscription_id, self.object_id, self.property_name, self.occurred_at)
        return ":".join(map(str, (*change, self.event_id)))

    @property
    def changed_type(self) -> str:
        """The object type's id; older subscriptions have it in their name, `deal.propertyChange`."""
        kind = self.subscription_type or self.event_type
        return self.object_type_id or (DEAL_TYPE if kind.startswith("deal.") else "")

    @property
    def editor_id(self) -> str | None:
        """The user who made the change by hand; None for workflows, imports and apps."""
        user = _USER.search(self.source_id or "")
        return user.group(1) if user else None

    def is_made_by(self, app_id: int) -> bool:
        """Whether this is the app's own write coming back; an app that gives no name counts as this one."""
        made_by = (self.source_id or "").rpartition(":")[2].strip("{} ")
        return self.change_source == BY_APP and made_by in ("", str(app_id))

    def moment(self, now: datetime) -> datetime:
        """When it happened. Raises `Malformed` for the future, and for what HubSpot gave up on long ago."""
        moment = moment_of(str(self.occurred_at))
        if moment is None or not now - OLDEST <= moment <= now + AHEAD:
            raise Malformed(f"occurredAt {self.occurred_at} of object {self.object_id} is too far from now")
        return moment


def parse_changes(body: bytes) -> list[msgspec.Raw]:
    """The changes, each to be read on its own: one that is malformed must not take the others with it."""
    try:
        changes = msgspec.json.decode(body, type=list[msgspec.Raw])
        body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is no HubSpot message: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    if len(changes) > MOST_CHANGES:
        raise Malformed(f"a message has up to {MOST_CHANGES} changes, not {len(changes)}")
    return changes


def change_of(raw: msgspec.Raw) -> Change:
    """Raises `Malformed`, naming the place."""
    try:
        return msgspec.json.decode(raw, type=Change)
    except msgspec.DecodeError as error:
        raise Malformed(f"the message holds something that is no change: {error}") from None


def moment_of(text: str | None) -> datetime | None:
    """A date and time as HubSpot writes it: milliseconds since 1970 in webhooks, ISO 8601 in its API."""
    if not text:
        return None
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text) // 1000, UTC) + timedelta(milliseconds=int(text) % 1000)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else None


def deal_id_of(record_id: str) -> str:
    """The deal of a HubSpot deal: derived, so that two messages about one quote cannot make two deals."""
    return f"hs-{_id(record_id)}"


def record_id_of(deal_id: str) -> str:
    return _id(deal_id.removeprefix("hs-"))


def person_id_of(user_id: str | int) -> str:
    """By the id of the user, who may write; an owner has another number for the same person."""
    return f"person-hs-{_id(str(user_id))}"


def contact_id_of(record_id: str) -> str:
    return f"contact-hs-{_id(record_id)}"


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise Malformed(f"{text[:40]!r} is no HubSpot id; it is a number")
    return text
