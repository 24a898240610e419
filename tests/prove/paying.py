"""Who collects: links, money and refunds that stand at Stripe or PayPal, and what payers and their banks do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from dealdesk.contracts.paypal import our_ids
from dealdesk.contracts.paypal_money import from_paypal
from dealdesk.domain.money import Money
from local.twins.paypal_orders import APPROVABLE

Act = Callable[[], object]
DECLINED = ("DECLINED", "FAILED")


@dataclass(frozen=True, slots=True)
class Link:
    """`payable` is one that a payer can use now. For `keyed_for` the vendor makes no second link for its key; where it
    is None, there must never be a second one, because it would take money by itself.
    """

    id: str
    key: str
    payment_id: str
    deal_id: str
    amount: Money
    payable: bool
    made_at: datetime | None = None
    keyed_for: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that was taken from a payer."""

    reference: str
    payment_id: str
    deal_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class GivenBack:
    """`key` is empty for what the vendor itself has paid back, at the end of a dispute."""

    id: str
    reference: str
    key: str
    deal_id: str
    amount: Money


class Paying(Protocol):
    def links(self) -> list[Link]: ...

    def receipts(self) -> list[Receipt]: ...

    def given_back(self) -> list[GivenBack]: ...

    def pay(self, link_id: str) -> object: ...

    def banks(self) -> list[tuple[str, Callable[[bool], object]]]:
        """Debits that a bank has not answered yet, by the link: it takes them (True) or refuses."""

    def mischief(self, link_id: str) -> dict[str, Act]:
        """What a payer or the calendar does instead."""


class AtStripe:
    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def links(self) -> list[Link]:
        now = self._twin.clock().timestamp()
        return [_session(session, now) for session in self._twin.payments.sessions.values()]

    def receipts(self) -> list[Receipt]:
        paid = [one for one in self._twin.payments.sessions.values() if one["payment_status"] == "paid"]
        return [
            Receipt(one["payment_intent"], one["metadata"]["payment_id"], one["metadata"]["deal_id"], _total(one))
            for one in paid
        ]

    def given_back(self) -> list[GivenBack]:
        return [
            GivenBack(
                one["id"],
                one["payment_intent"],
                one["metadata"].get("intent", ""),
                one["metadata"].get("deal_id", ""),
                Money(one["amount"], one["currency"].upper()),
            )
            for one in self._twin.payments.refunds.values()
        ]

    def pay(self, link_id: str) -> object:
        return self._twin.act("pay", {"session_id": link_id, "method": "card"})

    def banks(self) -> list[tuple[str, Callable[[bool], object]]]:
        intents = self._twin.payments.intents
        waiting = [
            one["id"]
            for one in self._twin.payments.sessions.values()
            if one["payment_intent"] and intents[one["payment_intent"]]["status"] == "processing"
        ]
        return [(one, partial(self._settle, one)) for one in waiting]

    def _settle(self, link_id: str, succeeded: bool) -> object:
        return self._twin.act("settle", {"session_id": link_id, "succeeded": succeeded})

    def mischief(self, link_id: str) -> dict[str, Act]:
        session = {"session_id": link_id}
        return {
            "let the link expire": partial(self._twin.act, "expire", session),
            "have the card declined": partial(self._twin.act, "decline", session),
            "pay by bank debit": partial(self._twin.act, "pay", {**session, "method": "ach"}),
        }


class AtPaypal:
    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def links(self) -> list[Link]:
        now = self._twin.clock()
        return [_order(order, now) for order in self._twin.held.orders.values()]

    def receipts(self) -> list[Receipt]:
        taken = [one for one in self._twin.held.captures.values() if one["status"] not in (*DECLINED, "PENDING")]
        return [Receipt(one["id"], *_ours(one["custom_id"]), _amount(one)) for one in taken]

    def given_back(self) -> list[GivenBack]:
        return [
            GivenBack(
                one["id"],
                one["links"][1]["href"].rpartition("/")[2],
                one.get("invoice_id", ""),
                one.get("custom_id", ""),
                _amount(one),
            )
            for one in self._twin.held.refunds.values()
            if one["status"] != "FAILED"
        ]

    def pay(self, link_id: str) -> object:
        return self._twin.act("approve", {"order_id": link_id, "funding": "wallet"})

    def banks(self) -> list[tuple[str, Callable[[bool], object]]]:
        waiting = [
            one["supplementary_data"]["related_ids"]["order_id"]
            for one in self._twin.held.captures.values()
            if one["status"] == "PENDING"
        ]
        return [(one, partial(self._settle, one)) for one in waiting]

    def _settle(self, link_id: str, succeeded: bool) -> object:
        return self._twin.act("settle", {"order_id": link_id, "succeeded": succeeded})

    def mischief(self, link_id: str) -> dict[str, Act]:
        order = {"order_id": link_id}
        return {
            "have the wallet declined": partial(self._twin.act, "approve", {**order, "funding": "declined"}),
            "pay by bank debit": partial(self._twin.act, "approve", {**order, "funding": "echeck"}),
            "approve the order": partial(self._twin.act, "approve", {**order, "funding": "wallet"}),
        }


def _session(session: Any, now: float) -> Link:
    about = session["metadata"]
    payable = session["status"] == "open" and session["expires_at"] > now
    return Link(session["id"], about["intent"], about["payment_id"], about["deal_id"], _total(session), payable)


def _order(order: Any, now: datetime) -> Link:
    unit = order["purchase_units"][0]
    payment_id, deal_id = _ours(unit["custom_id"])
    made_at = datetime.fromisoformat(order["create_time"])
    payable = order["status"] in ("CREATED", "PAYER_ACTION_REQUIRED") and now - made_at <= APPROVABLE
    key = f"payment:{payment_id}"
    return Link(order["id"], key, payment_id, deal_id, _amount(unit), payable, made_at, timedelta(hours=6))


def _total(session: Any) -> Money:
    return Money(session["amount_total"], session["currency"].upper())


def _amount(thing: Any) -> Money:
    return from_paypal(thing["amount"]["value"], thing["amount"]["currency_code"])


def _ours(custom_id: str) -> tuple[str, str]:
    ours = our_ids(custom_id)
    assert ours is not None, custom_id
    return ours


SIDES: dict[str, Callable[[Any], Paying]] = {"stripe": AtStripe, "paypal": AtPaypal}
