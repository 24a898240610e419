"""When an offer ends: validity, approval, contract and payment link each have an end, and the earliest one counts."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import NamedTuple

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus, PaymentStatus

QUOTE, APPROVAL, ENVELOPE, LINK = "quote_validity", "approval", "envelope", "payment_link"


class Expiries(NamedTuple):
    """All four ends, None where there is none; `earliest` names the first that still counts."""

    ends: dict[str, datetime | None]
    earliest: str | None


def expiries(deal: Deal) -> Expiries:
    """The four ends of a deal as it stands.

    What is signed has no end but that of its payment link. An envelope that is out has the end that its provider told.
    """
    valid = None
    if deal.quote is not None and deal.quote.valid_until is not None:
        valid = datetime.combine(deal.quote.valid_until, time.max, tzinfo=UTC)
    out = deal.envelope is not None and deal.envelope.status is EnvelopeStatus.SENT
    signed = deal.envelope is not None and deal.envelope.status is EnvelopeStatus.COMPLETED
    pending = deal.payment is not None and deal.payment.status is PaymentStatus.PENDING
    ends: dict[str, datetime | None] = {
        QUOTE: valid,
        APPROVAL: deal.certificate.expires_at if deal.certificate else None,
        ENVELOPE: deal.envelope.expires_at if out and deal.envelope else None,
        LINK: deal.payment.expires_at if pending and deal.payment else None,
    }
    counted = (LINK,) if signed else (QUOTE, APPROVAL, ENVELOPE, LINK)
    first = [(end, what) for what in counted if (end := ends[what]) is not None]
    return Expiries(ends, min(first, key=lambda pair: pair[0])[1] if first else None)
