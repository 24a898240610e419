"""A hint named an envelope: read from the vendor what became of it, and record that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.ports import Cause, Deals, Signatures
from dealdesk.usecases.record_signature import record_signature


def read_envelope(
    deals: Deals,
    signatures: Signatures,
    deal_id: str,
    envelope_id: str,
    key: str,
    *,
    cause: Cause,
    vendor: str,
    now: datetime,
) -> Deal:
    """Asks about exactly this envelope, also one that the deal does not know or no longer wants.

    `key` is what the hint said: a vendor may show nothing of an envelope that is gone.
    """
    deals.load(deal_id, cause)
    state = signatures.status(envelope_id)
    known = replace(state, key=state.key or key)
    return record_signature(deals, deal_id, known, cause=cause, vendor=vendor, now=now)
