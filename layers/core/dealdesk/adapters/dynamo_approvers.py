"""Who approves, in DynamoDB: the directory as one document with its versions, and a row for each delegation.

All of it stands in the partition `APPROVERS`, so that one consistent query reads what a decision needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from dealdesk.adapters import codec, reads
from dealdesk.adapters.claims import (
    NEW,
    Condition,
    Item,
    claim_item,
    commit,
    equals,
    new_item,
    require_room,
)
from dealdesk.domain.calendar import BusinessCalendar, Window
from dealdesk.domain.directory import Delegation, Directory, Member
from dealdesk.edge import aws
from dealdesk.ports import Cause

APPROVERS = "APPROVERS"
DIRECTORY, DELEGATION, VERSION = "DIRECTORY", "DELEGATION#", "VERSION#"


@dataclass(frozen=True, slots=True)
class KeptCalendar:
    """A calendar as it is stored: JSON has only texts for keys."""

    zone: str
    hours: dict[str, tuple[Window, ...]]
    days: dict[str, tuple[Window, ...]]

    @classmethod
    def of(cls, calendar: BusinessCalendar) -> KeptCalendar:
        hours = {str(weekday): windows for weekday, windows in calendar.hours.items()}
        return cls(calendar.zone, hours, {day.isoformat(): windows for day, windows in calendar.days.items()})

    def calendar(self) -> BusinessCalendar:
        hours = {int(weekday): windows for weekday, windows in self.hours.items()}
        return BusinessCalendar(
            self.zone, hours, {date.fromisoformat(day): windows for day, windows in self.days.items()}
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """The directory as it is stored."""

    members: tuple[Member, ...]
    calendars: dict[str, KeptCalendar]
    by: str
    at: datetime


class DynamoApprovers:
    """The `Approvers` port. Nothing is remembered between two questions: who left decides nothing from then on."""

    def __init__(self, table_name: str) -> None:
        self._table = table_name
        self._dynamodb = aws.client("dynamodb")

    def directory(self, cause: Cause | None = None) -> Directory:
        reads.refuse_seen(self._dynamodb, self._table, cause)
        found = reads.rows(self._dynamodb, self._table, APPROVERS, DELEGATION, DIRECTORY)
        rows = {item["sk"]["S"]: item["body"]["S"] for item in found}
        kept = codec.parse(rows.pop(DIRECTORY), Kept) if DIRECTORY in rows else None
        delegations = tuple(codec.parse(body, Delegation) for body in rows.values())
        if kept is None:
            return Directory(delegations=delegations)
        calendars = {name: calendar.calendar() for name, calendar in kept.calendars.items()}
        return Directory(kept.members, delegations, calendars)

    def version(self) -> int:
        item = reads.row(self._dynamodb, self._table, APPROVERS, DIRECTORY)
        return int(item["version"]["N"]) if item else 0

    def keep_members(
        self,
        members: Sequence[Member],
        calendars: Mapping[str, BusinessCalendar],
        *,
        seen: int,
        cause: Cause,
        by: str,
        now: datetime,
    ) -> int:
        number = seen + 1
        kept = {name: KeptCalendar.of(calendar) for name, calendar in calendars.items()}
        body = codec.dump(Kept(tuple(members), kept, by, now))
        current = new_item(pk=APPROVERS, sk=DIRECTORY, version=number, body=body)
        past = new_item(pk=APPROVERS, sk=f"{VERSION}{number:06d}", version=number, body=body)
        require_room("the directory", [current], "name fewer people", "/members")
        unmoved = equals("version", seen) if seen else NEW
        self._commit(number, [(current, unmoved), (past, NEW)], cause, now)
        return number

    def keep_delegation(self, delegation: Delegation, *, cause: Cause, now: datetime) -> None:
        item = new_item(pk=APPROVERS, sk=f"{DELEGATION}{delegation.id}", body=codec.dump(delegation))
        self._commit(0, [(item, {})], cause, now)

    def _commit(self, version: int, writes: list[tuple[Item, Condition]], cause: Cause, now: datetime) -> None:
        claim = claim_item(cause, APPROVERS, version, now)
        commit(self._dynamodb, self._table, claim, writes, cause, "the directory")
