"""Who approves, in DynamoDB: the directory as one document with its versions, and a row for each delegation.

All of it stands in the partition `APPROVERS`, so that one consistent query reads what a decision needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.adapters import codec
from dealdesk.adapters.claims import (
    NEW,
    Condition,
    Item,
    busy,
    claim_item,
    claim_key,
    commit,
    equals,
    key_of,
    new_item,
    replay,
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
        if cause is not None and (claim := self._get(*claim_key(cause))):
            raise replay(claim, cause)
        rows = {item["sk"]["S"]: item["body"]["S"] for item in self._rows()}
        kept = codec.parse(rows.pop(DIRECTORY), Kept) if DIRECTORY in rows else None
        delegations = tuple(codec.parse(body, Delegation) for body in rows.values())
        if kept is None:
            return Directory(delegations=delegations)
        calendars = {name: calendar.calendar() for name, calendar in kept.calendars.items()}
        return Directory(kept.members, delegations, calendars)

    def version(self) -> int:
        item = self._get(APPROVERS, DIRECTORY)
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

    def _rows(self) -> list[Item]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":pk": {"S": APPROVERS},
                ":first": {"S": DELEGATION},
                ":last": {"S": DIRECTORY},
            },
            "ConsistentRead": True,
        }
        try:
            return [item for page in self._dynamodb.get_paginator("query").paginate(**query) for item in page["Items"]]
        except (ClientError, BotoCoreError) as error:
            raise busy(error) from error

    def _get(self, pk: str, sk: str) -> Item | None:
        try:
            answer = self._dynamodb.get_item(TableName=self._table, Key=key_of(pk, sk), ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise busy(error) from error
        found: Item | None = answer.get("Item")
        return found
