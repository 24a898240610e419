"""What finance does about money that is not there: differences, lost disputes, and postings that the ledger refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from dealdesk.domain.collected import outstanding
from dealdesk.domain.deal import Deal, Intent, Invoice
from dealdesk.domain.stages import CreditStatus, DisputeStatus, Effect, InvoiceStatus, PaymentStatus
from tests.prove.accountants import Accountants
from tests.prove.asking import FINANCE, FINANCE_TOO, MANAGER, Asking
from tests.prove.fate import Fate

Act = Callable[[], object]
ACCEPT, ASK, ASK_AND_ACCEPT = "accept it", "ask for it", "ask for it, and accept it after all"
WAIT = "wait for the bank"
WAYS = (ACCEPT, ASK, ASK, ASK_AND_ACCEPT)
# What becomes of a loss.
COLLECT, CREDIT, LEAVE = "collect it anew", "write a credit memo", "leave it"
LOSSES = (COLLECT, COLLECT, CREDIT, LEAVE)
MOST_TIMES = 3


class Finance:
    """Each choice is made once, and lasts."""

    def __init__(self, asking: Asking, fate: Fate, accountants: Accountants) -> None:
        self._ask, self._fate, self._accountants = asking.ask, fate, accountants
        self._chosen: dict[str, str] = {}
        self._done: Counter[str] = Counter()

    def wanted(self, deal: Deal) -> list[Act]:
        """About what was lost, and what the ledger refused."""
        acts: list[Act] = []
        for dispute in deal.disputes:
            if dispute.status is DisputeStatus.LOST:
                acts += self._about_loss(deal, dispute.id)
        for intent in deal.intents:
            if intent.failed and intent.effect in (Effect.POST_INVOICE, Effect.POST_CREDIT_MEMO):
                acts += self._post_again(deal, intent)
        return acts

    def about_difference(self, deal: Deal, invoice: Invoice, differs: int) -> list[Act]:
        """It is accepted, or asked for by a second link; nobody decides while one is out."""
        if _is_asked(deal):
            return self._take_back(deal)
        if deal.is_disputed and self._choose(f"disputed {deal.id}", (WAIT, WAIT, ACCEPT)) == WAIT:
            return []
        what = f"difference {invoice.draft.invoice_id}"
        if self._can_ask(deal, what) and self._choose(what, WAYS) != ACCEPT:
            return [partial(self._ask_to_pay, deal, what)]
        body = {"difference_minor": differs, "reason": "some of it went back"}
        return [partial(self._ask, "POST", f"/invoices/{invoice.draft.invoice_id}/difference", body, FINANCE_TOO)]

    def _about_loss(self, deal: Deal, dispute_id: str) -> list[Act]:
        way = self._choose(f"loss {dispute_id}", LOSSES)
        posted = [one for one in deal.invoices if one.status is InvoiceStatus.POSTED]
        if way == COLLECT and self._can_ask(deal, dispute_id):
            return [partial(self._ask_to_pay, deal, dispute_id)]
        if way == CREDIT and posted and not self._done[dispute_id]:
            return [partial(self._credit, posted[-1], dispute_id)]
        return []

    def _take_back(self, deal: Deal) -> list[Act]:
        """The link for the rest is withdrawn, once, where finance thinks better of it."""
        payment, invoice = deal.payment, deal.invoice
        if payment is None or invoice is None or not payment.session_id or self._done[payment.id]:
            return []
        if self._chosen.get(f"difference {invoice.draft.invoice_id}") != ASK_AND_ACCEPT:
            return []
        return [partial(self._withdraw, payment.id)]

    def _withdraw(self, payment_id: str) -> None:
        self._done[payment_id] += 1
        self._ask("POST", f"/payments/{payment_id}/rollback", None, FINANCE)

    def _post_again(self, deal: Deal, intent: Intent) -> list[Act]:
        """Somebody looks at what the ledger refused, talks to its accountants, and has it posted again."""
        if self._done[intent.key] >= MOST_TIMES or "period" not in intent.failed.lower():
            return []
        path = f"/invoices/{intent.subject}/post"
        who = FINANCE
        if intent.effect is Effect.POST_CREDIT_MEMO:
            credit = next(one for one in deal.credits if one.memo.memo_id == intent.subject)
            if credit.status is not CreditStatus.FAILED:
                return []
            path = f"/credits/{intent.subject}/approve"
            who = FINANCE_TOO if credit.requested_by == FINANCE["user"] else FINANCE
        return [partial(self._again, intent.key, path, who)]

    def _again(self, key: str, path: str, who: dict[str, str]) -> None:
        self._done[key] += 1
        self._accountants.hear_complaint()
        self._ask("POST", path, None, who)

    def _credit(self, invoice: Invoice, dispute_id: str) -> None:
        self._done[dispute_id] += 1
        self._ask(
            "POST", f"/invoices/{invoice.draft.invoice_id}/credits", {"reason": "it cannot be collected"}, MANAGER
        )

    def _ask_to_pay(self, deal: Deal, what: str) -> None:
        self._done[what] += 1
        self._ask("POST", "/payments/process", {"deal_id": deal.id}, FINANCE)

    def _can_ask(self, deal: Deal, what: str) -> bool:
        asked_for_all = self._done[what] >= MOST_TIMES or (
            self._done[what] > 0 and self._chosen.get(what) == ASK_AND_ACCEPT
        )
        return not (_is_asked(deal) or deal.is_disputed or asked_for_all) and outstanding(deal).amount_minor > 0

    def _choose(self, what: str, among: tuple[str, ...]) -> str:
        if what not in self._chosen:
            self._chosen[what] = self._fate.pick(f"finance: {what}", among)
        return self._chosen[what]


def _is_asked(deal: Deal) -> bool:
    return deal.payment is not None and deal.payment.status is PaymentStatus.PENDING
