"""What people want once money has come in: some of it back, lines of the invoice back; twice, or with a used key.

Each wish is decided by a second person of finance, as a rule with a yes, now and then by two at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import CreditStatus, InvoiceStatus, PaymentStatus, RefundStatus
from tests.prove.asking import FINANCE, FINANCE_TOO, MANAGER, Asking
from tests.prove.fate import Fate

Act = Callable[[], object]
ASKERS = (FINANCE, FINANCE_TOO, MANAGER)
# How a wish is made: once as a rule.
WAYS = ("once", "once", "twice with two keys", "twice with one key", "then more with the same key")
DECISIONS = ("approve", "approve", "approve", "approve by both at once", "approve, first by the asker", "reject")
MOST_DECISIONS = 3


class AfterSales:
    def __init__(self, asking: Asking, fate: Fate) -> None:
        self._ask, self._fate = asking.ask, fate
        self._new_key = asking.new_key
        dice = fate.dice("after sales")
        self._wishes = dice.sample(tuple(WISHES), dice.choice((0, 1, 1, 2, 3)))
        self._wished: set[tuple[str, str]] = set()
        self._decided: Counter[str] = Counter()

    def wanted(self, deal: Deal) -> list[Act]:
        """What people would do now about this deal."""
        acts: list[Act] = []
        for wish in self._wishes:
            asked = WISHES[wish](deal)
            if asked and (deal.id, wish) not in self._wished:
                acts.append(partial(self._wish, deal, wish, *asked))
        for refund in deal.refunds:
            if refund.status is RefundStatus.REQUESTED and self._decided[refund.id] < MOST_DECISIONS:
                acts.append(partial(self._decide, f"/refunds/{refund.id}", refund.id, refund.requested_by))
        for credit in deal.credits:
            memo_id = credit.memo.memo_id
            if credit.status is CreditStatus.REQUESTED and self._decided[memo_id] < MOST_DECISIONS:
                acts.append(partial(self._decide, f"/credits/{memo_id}", memo_id, credit.requested_by))
        return acts

    def _wish(self, deal: Deal, wish: str, path: str, body: Any) -> None:
        self._wished.add((deal.id, wish))
        who, key = self._fate.pick("asks", ASKERS), self._new_key()
        self._ask("POST", path, body, who, key=key)
        match self._fate.pick("way", WAYS):
            case "twice with two keys":
                self._ask("POST", path, body, who)
            case "twice with one key":
                self._ask("POST", path, body, who, key=key)
            case "then more with the same key" if body:
                self._ask("POST", path, {**body, "reason": "and some more"}, who, key=key)

    def _decide(self, path: str, subject: str, asked_by: str) -> None:
        """By whoever of finance did not ask; who asked may try as well, and is refused."""
        self._decided[subject] += 1
        first, second = (FINANCE_TOO, FINANCE) if asked_by == FINANCE["user"] else (FINANCE, FINANCE_TOO)
        decision = self._fate.pick("decision", DECISIONS)
        if decision == "reject":
            self._ask("POST", f"{path}/reject", {"reason": "not now"}, first)
            return
        if decision == "approve, first by the asker":
            self._ask("POST", f"{path}/approve", None, {"user": asked_by, "role": "finance"})
        self._ask("POST", f"{path}/approve", None, first)
        if decision == "approve by both at once":
            self._ask("POST", f"{path}/approve", None, second)


def _settled(deal: Deal) -> str | None:
    return next((payment.id for payment in deal.payments if payment.status is PaymentStatus.SUCCEEDED), None)


def _posted(deal: Deal) -> Any:
    return next((invoice for invoice in deal.invoices if invoice.status is InvoiceStatus.POSTED), None)


def _some_money(deal: Deal) -> tuple[str, Any] | None:
    """More than half of it: the second time it is too much."""
    payment = next((one for one in deal.payments if one.status is PaymentStatus.SUCCEEDED), None)
    if payment is None:
        return None
    part = payment.amount.amount_minor * 6 // 10
    return f"/payments/{payment.id}/refunds", {"amount_minor": part, "reason": "fewer seats than agreed"}


def _a_little(deal: Deal) -> tuple[str, Any] | None:
    payment_id = _settled(deal)
    return (f"/payments/{payment_id}/refunds", {"amount_minor": 1_00, "reason": "goodwill"}) if payment_id else None


def _all_money(deal: Deal) -> tuple[str, Any] | None:
    payment_id = _settled(deal)
    return (f"/payments/{payment_id}/refunds", {"reason": "the sale is off"}) if payment_id else None


def _rollback(deal: Deal) -> tuple[str, Any] | None:
    payment_id = _settled(deal)
    return (f"/payments/{payment_id}/rollback", None) if payment_id else None


def _some_of_a_line(deal: Deal) -> tuple[str, Any] | None:
    invoice = _posted(deal)
    if invoice is None:
        return None
    line = invoice.draft.lines[0]
    part = {"line_id": line.line_id, "amount_minor": line.amount_minor * 6 // 10}
    return f"/invoices/{invoice.draft.invoice_id}/credits", {"lines": [part], "reason": "fewer seats than agreed"}


def _a_little_of_a_line(deal: Deal) -> tuple[str, Any] | None:
    invoice = _posted(deal)
    if invoice is None:
        return None
    part = {"line_id": invoice.draft.lines[0].line_id, "amount_minor": 1_00}
    return f"/invoices/{invoice.draft.invoice_id}/credits", {"lines": [part], "reason": "goodwill"}


def _whole_invoice(deal: Deal) -> tuple[str, Any] | None:
    invoice = _posted(deal)
    return (f"/invoices/{invoice.draft.invoice_id}/credits", {"reason": "the sale is off"}) if invoice else None


WISHES: dict[str, Callable[[Deal], tuple[str, Any] | None]] = {
    "some of the money": _some_money,
    "a little of the money": _a_little,
    "all of the money": _all_money,
    "rollback": _rollback,
    "some of a line": _some_of_a_line,
    "a little of a line": _a_little_of_a_line,
    "the whole invoice": _whole_invoice,
}
