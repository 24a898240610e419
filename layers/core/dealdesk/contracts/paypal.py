"""PayPal's orders, captures, refunds and webhook events, as far as the desk reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from dealdesk.contracts.paypal_money import from_paypal
from dealdesk.domain.events import PaymentReported
from dealdesk.domain.money import Money
from dealdesk.errors import Malformed
from dealdesk.ports import PaymentState, RefundState

T = TypeVar("T")
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
CUSTOM_ID_LIMIT = 127
_PAYMENT_ID = re.compile(r"pay_(.+)_[0-9]+")


class Amount(msgspec.Struct):
    currency_code: str
    value: str

    @property
    def money(self) -> Money:
        return from_paypal(self.value, self.currency_code)


class Link(msgspec.Struct):
    href: str
    rel: str


class _StatusDetails(msgspec.Struct):
    reason: str = ""


class _RelatedIds(msgspec.Struct):
    order_id: str = ""


class _SupplementaryData(msgspec.Struct):
    related_ids: _RelatedIds = msgspec.field(default_factory=_RelatedIds)


class Capture(msgspec.Struct):
    """Money that was taken from a payer, or is on its way."""

    id: str
    status: str
    amount: Amount
    custom_id: str = ""
    status_details: _StatusDetails = msgspec.field(default_factory=_StatusDetails)
    supplementary_data: _SupplementaryData = msgspec.field(default_factory=_SupplementaryData)
    links: list[Link] = []

    @property
    def order_id(self) -> str:
        """The order that it belongs to: named in the related ids, or by the link upwards."""
        upwards = (link.href.rpartition("/")[2] for link in self.links if link.rel == "up")
        return self.supplementary_data.related_ids.order_id or next(upwards, "")


class Refund(msgspec.Struct):
    id: str
    status: str
    amount: Amount
    invoice_id: str = ""
    status_details: _StatusDetails = msgspec.field(default_factory=_StatusDetails)
    create_time: Moment | None = None
    links: list[Link] = []

    @property
    def capture_id(self) -> str:
        """The capture that it gives back, by the link upwards; empty where there is none."""
        return _capture_of(self.links)


class _Disputed(msgspec.Struct):
    seller_transaction_id: str = ""


class _Dispute(msgspec.Struct):
    dispute_id: str
    disputed_transactions: list[_Disputed] = []


class _Corrected(msgspec.Struct):
    """The refund or the reversal that an event is about."""

    links: list[Link] = []


class _Payments(msgspec.Struct):
    captures: list[Capture] = []
    refunds: list[Refund] = []


class PurchaseUnit(msgspec.Struct):
    amount: Amount
    custom_id: str = ""
    invoice_id: str = ""
    payments: _Payments = msgspec.field(default_factory=_Payments)


class Order(msgspec.Struct):
    id: str
    status: str
    purchase_units: list[PurchaseUnit]
    create_time: Moment | None = None
    links: list[Link] = []

    @property
    def unit(self) -> PurchaseUnit:
        """The one purchase unit that every order of the desk has."""
        if len(self.purchase_units) != 1:
            raise Malformed(f"order {self.id} has {len(self.purchase_units)} purchase units; the desk makes one")
        return self.purchase_units[0]


class PaypalEvent(msgspec.Struct):
    id: str
    event_type: str
    resource: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Report:
    """The hint that an event gives: which payment of which deal to ask about."""

    deal_id: str
    payment: PaymentReported


@dataclass(frozen=True, slots=True)
class CorrectionReport:
    """The hint that some of the money with `reference` went back, or is disputed."""

    reference: str
    said: str


def correction_of(event: PaypalEvent) -> CorrectionReport | None:
    """Refunds and reversals name their capture by a link, disputes by the seller's transaction; none names a deal."""
    if event.event_type in ("PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED"):
        corrected = read(bytes(event.resource), _Corrected, "PayPal refund in resource")
        capture_id = _capture_of(corrected.links)
        return CorrectionReport(capture_id, event.event_type) if capture_id else None
    if event.event_type.startswith("CUSTOMER.DISPUTE."):
        dispute = read(bytes(event.resource), _Dispute, "PayPal dispute in resource")
        captures = [each.seller_transaction_id for each in dispute.disputed_transactions if each.seller_transaction_id]
        return CorrectionReport(captures[0], f"{event.event_type} {dispute.dispute_id}"[:200]) if captures else None
    return None


def _capture_of(links: list[Link]) -> str:
    upwards = (link.href for link in links if link.rel == "up" and "/captures/" in link.href)
    return next((href.rpartition("/")[2] for href in upwards), "")


def custom_id_of(payment_id: str, deal_id: str) -> str:
    """Our ids in PayPal's 127 characters; the payment's id alone, where both are too long, names the deal as well."""
    both = f"{payment_id},{deal_id}"
    return both if len(both) <= CUSTOM_ID_LIMIT else payment_id


def our_ids(custom_id: str) -> tuple[str, str] | None:
    """The payment's and the deal's id; None for a `custom_id` that is none of the desk's."""
    payment_id = custom_id.partition(",")[0]
    named = _PAYMENT_ID.fullmatch(payment_id)
    return (payment_id, named[1]) if named else None


def read(body: bytes, kind: type[T], what: str) -> T:
    """Raises `Malformed`, naming the place, for a body that is no `what`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is no {what}: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def report_of(event: PaypalEvent) -> Report | None:
    """What to ask about; None for an event that concerns no payment of the desk."""
    if event.event_type.startswith("CHECKOUT.ORDER."):
        order = read(bytes(event.resource), Order, "PayPal order in resource")
        units, session_id = order.purchase_units, order.id
        custom_id = units[0].custom_id if units else ""
    elif event.event_type.startswith("PAYMENT.CAPTURE."):
        capture = read(bytes(event.resource), Capture, "PayPal capture in resource")
        custom_id, session_id = capture.custom_id, capture.order_id
    else:
        return None
    ours = our_ids(custom_id)
    if ours is None:
        return None
    payment_id, deal_id = ours
    return Report(deal_id, PaymentReported(payment_id, session_id, event.event_type))


def state_of(order: Order) -> PaymentState | None:
    """What the order says of our payment; None for an order that the desk did not make.

    Money has arrived only with a capture that is complete: an order may be COMPLETED with a debit still pending.
    A refund is an entry of its own and leaves the payment paid.
    """
    unit = order.unit
    ours = our_ids(unit.custom_id)
    if ours is None:
        return None
    capture = unit.payments.captures[-1] if unit.payments.captures else None
    if capture is None:
        outcome = {"APPROVED": "approved", "VOIDED": "expired", "COMPLETED": "processing"}.get(order.status, "open")
        return PaymentState(order.id, ours[0], outcome, unit.amount.money, order.id)
    outcome = {"PENDING": "processing", "DECLINED": "failed", "FAILED": "failed"}.get(capture.status, "paid")
    reason = capture.status_details.reason
    return PaymentState(order.id, ours[0], outcome, capture.amount.money, capture.id, reason)


def refund_state_of(refund: Refund) -> RefundState:
    """`invoice_id` carries the key of the intent: PayPal lets no second refund have it."""
    outcome = {"COMPLETED": "succeeded", "PENDING": "pending"}.get(refund.status, "failed")
    reason = refund.status_details.reason
    return RefundState(refund.id, refund.invoice_id, outcome, refund.amount.money, reason)
