"""Gates: every outside effect asks here whether the terms, as they are now, were approved."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Certificate
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.stages import Effect, EnvelopeStatus
from dealdesk.errors import CertificateInvalid

SHORTEST_DAYS = 1
OUT = (EnvelopeStatus.SENT, EnvelopeStatus.COMPLETED)


def issue(deal: Deal, now: datetime) -> Certificate:
    """A certificate for the live revision; it ends with the policy's days after its first grant, or with the quote."""
    if deal.quote is None or deal.decision is None:
        raise CertificateInvalid(f"deal {deal.id} has no evaluated quote to certify")
    grants = deal.round.grants if deal.round and deal.round.fingerprint == deal.fingerprint else ()
    expires_at = min([now, *(grant.at for grant in grants)]) + valid_for(deal)
    if deal.quote.valid_until:
        last_moment = datetime.combine(deal.quote.valid_until, time.max, tzinfo=UTC)
        expires_at = min(expires_at, last_moment)
    return Certificate(
        fingerprint=deal.decision.fingerprint,
        policy_id=deal.decision.policy_id,
        policy_version=deal.decision.policy_version,
        policy_hash=deal.decision.policy_hash,
        grants=grants,
        issued_at=now,
        expires_at=expires_at,
    )


def valid_for(deal: Deal) -> timedelta:
    """How long an approval holds, and how long a round waits for one."""
    return timedelta(days=deal.decision.valid_days if deal.decision else SHORTEST_DAYS)


def has_expired(deal: Deal, now: datetime) -> bool:
    """Whether the approval ended before the contract of its terms went out, as far as the desk knows.

    A contract of the same terms that was declined or voided is no longer out; one that is still to be sent is not that
    of an earlier revision, whose terms the quote has come back to.
    """
    contract = deal.envelope
    to_send = any(intent.effect is Effect.SEND_ENVELOPE for intent in deal.intents)
    sent = contract is not None and contract.status in OUT and contract.fingerprint == deal.fingerprint
    return deal.certificate is not None and (to_send or not sent) and now > deal.certificate.expires_at


def gate(deal: Deal, effect: str, now: datetime, *, signed: bool) -> str:
    """The certified fingerprint, re-derived from the quote as it stands.

    Once the customer has signed, the certificate no longer expires, but what was signed must be what was certified.
    Raises `CertificateInvalid`, which names the effect and the reason.
    """
    if deal.certificate is None or deal.quote is None:
        raise CertificateInvalid(f"{effect} refused: deal {deal.id} has no approval certificate")
    current = fingerprint(deal.quote)
    if current != deal.certificate.fingerprint:
        raise CertificateInvalid(f"{effect} refused: the terms of deal {deal.id} changed since they were approved")
    contract = deal.envelope
    if signed and (contract is None or (contract.status, contract.fingerprint) != (EnvelopeStatus.COMPLETED, current)):
        raise CertificateInvalid(f"{effect} refused: the customer has not signed the approved terms of deal {deal.id}")
    if not signed and now > deal.certificate.expires_at:
        ended = deal.certificate.expires_at.isoformat()
        raise CertificateInvalid(f"{effect} refused: the approval of deal {deal.id} expired at {ended}")
    return current
