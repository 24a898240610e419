"""An address at which the signer can sign the contract that is out."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain import signature
from dealdesk.ports import Deals, People
from dealdesk.usecases.request_signature import SignaturesOf, provider_of, signer_of


def show_contract(
    deals: Deals, people: People, signatures: SignaturesOf, deal_id: str, return_url: str, now: datetime
) -> str:
    """Whoever has the address can sign as the customer: it goes to who asked, and is neither kept nor logged.

    Raises `WrongStage` and `CertificateInvalid` unless the approved terms are out, and what the provider raises.
    """
    deal = deals.load(deal_id)
    out = signature.require_out(deal, "the signing view", now)
    return signatures(provider_of(deal, out)).recipient_view(out.id, signer_of(people, deal), return_url)
