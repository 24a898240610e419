"""What can happen to a policy, in the past tense: who did it and which version it made.

Each class carries its public name as `TYPE`. Drafts are events too, so that the trail of a policy has no holes; the
content stays with the versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from dealdesk.domain.policy_version import InFlight, PolicyStatus, PolicyVersion


@dataclass(frozen=True, slots=True, repr=False)
class PolicyDrafted:
    """Somebody wrote a version: the first one, or an edit of `parent_version`."""

    TYPE: ClassVar[str] = "policy.drafted"
    policy_id: str
    policy_version: int
    hash: str
    by: str
    comment: str
    parent_version: int | None
    template_id: str | None


@dataclass(frozen=True, slots=True, repr=False)
class PolicyPublished:
    """A second person put a version in force from `effective_from` on; `previous_version` was published before it.

    After a rollback `parent_version` is the earlier version whose content decides again.
    """

    TYPE: ClassVar[str] = "policy.published"
    policy_id: str
    policy_version: int
    name: str
    hash: str
    by: str
    authors: tuple[str, ...]
    comment: str
    parent_version: int | None
    previous_version: int | None
    effective_from: datetime
    effective_to: datetime | None
    in_flight: InFlight


PolicyEvent = PolicyDrafted | PolicyPublished

POLICY_EVENT_TYPES: dict[str, type[PolicyEvent]] = {event.TYPE: event for event in (PolicyDrafted, PolicyPublished)}


def event_of(version: PolicyVersion, previous_version: int | None) -> PolicyEvent:
    """What happened when this version came to be, or came to be published."""
    if version.status is PolicyStatus.DRAFT:
        return PolicyDrafted(
            policy_id=version.policy_id,
            policy_version=version.number,
            hash=version.hash,
            by=version.author,
            comment=version.comment,
            parent_version=version.parent_version,
            template_id=version.template_id,
        )
    assert version.published_by is not None, "publishing names who did it"
    assert version.effective_from is not None, "what is published begins at some time"
    assert version.in_flight is not None, "publishing says what becomes of deals in flight"
    return PolicyPublished(
        policy_id=version.policy_id,
        policy_version=version.number,
        name=version.name,
        hash=version.hash,
        by=version.published_by,
        authors=version.authors,
        comment=version.comment,
        parent_version=version.parent_version,
        previous_version=previous_version,
        effective_from=version.effective_from,
        effective_to=version.effective_to,
        in_flight=version.in_flight,
    )
