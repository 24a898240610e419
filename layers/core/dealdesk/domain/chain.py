"""Events are numbered without gaps and chained by hash, so that nothing can be lost or altered unseen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row of a deal's history. `data` is the event as canonical JSON text; `id` is unique over all deals.

    The events of a policy are chained in the same way, under an id that no deal has.
    """

    deal_id: str
    sequence: int
    type: str
    occurred_at: datetime
    cause: str
    actor: str
    data: str
    previous_hash: str
    hash: str

    @property
    def id(self) -> str:
        return f"{self.deal_id}:{self.sequence:06d}"


def subject_of(policy_id: str) -> str:
    """The policy where ids of policies and of deals stand side by side: no deal has such an id."""
    return f"policy:{policy_id}"


def link(
    deal_id: str,
    sequence: int,
    type_: str,
    occurred_at: datetime,
    cause: str,
    actor: str,
    data: str,
    previous: str,
) -> Recorded:
    """The next link of the chain: its hash covers every field and the hash before it."""
    digest = _digest(deal_id, sequence, type_, occurred_at, cause, actor, data, previous)
    return Recorded(deal_id, sequence, type_, occurred_at, cause, actor, data, previous, digest)


def first_break(records: list[Recorded]) -> int | None:
    """The sequence number at which a whole history stops being gapless and true, or None."""
    previous = ""
    for expected, record in enumerate(records, start=1):
        digest = _digest(
            record.deal_id,
            record.sequence,
            record.type,
            record.occurred_at,
            record.cause,
            record.actor,
            record.data,
            previous,
        )
        if record.sequence != expected or record.previous_hash != previous or record.hash != digest:
            return expected
        previous = record.hash
    return None


def _digest(
    deal_id: str,
    sequence: int,
    type_: str,
    occurred_at: datetime,
    cause: str,
    actor: str,
    data: str,
    previous: str,
) -> str:
    parts = (deal_id, str(sequence), type_, occurred_at.isoformat(), cause, actor, data, previous)
    sha = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        sha.update(len(encoded).to_bytes(8, "big"))
        sha.update(encoded)
    return sha.hexdigest()
