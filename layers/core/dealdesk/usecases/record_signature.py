"""The e-signature provider reports on an envelope."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import signature
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event
from dealdesk.ports import Cause, Deals, EnvelopeState
from dealdesk.usecases.change import change


def record_signature(
    deals: Deals, deal_id: str, state: EnvelopeState, *, cause: Cause, vendor: str, now: datetime
) -> Deal:
    return change(
        deals,
        deal_id,
        lambda deal: told(deal, state, now, vendor),
        cause=cause,
        actor=f"vendor:{vendor}",
        now=now,
    )


def told(deal: Deal, state: EnvelopeState, now: datetime, vendor: str = "") -> list[Event]:
    """What the provider's word on an envelope changes. Raises `DealUnknown` for one that the deal never asked for."""
    return signature.moved(
        deal,
        state.key,
        state.envelope_id,
        state.status,
        state.reason,
        state.changed_at,
        now,
        vendor,
        state.expires_at,
    )
