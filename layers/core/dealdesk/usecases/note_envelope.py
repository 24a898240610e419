"""The e-signature provider says that something became of an envelope: remember it, to be read back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import EnvelopeReported, Event
from dealdesk.domain.stages import EnvelopeStatus
from dealdesk.errors import DealUnknown
from dealdesk.ports import Cause, Deals
from dealdesk.usecases.change import change


def note_envelope(
    deals: Deals, deal_id: str, envelope_id: str, key: str, said: str, *, cause: Cause, vendor: str, now: datetime
) -> Deal:
    """Remembers the vendor's hint; its content is unsigned, so nothing moves on its word.

    Raises `DealUnknown` when the deal never asked for an envelope with this key.
    """

    def decide(deal: Deal) -> Sequence[Event]:
        if not key.startswith(f"envelope:{deal.id}:"):
            raise DealUnknown(f"deal {deal.id} did not ask for envelope {envelope_id}")
        return [] if _is_settled(deal, envelope_id) else [EnvelopeReported(envelope_id, key, said)]

    return change(deals, deal_id, decide, cause=cause, actor=f"vendor:{vendor}", now=now)


def _is_settled(deal: Deal, envelope_id: str) -> bool:
    """Whether the vendor has given its last word on this envelope already."""
    if deal.envelope is None or deal.envelope.id != envelope_id:
        return False
    wanted = any(intent.subject == envelope_id for intent in deal.intents)
    return deal.envelope.status is not EnvelopeStatus.SENT and not wanted
