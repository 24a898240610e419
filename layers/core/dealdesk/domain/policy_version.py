"""One version of a policy as it is kept: its content, who wrote it, whether and from when it decides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from dealdesk.domain.fingerprint import canonical_json


class PolicyStatus(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"


class Treatment(StrEnum):
    """What becomes of deals in flight when another version is published."""

    GRANDFATHER = "grandfather"
    RE_EVALUATE = "re_evaluate"


@dataclass(frozen=True, slots=True)
class InFlight:
    """What a publisher chose for the deals that another version had decided before.

    Grandfathered, they keep that version through the day `until` (UTC); otherwise the new one decides them at once.
    """

    mode: Treatment
    until: date | None = None

    def spares(self, now: datetime) -> bool:
        """Whether such deals still keep their version."""
        if self.mode is Treatment.RE_EVALUATE or self.until is None:
            return False
        return now.astimezone(UTC).date() <= self.until


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """Its content never changes: an edit is the next number, and publishing only adds who published it and when.

    `document` is the canonical JSON with the policy's id and this number in it, `hash` its SHA-256: the same that
    every decision carries. `authors` are all who wrote on it since the version before was published. Until it is
    published, the two effective times are what its author asked for, and None means at once and without end;
    `in_flight` is what its publisher chose, None before that.
    """

    policy_id: str
    number: int
    status: PolicyStatus
    document: str
    hash: str
    author: str
    authors: tuple[str, ...]
    created_at: datetime
    comment: str = ""
    parent_version: int | None = None
    template_id: str | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    published_by: str | None = None
    published_at: datetime | None = None
    in_flight: InFlight | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The document as JSON, a new copy each time."""
        loaded: dict[str, Any] = json.loads(self.document)
        return loaded

    @property
    def name(self) -> str:
        return str(self.content.get("name", self.policy_id))[:200]

    def decides_at(self, moment: datetime) -> bool:
        """Whether it is published and in effect; the end itself is no longer in it."""
        begun = self.effective_from is not None and self.effective_from <= moment
        ended = self.effective_to is not None and self.effective_to <= moment
        return self.status is PolicyStatus.PUBLISHED and begun and not ended


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """A policy in a list: its newest version, and the one that was published last.

    `events` is the number of its last event, `last_hash` the end of their chain.
    """

    policy_id: str
    name: str
    newest: int
    status: PolicyStatus
    published: int | None
    updated_at: datetime
    events: int = 0
    last_hash: str = ""


def stamped(document: dict[str, Any], policy_id: str, number: int) -> tuple[str, str]:
    """The canonical text of the document under this id and number, and its SHA-256."""
    text = canonical_json({**document, "policy_id": policy_id, "version": number})
    return text, hashlib.sha256(text.encode()).hexdigest()


def in_force(versions: Iterable[PolicyVersion], at: datetime) -> PolicyVersion | None:
    """The version that decides at that moment: of those in effect the one that began last.

    When two begin at once, the one that was published last decides; so a version that waits for its day is
    replaced by publishing another for the same day. When one ends, the one before it decides again.
    """
    in_effect = [version for version in versions if version.decides_at(at)]
    return max(in_effect, key=_precedence, default=None)


def binding(versions: Iterable[PolicyVersion], decided_version: PolicyVersion, now: datetime) -> PolicyVersion:
    """The version that a deal follows now which was decided under `decided_version`.

    That version, as long as each one in effect that has begun since spares the deals in flight; otherwise the one in
    force. `versions` are all that were published, of every policy: another policy may have taken over. What has ended
    has no say, and neither has a version that ended without another one after it.
    """
    in_effect = [version for version in versions if version.decides_at(now)]
    since = [version for version in in_effect if _precedence(version) > _precedence(decided_version)]
    spared = all(version.in_flight is not None and version.in_flight.spares(now) for version in since)
    if spared and (since or decided_version.decides_at(now)):
        return decided_version
    return max(in_effect, key=_precedence, default=decided_version)


def _precedence(version: PolicyVersion) -> tuple[datetime, datetime, str, int]:
    assert version.effective_from is not None, "a version without a beginning is not in effect"
    assert version.published_at is not None, "a version that nobody published is not in effect"
    return version.effective_from, version.published_at, version.policy_id, version.number
