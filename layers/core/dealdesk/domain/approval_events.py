"""What happens to an approval, and what an approver grants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, repr=False)
class StepAsked:
    """One approval step of a round: whom it asks, and whom next.

    `needs` is how many people must say yes, None for all of the group; `seats` is what that came to when it was asked.
    """

    id: str
    label: str
    group: str
    needs: int | None = 1
    seats: int = 1
    backups: tuple[str, ...] = ()
    sla_hours: int = 24


@dataclass(frozen=True, slots=True, repr=False)
class StageAsked:
    """Steps that are asked together; a stage opens when the stage before it is granted."""

    mode: str
    steps: tuple[StepAsked, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Limit:
    """What an approver accepted of one rule; `op` is `max`, `min` or `same`, `value` as the decision shows it.

    `group` is what the lines have in common which the rule judges together.
    """

    rule: str
    line: str | None
    fact: str
    op: str
    value: str
    group: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Scope:
    """What a grant covers besides its limits: who buys, what, and how much of it at list price."""

    customer_id: str
    currency: str
    list_total_minor: int
    skus: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Condition:
    """What an approver wants to see first: a fact of the decision at most, at least, or exactly this."""

    fact: str
    op: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """One approver's yes: to which limits, within which scope, and on which conditions.

    `acting_for` are the people in whose place they decided, the one whose right it is last; `seats` is how many
    people the step needed then.
    """

    step: str
    by: str
    at: datetime
    comment: str
    limits: tuple[Limit, ...]
    scope: Scope
    conditions: tuple[Condition, ...] = ()
    acting_for: tuple[str, ...] = ()
    seats: int = 1


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """Permission for outside effects, bound to the terms by their fingerprint."""

    fingerprint: str
    policy_id: str
    policy_version: int
    policy_hash: str
    grants: tuple[Grant, ...]
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class TouchClock:
    """Somebody should have looked by `due_at`: five minutes of opening time after `starts_at`, by the calendar of this
    name as it was then.
    """

    starts_at: datetime
    due_at: datetime
    calendar: str


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalRequested:
    """`carried` are grants of earlier terms that these terms are no worse than. `clock` comes with the first round of
    a deal that needs people.
    """

    TYPE: ClassVar[str] = "approval.requested"
    round: int
    fingerprint: str
    stages: tuple[StageAsked, ...]
    carried: tuple[Grant, ...] = ()
    clock: TouchClock | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalAnswered:
    """The CRM says that an approval record was decided; it is read back before anything moves."""

    TYPE: ClassVar[str] = "approval.answered"
    approval_key: str
    record_id: str


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalGranted:
    """`wait_seconds` is calendar time since the round was asked for."""

    TYPE: ClassVar[str] = "approval.granted"
    round: int
    step: str
    by: str
    fingerprint: str
    comment: str
    wait_seconds: int
    limits: tuple[Limit, ...]
    scope: Scope
    conditions: tuple[Condition, ...] = ()
    acting_for: tuple[str, ...] = ()
    seats: int = 1


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalReminded:
    """Half of the step's time has passed without an answer; `people` are those who can give it, where known."""

    TYPE: ClassVar[str] = "approval.reminded"
    round: int
    step: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalEscalated:
    """The step is open to more people: the next `rung` of its ladder, which is `group` or `people`.

    Nobody is taken away, and silence approves nothing. With neither group nor people, an administrator has to act.
    """

    TYPE: ClassVar[str] = "approval.escalated"
    round: int
    step: str
    rung: int
    group: str | None
    people: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class SlaBreached:
    """Nobody has looked at the deal in time; `sla` says in which time: `touch`, the five minutes of its clock."""

    TYPE: ClassVar[str] = "sla.breached"
    sla: str
    due_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalExpired:
    """The approval, or the wait for it, ended before the contract went out; the quote can be submitted again."""

    TYPE: ClassVar[str] = "approval.expired"
    expired_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class ApprovalRejected:
    TYPE: ClassVar[str] = "approval.rejected"
    round: int
    step: str
    by: str
    fingerprint: str
    comment: str


@dataclass(frozen=True, slots=True, repr=False)
class DealApproved:
    TYPE: ClassVar[str] = "deal.approved"
    certificate: Certificate


@dataclass(frozen=True, slots=True, repr=False)
class DealRecalled:
    TYPE: ClassVar[str] = "deal.recalled"
    by: str


ApprovalEvent = (
    ApprovalRequested
    | ApprovalAnswered
    | ApprovalGranted
    | ApprovalReminded
    | ApprovalEscalated
    | SlaBreached
    | ApprovalExpired
    | ApprovalRejected
    | DealApproved
    | DealRecalled
)
