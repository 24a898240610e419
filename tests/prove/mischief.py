"""What people do at any time, whatever the desk is waiting for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus
from tests.functions.quotes import a_line
from tests.prove import operators
from tests.prove.asking import EXECUTIVE, FINANCE, FINANCE_TOO, MANAGER, REP, Asking
from tests.prove.fate import Fate
from tests.prove.world import World

Act = Callable[[], object]
BY_STEP = {"finance": FINANCE, "executive": EXECUTIVE}


class Mischief:
    def __init__(self, world: World, fate: Fate, asking: Asking) -> None:
        self._world, self._fate, self._asking = world, fate, asking
        self._ask = asking.ask

    def acts(self, deal: Deal) -> dict[str, Act]:
        """By what it is called in a finding."""
        acts: dict[str, Act] = {
            "edit the price": partial(self._edit, deal, 80),
            "edit the price far down": partial(self._edit, deal, 60),
            "edit and go back": partial(self._edit, deal, 85),
            "submit again": partial(self._submit, deal),
            "recall": partial(self._ask, "POST", f"/deals/{deal.id}/recall", None, MANAGER),
            "ask for payment at any time": partial(self._pay_twice, deal),
            "post the invoice twice": partial(self._twice, f"/invoices/{invoice_of(deal)}/post"),
            "approve the invoice at any time": partial(self._twice, f"/invoices/{invoice_of(deal)}/approve"),
            "reject the invoice": partial(self._reject_invoice, deal),
            "let a week pass": partial(self._wait, 7),
            "let a month pass": partial(self._wait, 31),
            "reuse a key": partial(self._reuse_a_key, deal),
            "approve twice": partial(self._approve_all_twice, deal),
            "credit the invoice at any time": partial(self._credit, deal),
            "redrive dead letters": partial(operators.redrive, self._world, self._fate),
        }
        if deal.payment:
            payment = f"/payments/{deal.payment.id}"
            acts["roll the payment back"] = partial(self._ask, "POST", f"{payment}/rollback", None, FINANCE)
            acts["ask for money back at any time"] = partial(self._refund, payment)
            if deal.payment.session_id:
                acts |= self._world.town.paying.mischief(deal.payment.session_id)
        if deal.refunds:
            acts["approve a refund at any time"] = partial(self._by_all, f"/refunds/{deal.refunds[-1].id}/approve")
        if deal.credits:
            memo = f"/credits/{deal.credits[-1].memo.memo_id}"
            acts["approve a credit memo at any time"] = partial(self._by_all, f"{memo}/approve")
        if deal.envelope and deal.envelope.status is EnvelopeStatus.SENT:
            instead = self._world.town.signing.mischief(deal.envelope.id)
            acts |= {f"{name} the contract": act for name, act in instead.items()}
        return acts

    def _edit(self, deal: Deal, price: int) -> None:
        if deal.crm is None:
            body = {"lines": [a_line(net_unit_price=str(price))]}
            self._ask("PATCH", f"/deals/{deal.id}", body, REP, headers={"If-Match": str(deal.version)})
            return
        self._world.town.crm.edit(deal, price)
        if self._fate.dice("submits").random() < 0.8:
            self._submit(deal)

    def _submit(self, deal: Deal) -> None:
        if deal.crm:
            self._world.town.crm.submit([deal.id])

    def _pay_twice(self, deal: Deal) -> None:
        for _ in range(2):
            self._ask("POST", "/payments/process", {"deal_id": deal.id}, FINANCE)

    def _twice(self, path: str) -> None:
        for _ in range(2):
            self._ask("POST", path, None, FINANCE)

    def _by_all(self, path: str) -> None:
        """Also by whoever asked for it."""
        for who in (FINANCE, FINANCE_TOO):
            self._ask("POST", path, None, who)

    def _reject_invoice(self, deal: Deal) -> None:
        self._ask("POST", f"/invoices/{invoice_of(deal)}/reject", {"reason": "wrong address"}, FINANCE)

    def _credit(self, deal: Deal) -> None:
        self._ask("POST", f"/invoices/{invoice_of(deal)}/credits", {"reason": "a discount after all"}, MANAGER)

    def _refund(self, payment: str) -> None:
        for amount in (10_00, 10_000_00):
            body = {"amount_minor": amount, "reason": "a discount after all"}
            self._ask("POST", f"{payment}/refunds", body, FINANCE_TOO)

    def _approve_all_twice(self, deal: Deal) -> None:
        for step in ("executive", "finance", "executive", "finance"):
            if deal.fingerprint:
                approve(self._asking, deal, step)

    def _reuse_a_key(self, deal: Deal) -> None:
        """The same key for two requests: one is refused."""
        key = self._asking.new_key()
        self._ask("POST", "/payments/process", {"deal_id": deal.id}, FINANCE, key=key)
        self._ask("POST", f"/deals/{deal.id}/recall", None, MANAGER, key=key)

    def _wait(self, days: int) -> None:
        self._world.pass_time(self._world.now() + timedelta(days=days))


def approve(asking: Asking, deal: Deal, step: str) -> None:
    body = {"step": step, "decision": "approve", "fingerprint": deal.fingerprint}
    asking.ask("POST", f"/deals/{deal.id}/approvals", body, BY_STEP[step])


def invoice_of(deal: Deal) -> str:
    return deal.invoice.draft.invoice_id if deal.invoice else f"inv_{deal.id}_1"
