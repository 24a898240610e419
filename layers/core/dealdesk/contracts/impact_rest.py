"""What REST takes and gives about the impact that a policy would have."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from dealdesk.contracts.fields import Strict
from dealdesk.contracts.policy_rest import Document, Number
from dealdesk.domain.impact import CAUTION, Flip, Impact


class ImpactIn(Strict):
    """What to try: a document, or a version that was written; without either, the newest version."""

    document: Document | None = None
    version: Number | None = None
    deals: Annotated[int, Field(strict=True, ge=1, le=500)] = 200


class MovedOut(BaseModel):
    before: str
    after: str
    deals: int
    total_contract_value: str


class FlipOut(BaseModel):
    deal_id: str
    name: str
    before: str
    after: str
    decided_by: dict[str, Any]
    reasons_before: list[str]
    reasons_after: list[str]


class ImpactOut(BaseModel):
    """`complete` is false when there are more deals than were looked at; `flips` names at most 100 of them."""

    policy_id: str
    hash: str
    deals: int
    complete: bool
    moved: list[MovedOut]
    gained: dict[str, int]
    lost: dict[str, int]
    flips: list[FlipOut]
    caution: str


def impact_view(found: Impact, policy_id: str, digest: str, *, complete: bool) -> ImpactOut:
    moved = [
        MovedOut(
            before=part.before.value,
            after=part.after.value,
            deals=part.deals,
            total_contract_value=format(part.total_contract_value, "f"),
        )
        for part in found.moved
    ]
    return ImpactOut(
        policy_id=policy_id,
        hash=digest,
        deals=found.deals,
        complete=complete,
        moved=moved,
        gained=dict(found.gained),
        lost=dict(found.lost),
        flips=[_flip(flip) for flip in found.flips],
        caution=CAUTION,
    )


def _flip(flip: Flip) -> FlipOut:
    before, after = flip.before, flip.after
    return FlipOut(
        deal_id=flip.deal_id,
        name=flip.name,
        before=before.outcome.value,
        after=after.outcome.value,
        decided_by={"id": before.policy_id, "version": before.policy_version, "hash": before.policy_hash},
        reasons_before=[violation.message for violation in before.violations],
        reasons_after=[violation.message for violation in after.violations],
    )
