"""Whose decision a step takes: the group that it asks, those who act for them, and who is next when they cannot answer.

Nobody with an interest in the deal decides on it: not for themselves, not for somebody else, not as a member of a
group, and not because the step was escalated to them. People are compared as persons, never by an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.domain.directory import Directory, Member
from dealdesk.domain.events import StepAsked
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled

PROGRAMS = ("system:", "vendor:", "service:")


@dataclass(frozen=True, slots=True)
class Authority:
    """In whose right somebody decides: `acting_for` is empty for their own, else the people they act for."""

    group: str
    acting_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: a group, or people (the managers of those who were asked first)."""

    group: str | None
    people: tuple[Member, ...]

    @property
    def is_open(self) -> bool:
        """A group of which the directory has nobody: tokens and CRMs say who is in it."""
        return self.group is not None and not self.people


def conflicted(deal: Deal, directory: Directory) -> frozenset[str]:
    """Everybody with an interest in the deal: who made, edited or owned it, or is paid by it."""
    named = {*deal.editors, *([deal.owner_id] if deal.owner_id else [])}
    if deal.quote is not None:
        named |= {deal.quote.owner_id, *deal.quote.beneficiary_ids}
    return frozenset(directory.identity(person) for person in named)


def ladder(step: StepAsked, directory: Directory) -> tuple[Rung, ...]:
    """The group; its first backup; the managers of the group; the other backups, of which the last is the duty pool."""
    members = directory.of_group(step.group)
    backups = [Rung(group, directory.of_group(group)) for group in step.backups]
    managers = Rung(None, directory.managers_of(members))
    rungs = [Rung(step.group, members), *backups[:1], managers, *backups[1:]]
    return tuple(rung for rung in rungs if rung.group is not None or rung.people)


def asked_rungs(deal: Deal, step: StepAsked, directory: Directory, now: datetime) -> tuple[Rung, ...]:
    """The rungs that may decide now: as far as the step was escalated, and further when those cannot be enough."""
    rungs = ladder(step, directory)
    reached = 1 + (deal.round.escalated(step.id) if deal.round else 0)
    while reached < len(rungs) and not _can_answer(deal, step, rungs[:reached], directory, now):
        reached += 1
    named = deal.round.named_for(step.id) if deal.round else ()
    by_name = Rung(None, tuple(directory.member(person) or Member(person) for person in named))
    return (*rungs[:reached], *([by_name] if named else []))


def can_be_answered(deal: Deal, step: StepAsked, directory: Directory, now: datetime) -> bool:
    """Whether anybody at all can decide the step; when not, an administrator has to act."""
    return _can_answer(deal, step, ladder(step, directory), directory, now)


def seats(deal: Deal, step: StepAsked, directory: Directory, now: datetime) -> int:
    """How many different people must say yes: of `all`, those of the group who can."""
    if step.needs is not None:
        return step.needs
    return max(1, len(who_can(deal, ladder(step, directory)[:1], directory, now)))


def who_can(deal: Deal, rungs: tuple[Rung, ...], directory: Directory, now: datetime) -> tuple[str, ...]:
    """The persons of these rungs who can decide now, or whom somebody can stand in for."""
    barred = conflicted(deal, directory)
    chosen = {
        member.person_id
        for rung in rungs
        for member in rung.people
        if _may_hold(member, barred)
        and (not member.is_away(now) or _has_stand_in(member, rung.group, barred, directory, now))
    }
    return tuple(sorted(chosen))


def authority_of(
    deal: Deal, step: StepAsked, person: str, groups: frozenset[str], directory: Directory, now: datetime
) -> Authority:
    """The right in which `person`, whom their token or CRM puts into `groups`, decides the step.

    Raises `ApproverConflicted` and `ApproverNotEntitled`.
    """
    identity, member = directory.identity(person), directory.member(person)
    barred = conflicted(deal, directory)
    if identity in barred:
        raise ApproverConflicted(f"{person} owns or edited deal {deal.id}, or earns by it, and cannot approve it")
    if identity.startswith(PROGRAMS) or (member is not None and member.service):
        raise ApproverNotEntitled(f"{person} is a program; only people approve")
    if member is not None and not member.active:
        raise ApproverNotEntitled(f"{person} is no longer active")
    held = groups | frozenset(member.groups if member else ())
    rungs = asked_rungs(deal, step, directory, now)
    for rung in rungs:
        if rung.group in held or identity in {other.person_id for other in rung.people}:
            return Authority(rung.group or step.group)
    for rung in rungs:
        for chain in directory.acting_for(identity, rung.group, now):
            if _gives(chain, rung, barred, directory):
                return Authority(rung.group or step.group, chain)
    wanted = ", ".join(rung.group for rung in rungs if rung.group)
    raise ApproverNotEntitled(
        f"{person} is not in {wanted}, which decides the step {step.label}, and acts for nobody who is"
    )


def decides_on_request(
    deal: Deal,
    step: StepAsked,
    asked_by: str,
    person: str,
    groups: frozenset[str],
    directory: Directory,
    now: datetime,
) -> Authority:
    """As `authority_of`, on what `asked_by` asked for: neither they nor anybody in their place decides it."""
    authority = authority_of(deal, step, person, groups, directory, now)
    asker = directory.identity(asked_by)
    if asker in (directory.identity(person), *authority.acting_for):
        raise ApproverConflicted(f"{asked_by} staged or asked for it; somebody else must decide the step {step.label}")
    return authority


def _can_answer(deal: Deal, step: StepAsked, rungs: tuple[Rung, ...], directory: Directory, now: datetime) -> bool:
    if any(rung.is_open for rung in rungs):
        return True
    return len(who_can(deal, rungs, directory, now)) >= (step.needs or 1)


def _may_hold(member: Member, barred: frozenset[str]) -> bool:
    return member.active and not member.service and member.person_id not in barred


def _gives(chain: tuple[str, ...], rung: Rung, barred: frozenset[str], directory: Directory) -> bool:
    """Whether the last of the chain is of the rung and nobody on the way has an interest in the deal or has left."""
    through = [directory.member(person) for person in chain]
    clean = all(member is None or _may_hold(member, barred) for member in through) and barred.isdisjoint(chain)
    return clean and chain[-1] in {member.person_id for member in rung.people}


def _has_stand_in(
    member: Member, group: str | None, barred: frozenset[str], directory: Directory, now: datetime
) -> bool:
    """Whether somebody who is there acts for this person."""
    for delegation in directory.delegations:
        taker = directory.identity(delegation.taker)
        known = directory.member(taker)
        if taker in barred or (known is not None and (known.is_away(now) or not _may_hold(known, barred))):
            continue
        if any(chain[-1] == member.person_id for chain in directory.acting_for(taker, group, now)):
            return True
    return False
