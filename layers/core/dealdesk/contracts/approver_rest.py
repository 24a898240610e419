"""What REST takes and gives about the people who approve: the directory, and who acts for whom."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from dealdesk.contracts.fields import Id, Note, Strict
from dealdesk.domain.calendar import BusinessCalendar
from dealdesk.domain.directory import Delegation, Directory, Member
from dealdesk.errors import Malformed

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_DELEGATION = timedelta(days=366)

Group = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-z0-9][a-z0-9-]*$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Windows = Annotated[list[tuple[time, time]], Field(max_length=6)]


class MemberIn(Strict):
    """One person. `aliases` are their ids in the CRMs (`person-sf-…`, `person-hs-…`)."""

    person_id: Id
    groups: Annotated[tuple[Group, ...], Field(max_length=50)] = ()
    aliases: Annotated[tuple[Id, ...], Field(max_length=20)] = ()
    manager_id: Id | None = None
    calendar: Id | None = None
    active: bool = True
    away_from: AwareDatetime | None = None
    away_until: AwareDatetime | None = None
    service: bool = False

    def to_member(self) -> Member:
        return Member(**self.model_dump())


class CalendarIn(Strict):
    """Local opening hours; `days` overrides single dates, a holiday with an empty list."""

    zone: Annotated[str, Field(max_length=64)]
    hours: dict[Weekday, Windows]
    days: Annotated[dict[date, Windows], Field(max_length=2000, default_factory=dict)]

    @model_validator(mode="after")
    def known_zone(self) -> CalendarIn:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{self.zone!r} is no time zone; use a name like America/New_York") from None
        return self

    def to_calendar(self) -> BusinessCalendar:
        hours = {WEEKDAYS.index(name): tuple(windows) for name, windows in self.hours.items()}
        return BusinessCalendar(self.zone, hours, {day: tuple(windows) for day, windows in self.days.items()})


class DirectoryIn(Strict):
    """Everybody who approves. A person stands in it once, whatever number of systems they work in."""

    members: Annotated[list[MemberIn], Field(max_length=2000)]
    calendars: Annotated[dict[str, CalendarIn], Field(max_length=100, default_factory=dict)]

    def require_consistent(self) -> None:
        """Raises `Malformed` for an id that two people claim, an unknown calendar, and a manager who is nobody."""
        claimed: set[str] = set()
        known = {member.person_id for member in self.members}
        for index, member in enumerate(self.members):
            at = f"/members/{index}"
            for name in {member.person_id, *member.aliases}:
                if name in claimed:
                    raise Malformed(f"{name} already names another person", pointer=f"{at}/aliases")
                claimed.add(name)
            if member.calendar is not None and member.calendar not in self.calendars:
                raise Malformed(f"there is no calendar {member.calendar}", pointer=f"{at}/calendar")
            if member.manager_id is not None and member.manager_id not in known:
                raise Malformed(f"{member.manager_id} is not in the directory", pointer=f"{at}/manager_id")


class DelegationIn(Strict):
    """Who acts for the caller and when; without groups, in all that the caller may. An administrator names `from`."""

    giver: Annotated[Id | None, Field(alias="from")] = None
    taker: Annotated[Id, Field(alias="to")]
    begins_at: AwareDatetime
    ends_at: AwareDatetime
    groups: Annotated[tuple[Group, ...], Field(max_length=50)] = ()
    reason: Note = ""

    @model_validator(mode="after")
    def sensible_window(self) -> DelegationIn:
        if not self.begins_at < self.ends_at <= self.begins_at + LONGEST_DELEGATION:
            raise ValueError("ends_at must be after begins_at, and at most a year later")
        return self


class EscalateIn(Strict):
    """Who may decide the step as well."""

    step: Id
    people: Annotated[list[Id], Field(min_length=1, max_length=20)]


class MemberOut(BaseModel):
    person_id: str
    groups: list[str]
    aliases: list[str]
    manager_id: str | None
    calendar: str | None
    active: bool
    away_from: datetime | None
    away_until: datetime | None
    service: bool


class CalendarOut(BaseModel):
    zone: str
    hours: dict[str, list[tuple[time, time]]]
    days: dict[date, list[tuple[time, time]]]


class DirectoryOut(BaseModel):
    version: int
    members: list[MemberOut]
    calendars: dict[str, CalendarOut]


class DelegationOut(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    id: str
    giver: Annotated[str, Field(alias="from")]
    taker: Annotated[str, Field(alias="to")]
    begins_at: datetime
    ends_at: datetime
    groups: list[str]
    reason: str
    created_by: str
    created_at: datetime


class DelegationsOut(BaseModel):
    delegations: list[DelegationOut]


def directory_view(directory: Directory, version: int) -> dict[str, object]:
    calendars = {
        name: CalendarOut(
            zone=calendar.zone,
            hours={WEEKDAYS[weekday]: list(windows) for weekday, windows in calendar.hours.items()},
            days={day: list(windows) for day, windows in calendar.days.items()},
        )
        for name, calendar in directory.calendars.items()
    }
    members = [MemberOut.model_validate(member, from_attributes=True) for member in directory.members]
    return DirectoryOut(version=version, members=members, calendars=calendars).model_dump(mode="json")


def delegation_view(delegation: Delegation) -> dict[str, object]:
    return DelegationOut.model_validate(delegation, from_attributes=True).model_dump(mode="json", by_alias=True)
