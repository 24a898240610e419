"""The contract goes out for signature, and comes back signed, declined, voided or expired."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import events as e
from dealdesk.domain import payments
from dealdesk.domain.certificate import gate
from dealdesk.domain.deal import Deal, Envelope
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.errors import CertificateInvalid, DealUnknown, WrongStage


def request(deal: Deal) -> list[e.Event]:
    """The intent to send the certified revision; an attempt after a decline or a void has a key of its own."""
    if deal.certificate is None or deal.quote is None:
        return []
    again = 0 if deal.envelope is None or deal.envelope.fingerprint != deal.fingerprint else 1
    previous = int(deal.envelope.key.rsplit(":", 1)[1]) if again and deal.envelope else 0
    key = f"envelope:{deal.id}:r{deal.revision}:{previous + 1}"
    return [e.EnvelopeRequested(key, deal.quote.providers.signature, deal.certificate.fingerprint)]


def withdraw(deal: Deal, reason: str) -> list[e.Event]:
    """The intent to void the envelope that is out."""
    if deal.envelope is None or deal.envelope.status is not EnvelopeStatus.SENT:
        return []
    out = deal.envelope
    return [e.EnvelopeVoidRequested(f"void:{out.key}", out.id, reason, out.provider)]


def require_out(deal: Deal, effect: str, now: datetime) -> Envelope:
    """The envelope that is out with exactly the terms that are approved. Raises `WrongStage`, `CertificateInvalid`."""
    out = deal.envelope
    if out is None or out.status is not EnvelopeStatus.SENT or deal.stage is not Stage.OUT_FOR_SIGNATURE:
        raise WrongStage(f"{effect} refused: no contract of deal {deal.id} is out for signature")
    if gate(deal, effect, now, signed=False) != out.fingerprint:
        raise CertificateInvalid(f"{effect} refused: the contract of deal {deal.id} that is out has other terms")
    return out


def resend(deal: Deal, now: datetime) -> list[e.Event]:
    """The intent to have the provider's e-mail sent again; none while one is on its way. Raises as `require_out`."""
    out = require_out(deal, "resending", now)
    key = f"resend:{out.key}"
    intent = deal.intent(key)
    return [] if intent and not intent.failed else [e.EnvelopeResendRequested(key, out.id)]


def show(deal: Deal, now: datetime) -> list[e.Event]:
    """Somebody wants an address at which the signer can sign. Raises as `require_out`."""
    return [e.SigningViewRequested(require_out(deal, "the signing view", now).id)]


def sent(deal: Deal, key: str, envelope_id: str, now: datetime, provider: str = "") -> list[e.Event]:
    """The vendor says that the envelope of this intent is out. One that the deal no longer wants is withdrawn.

    `provider` is who says so; where nobody is named, it is who signs the present terms.
    """
    if deal.envelope and deal.envelope.id == envelope_id:
        return []
    intent = deal.intent(key)
    if intent is None:
        reason = "the terms changed while it was being sent"
        return [e.EnvelopeVoidRequested(f"void:{key}", envelope_id, reason, provider)]
    return [e.EnvelopeSent(key, envelope_id)]


def moved(
    deal: Deal,
    key: str,
    envelope_id: str,
    status: EnvelopeStatus,
    reason: str,
    at: datetime,
    now: datetime,
    provider: str = "",
    expires_at: datetime | None = None,
) -> list[e.Event]:
    """What a report of the vendor changes. Late, repeated and contradicting reports change nothing.

    A report may beat our own API answer: then the open intent with this `key` is answered by it.
    Raises `DealUnknown` when the deal never asked for this envelope.
    """
    happened: list[e.Event] = []
    if deal.envelope is None or deal.envelope.id != envelope_id:
        if deal.intent(key) is None:
            if any(intent.subject == envelope_id for intent in deal.intents):
                return _ended_late(envelope_id, status, reason, at)
            if not key.startswith(f"envelope:{deal.id}:"):
                raise DealUnknown(f"deal {deal.id} did not ask for envelope {envelope_id}")
            return sent(deal, key, envelope_id, now, provider) if status is EnvelopeStatus.SENT else []
        happened += sent(deal, key, envelope_id, now, provider)
        deal = fold(deal, happened, now)
    if deal.envelope is None or deal.envelope.status is not EnvelopeStatus.SENT:
        return happened
    match status:
        case EnvelopeStatus.COMPLETED:
            happened.append(e.EnvelopeCompleted(envelope_id, at))
            after = fold(deal, [happened[-1]], now)
            happened += payments.request(after, now)
        case EnvelopeStatus.DECLINED:
            happened.append(e.EnvelopeDeclined(envelope_id, reason))
        case EnvelopeStatus.VOIDED:
            happened.append(e.EnvelopeVoided(envelope_id, reason, expired="expired" in reason.lower()))
        case EnvelopeStatus.SENT:
            if expires_at and expires_at != deal.envelope.expires_at:
                happened.append(e.EnvelopeExpirySet(envelope_id, expires_at))
    return happened


def _ended_late(envelope_id: str, status: EnvelopeStatus, reason: str, at: datetime) -> list[e.Event]:
    """An envelope of an overtaken revision has ended: as the desk had asked, or because the customer was faster."""
    match status:
        case EnvelopeStatus.VOIDED:
            return [e.EnvelopeVoided(envelope_id, "overtaken by a new revision", expired=False)]
        case EnvelopeStatus.DECLINED:
            return [e.EnvelopeDeclined(envelope_id, reason)]
        case EnvelopeStatus.COMPLETED:
            return [e.EnvelopeCompleted(envelope_id, at)]
        case EnvelopeStatus.SENT:
            return []
