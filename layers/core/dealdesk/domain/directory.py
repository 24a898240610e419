"""Who can be asked: people under one id in all systems, their groups, managers, absences, and who acts for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

# A webhook function asks who somebody is, never when they work, and reads no time zones in its cold start.
if TYPE_CHECKING:
    from dealdesk.domain.calendar import BusinessCalendar

MOST_HOPS = 3


@dataclass(frozen=True, slots=True)
class Member:
    """One person. `aliases` are their ids elsewhere, like `person-sf-0057F…`; `manager_id` is a person's id.

    Who is not `active` has left and decides nothing. Who is away in [away_from, away_until) is not waited for.
    A `service` is a program: it never holds an approver's authority.
    """

    person_id: str
    groups: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    manager_id: str | None = None
    calendar: str | None = None
    active: bool = True
    away_from: datetime | None = None
    away_until: datetime | None = None
    service: bool = False

    def is_away(self, now: datetime) -> bool:
        if self.away_from is None or now < self.away_from:
            return False
        return self.away_until is None or now < self.away_until


@dataclass(frozen=True, slots=True)
class Delegation:
    """`taker` may act for `giver` in [begins_at, ends_at), with the giver's authority in `groups` (empty: in all)."""

    id: str
    giver: str
    taker: str
    begins_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime
    groups: tuple[str, ...] = ()
    reason: str = ""

    def holds(self, group: str | None, now: datetime) -> bool:
        within = not self.groups or group in self.groups
        return within and self.begins_at <= now < self.ends_at


@dataclass(frozen=True)
class Directory:
    """Everybody whom the desk knows. Of people whom nobody entered, only their token or their CRM tells the groups."""

    members: tuple[Member, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    calendars: Mapping[str, BusinessCalendar] = field(default_factory=dict)

    @cached_property
    def _identities(self) -> dict[str, str]:
        return {alias: member.person_id for member in self.members for alias in (*member.aliases, member.person_id)}

    @cached_property
    def _by_id(self) -> dict[str, Member]:
        return {member.person_id: member for member in self.members}

    def identity(self, person_id: str) -> str:
        """The one id of this person, whichever system named them."""
        return self._identities.get(person_id, person_id)

    def member(self, person_id: str) -> Member | None:
        return self._by_id.get(self.identity(person_id))

    def knows(self, group: str) -> bool:
        """Whether anybody was entered as a member of the group."""
        return any(group in member.groups for member in self.members)

    def of_group(self, group: str) -> tuple[Member, ...]:
        return tuple(member for member in self.members if group in member.groups)

    def able(self) -> dict[str, tuple[str, ...]]:
        """Who can decide in each group that anybody was entered for: those who left and programs cannot."""
        groups = {group for member in self.members for group in member.groups}
        return {
            group: tuple(m.person_id for m in self.of_group(group) if m.active and not m.service)
            for group in sorted(groups)
        }

    def managers_of(self, members: tuple[Member, ...]) -> tuple[Member, ...]:
        """The people above these, nearest first, at most three levels up and each only once."""
        seen = {member.person_id for member in members}
        found: list[Member] = []
        level = list(members)
        for _ in range(MOST_HOPS):
            above = [self.member(member.manager_id) for member in level if member.manager_id]
            level = [manager for manager in above if manager is not None and manager.person_id not in seen]
            found += dict.fromkeys(level)
            seen |= {manager.person_id for manager in level}
        return tuple(dict.fromkeys(found))

    def acting_for(self, person_id: str, group: str | None, now: datetime) -> Iterator[tuple[str, ...]]:
        """The chains of people for whom this one may act now, nearest giver first, like ("ann",), ("ann", "bob").

        At most three hops; somebody who stands in the chain already is not taken again, so a loop ends.
        """
        yield from self._chains((self.identity(person_id),), group, now)

    def _chains(self, chain: tuple[str, ...], group: str | None, now: datetime) -> Iterator[tuple[str, ...]]:
        if len(chain) > MOST_HOPS:
            return
        givers = {
            self.identity(delegation.giver)
            for delegation in self.delegations
            if self.identity(delegation.taker) == chain[-1] and delegation.holds(group, now)
        }
        longer = [(*chain, giver) for giver in sorted(givers) if giver not in chain]
        for further in longer:
            yield further[1:]
        for further in longer:
            yield from self._chains(further, group, now)


NOBODY = Directory()
"""The directory in which nobody was entered yet."""
