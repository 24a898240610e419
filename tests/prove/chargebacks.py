"""What payers' banks take back: the disputes that stand at Stripe or PayPal, and how they are opened and decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dealdesk.contracts.paypal_money import from_paypal, to_paypal
from dealdesk.domain.money import Money
from tests.prove.paying import Receipt

# How a bank may decide; at PayPal the payer of a lost dispute may be paid by a refund of the capture.
WON, LOST, LOST_BY_REFUND = "won", "lost", "lost, shown as a refund"
OPEN = "open"
PAYPAL_SAYS = {WON: "RESOLVED_SELLER_FAVOUR", LOST: "RESOLVED_BUYER_FAVOUR", LOST_BY_REFUND: "ACCEPTED"}


@dataclass(frozen=True, slots=True)
class Chargeback:
    """`amount` has left our account unless `status` is won; `fee` has in any case."""

    id: str
    reference: str
    amount: Money
    fee: Money
    status: str


class Banks(Protocol):
    outcomes: tuple[str, ...]

    def chargebacks(self) -> list[Chargeback]: ...

    def take(self, receipt: Receipt, minor: int) -> str:
        """The bank takes so much of the money back; the id of the dispute. Raises `Refused` where nothing is left."""

    def decide(self, dispute_id: str, outcome: str) -> object: ...

    def tell_again(self, dispute_id: str) -> object:
        """Somebody has the vendor send its last message about the dispute once more."""


class AtStripe:
    outcomes: tuple[str, ...] = (WON, LOST)

    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def chargebacks(self) -> list[Chargeback]:
        return [_stripe(dispute) for dispute in self._twin.disputes.held.values()]

    def take(self, receipt: Receipt, minor: int) -> str:
        return str(self._twin.act("dispute", {"payment_intent": receipt.reference, "amount": minor})["id"])

    def decide(self, dispute_id: str, outcome: str) -> object:
        return self._twin.act("close_dispute", {"dispute_id": dispute_id, "won": outcome == WON})

    def tell_again(self, dispute_id: str) -> object:
        about = [event["id"] for event in self._twin.events.values() if event["data"]["object"]["id"] == dispute_id]
        return self._twin.act("resend", {"event_id": about[-1]})


class AtPaypal:
    outcomes: tuple[str, ...] = (WON, LOST, LOST_BY_REFUND)

    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def chargebacks(self) -> list[Chargeback]:
        return [_paypal(dispute) for dispute in self._twin.disputes.held.values()]

    def take(self, receipt: Receipt, minor: int) -> str:
        value = to_paypal(Money(minor, receipt.amount.currency))["value"]
        return str(self._twin.act("dispute", {"capture_id": receipt.reference, "value": value})["dispute_id"])

    def decide(self, dispute_id: str, outcome: str) -> object:
        by_refund = outcome == LOST_BY_REFUND
        asked = {"dispute_id": dispute_id, "outcome": PAYPAL_SAYS[outcome], "by_refund": by_refund}
        return self._twin.act("resolve", asked)

    def tell_again(self, dispute_id: str) -> object:
        about = [event["id"] for event in self._twin.events if event["resource"].get("dispute_id") == dispute_id]
        return self._twin.act("resend", {"event_id": about[-1]})


def _stripe(dispute: Any) -> Chargeback:
    currency = dispute["currency"].upper()
    fee = sum(booking["fee"] for booking in dispute["balance_transactions"])
    status = dispute["status"] if dispute["status"] in (WON, LOST) else OPEN
    amount = Money(dispute["amount"], currency)
    return Chargeback(dispute["id"], dispute["payment_intent"], amount, Money(fee, currency), status)


def _paypal(dispute: Any) -> Chargeback:
    (about,) = dispute["disputed_transactions"]
    (fee,) = [each["amount"] for each in dispute["fund_movements"] if each["reason"] == "CHARGEBACK_FEE"]
    outcome = dispute.get("dispute_outcome", {}).get("outcome_code")
    status = OPEN if outcome is None else WON if outcome == PAYPAL_SAYS[WON] else LOST
    amount = _money(dispute["dispute_amount"])
    return Chargeback(dispute["dispute_id"], about["seller_transaction_id"], amount, _money(fee), status)


def _money(amount: Any) -> Money:
    return from_paypal(amount["value"], amount["currency_code"])


SIDES: dict[str, Callable[[Any], Banks]] = {"stripe": AtStripe, "paypal": AtPaypal}
