"""Send the approved contract for signature, withdraw an overtaken one, ask about a silent one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import cast

from dealdesk.domain import signature
from dealdesk.domain.certificate import gate, has_expired
from dealdesk.domain.deal import Deal, Envelope, Intent
from dealdesk.domain.events import ApprovalExpired, EnvelopeResent, EnvelopeVoided, Event, VendorAsked
from dealdesk.domain.stages import Effect, EnvelopeStatus, Stage
from dealdesk.errors import Conflict, LeaseHeld, VendorRefused
from dealdesk.ports import Approvers, Cause, Deals, EnvelopeState, People, Person, Policies, Signatures
from dealdesk.usecases.carry_out import LEASE, Work, carry_out
from dealdesk.usecases.change import change
from dealdesk.usecases.follow_policy import follow_policy
from dealdesk.usecases.record_signature import told

ACTOR = "system:request_signature"
# Nobody who signs takes a key: a request may still be at work there when its worker is gone. So the next worker waits
# until the lease is over and a minute more, and then sees by the look-up what has become of it.
LANDS_WITHIN = timedelta(seconds=60)
SENDING = LEASE + LANDS_WITHIN

SignaturesOf = Callable[[str], Signatures]
"""The provider of this name. Raises `VendorRefused` for one that is not set up."""


def request_signature(
    deals: Deals,
    people: People,
    signatures: SignaturesOf,
    policies: Policies,
    approvers: Approvers,
    deal_id: str,
    clock: Callable[[], datetime],
) -> list[str]:
    """Carries out the deal's open intents to send, to void and to send again; returns their keys.

    An approval that has ended is recorded as such instead, so that the rep can submit again. Where the policy or the
    rate moved since, and would ask for more, the deal is judged again and nothing is sent.
    """
    deal = deals.load(deal_id)
    if deal.stage is Stage.APPROVED:
        deal = follow_policy(deals, policies, deal, approvers.directory(), actor=ACTOR, now=clock())
    if has_expired(deal, clock()):
        _expire(deals, signatures, deal, clock())
        return []
    send: Work[str] = Work(
        actor=ACTOR,
        gate=lambda deal, _, now: gate(deal, "signature", now, signed=False),
        look_up=lambda deal, intent: _id_of(
            signatures(provider_of(deal, intent)).look_up(intent.key, intent.opened_at)
        ),
        call=lambda deal, intent, _: signatures(provider_of(deal, intent)).send(
            intent.key, deal, signer_of(people, deal)
        ),
        record=lambda deal, intent, envelope_id, now: signature.sent(
            deal, intent.key, envelope_id, now, intent.provider
        ),
        lease=SENDING,
    )
    void: Work[EnvelopeState] = Work(
        actor=ACTOR,
        gate=lambda *_: None,
        look_up=lambda *_: None,
        call=lambda deal, intent, _: _void(signatures(provider_of(deal, intent)), intent),
        record=_record_void,
    )
    resend: Work[bool] = Work(
        actor=ACTOR,
        gate=lambda *_: None,
        look_up=lambda *_: None,
        call=lambda deal, intent, now: _resend(signatures(provider_of(deal, intent)), people, deal, intent, now),
        record=lambda _, intent, __, ___: [EnvelopeResent(intent.key, intent.subject)],
    )
    works = {Effect.SEND_ENVELOPE: send, Effect.VOID_ENVELOPE: void, Effect.RESEND_ENVELOPE: resend}
    return carry_out(deals, deal_id, cast("dict[Effect, Work[object]]", works), clock)


def ask_about_signature(deals: Deals, signatures: SignaturesOf, deal_id: str, *, cause: Cause, now: datetime) -> Deal:
    """The vendor's word on an envelope that has been silent; `VendorAsked` when nothing moved."""
    known = deals.load(deal_id, cause)
    if known.envelope is None or known.stage is not Stage.OUT_FOR_SIGNATURE:
        return known
    state = signatures(provider_of(known, known.envelope)).status(known.envelope.id)

    def decide(deal: Deal) -> Sequence[Event]:
        return told(deal, state, now) or [VendorAsked("signature", state.status.value)]

    return change(deals, deal_id, decide, cause=cause, actor="system:chase_stalled", now=now)


def _expire(deals: Deals, signatures: SignaturesOf, deal: Deal, now: datetime) -> None:
    """An attempt whose answer was lost may have sent the contract in time: then it is out, and nothing expires."""
    intent = next((i for i in deal.intents if i.effect is Effect.SEND_ENVELOPE), None)
    if intent and intent.lease_until and now < intent.lease_until:
        raise LeaseHeld(f"{intent.key} may still be carried out, until {intent.lease_until.isoformat()}")
    tried = intent is not None and intent.attempts
    out = signatures(provider_of(deal, intent)).look_up(intent.key, intent.opened_at) if intent and tried else None
    assert deal.certificate is not None
    ended = deal.certificate.expires_at

    def decide(deal: Deal) -> Sequence[Event]:
        if intent and out:
            return signature.sent(deal, intent.key, out.envelope_id, now, intent.provider)
        return [ApprovalExpired(ended)] if has_expired(deal, now) else []

    cause = Cause("expiry", f"{deal.id}:{deal.certificate.fingerprint[:16]}@{ended.isoformat()}")
    change(deals, deal.id, decide, cause=cause, actor=ACTOR, now=now)


def provider_of(deal: Deal, about: Intent | Envelope) -> str:
    """Who signs this one; what was asked before providers were recorded went where the quote says."""
    assert deal.quote is not None
    return about.provider or deal.quote.providers.signature


def signer_of(people: People, deal: Deal) -> Person:
    """Raises `VendorRefused` where the deal names nobody."""
    contact_id = deal.quote.contact_id if deal.quote else None
    person = people.find(contact_id) if contact_id else None
    if person is None:
        raise VendorRefused(f"deal {deal.id} names nobody to sign; add a contact with an e-mail address")
    return person


def _id_of(state: EnvelopeState | None) -> str | None:
    return state.envelope_id if state else None


def _void(signatures: Signatures, intent: Intent) -> EnvelopeState:
    """Voids unless the envelope has ended by itself in the meantime."""
    state = signatures.status(intent.subject)
    if state.status is EnvelopeStatus.SENT:
        signatures.void(intent.subject, "The terms changed; a new contract follows.")
        state = signatures.status(intent.subject)
    return state


def _resend(signatures: Signatures, people: People, deal: Deal, intent: Intent, now: datetime) -> bool:
    """The terms may have lost their approval since somebody asked: then nobody is written to."""
    try:
        signature.require_out(deal, "resending", now)
    except Conflict as closed:
        raise VendorRefused(str(closed)) from closed
    signatures.resend(intent.subject, signer_of(people, deal))
    return True


def _record_void(deal: Deal, intent: Intent, state: EnvelopeState, now: datetime) -> Sequence[Event]:
    if state.status is EnvelopeStatus.VOIDED:
        return [EnvelopeVoided(intent.subject, state.reason, expired=False)]
    return told(deal, state, now)
