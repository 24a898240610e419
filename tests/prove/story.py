"""What people do in one run: submit, approve, sign, pay; and everything that people do instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from dealdesk.adapters import codec
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus, InvoiceStatus, PaymentStatus, Stage
from local.people import APPROVERS as APPROVERS_OF
from local.people import RITA
from local.twins.server import Refused
from tests.functions.quotes import a_quote, a_soft_breach
from tests.journeys.people import BLOCKED, NEEDS_BOTH, PASSES
from tests.prove.fate import Fate
from tests.prove.invocation import Invocation
from tests.prove.promises import Broken
from tests.prove.world import World

# Which deals a run has: two are enough to get into each other's way.
CASTS = (
    ("crm", PASSES),
    ("crm", NEEDS_BOTH),
    ("rest", "passes"),
    ("rest", "needs both"),
    ("crm", BLOCKED),
)
FINANCE = {"user": "person-fiona", "role": "finance"}
EXECUTIVE = {"user": "person-eric", "role": "executive"}
REP = {"user": "person-rep", "role": "rep"}
MANAGER = {"user": "person-dana", "role": "deal_desk"}
BY_STEP = {"finance": FINANCE, "executive": EXECUTIVE}
MOST_TRIES = 6
MOODS = (0.0, 0.02, 0.06, 0.15)

Act = Callable[[], object]


@dataclass
class Request:
    """One REST request of a person: tried again with the same key until it is answered."""

    method: str
    path: str
    body: Any
    key: str
    who: dict[str, str]
    due: datetime
    headers: dict[str, str]
    tries: int = 0
    in_flight: bool = False


class Story:
    def __init__(self, world: World, fate: Fate) -> None:
        self.world, self.fate = world, fate
        self.requests: list[Request] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.acts = 0
        dice = fate.dice("cast")
        self.cast = dice.sample(CASTS, dice.choice((1, 1, 1, 2)))
        self.mood = dice.choice(MOODS)
        self._number = 0

    # -- what the world asks

    def opening(self) -> None:
        crm = [name[3:] for kind, name in self.cast if kind == "crm"]
        if crm:
            self.world.twins["salesforce"].act("submit_many", {"opportunity_ids": crm})
        for kind, name in self.cast:
            if kind == "rest":
                quote = a_quote() if name == "passes" else a_soft_breach()
                self.ask("POST", "/deals", quote, REP, key=f"new-{name.replace(' ', '-')}")

    def waits_until(self) -> datetime | None:
        return min((request.due for request in self.requests if not request.in_flight), default=None)

    def ready(self) -> list[Request]:
        now = self.world.now()
        return [request for request in self.requests if request.due <= now and not request.in_flight]

    def go_on(self) -> bool:
        """People answer what they are asked, and sometimes do something else; False when nobody has anything to do."""
        if waiting := self.ready():
            self._send(self.fate.pick("person", waiting))
            return True
        wanted = self.wanted()
        if not wanted:
            return False
        self.acts += 1
        self._do(self.fate.pick("person", wanted))
        return True

    def mischief(self) -> None:
        """At any time, whatever the desk is waiting for."""
        deal = self._some_deal()
        if deal is None:
            return
        kind = self.fate.strikes("people", tuple(self._mischief(deal)), odds=self.mood)
        if kind:
            self._do(self._mischief(deal)[kind])

    def _do(self, act: Act) -> None:
        try:
            act()
        except Refused:
            return  # somebody else was faster at the vendor

    # -- what is asked of people

    def wanted(self) -> list[Act]:
        acts = self._approvals_in_crm() + self._contracts() + self._links()
        for deal in self.deals():
            acts += self._by_rest(deal)
        return acts

    def _approvals_in_crm(self) -> list[Act]:
        salesforce = self.world.twins["salesforce"]
        table: Any = salesforce.state()["Deal_Desk_Approval__c"]
        return [
            partial(
                salesforce.act,
                "decide",
                {
                    "approval_key": record["Approval_Key__c"],
                    "decision": "Approve",
                    "user_id": APPROVERS_OF["salesforce"][record["Step__c"]],
                },
            )
            for record in table
            if record["Status__c"] == "Pending" and not record.get("Decision__c")
        ]

    def _contracts(self) -> list[Act]:
        docusign: Any = self.world.twins["docusign"]
        out = [envelope for envelope in docusign.envelopes.values() if envelope.status in ("sent", "delivered")]
        return [partial(docusign.act, "complete", {"envelope_id": envelope.id}) for envelope in out]

    def _links(self) -> list[Act]:
        stripe: Any = self.world.twins["stripe"]
        now = self.world.true_time().timestamp()
        return [
            partial(stripe.act, "pay", {"session_id": session["id"], "method": "card"})
            for session in stripe.payments.sessions.values()
            if session["status"] == "open" and session["expires_at"] > now
        ]

    def _by_rest(self, deal: Deal) -> list[Act]:
        """What only REST offers: for deals without a CRM, and for payments that must be asked for again."""
        if any(request.path.find(deal.id) >= 0 or deal.id in str(request.body) for request in self.requests):
            return []
        acts: list[Act] = []
        if deal.crm is None and deal.stage is Stage.PENDING_APPROVAL and deal.round:
            acts += [partial(self._approve, deal, step) for step in deal.round.open_steps]
        invoice = deal.invoice
        if deal.crm is None and invoice and invoice.status is InvoiceStatus.DRAFT:
            acts.append(partial(self.ask, "POST", f"/invoices/{invoice.draft.invoice_id}/approve", None, FINANCE))
        if deal.stage is Stage.PAID and invoice and invoice.status is InvoiceStatus.REJECTED:
            acts.append(
                partial(self.ask, "POST", "/invoices/stage", {"deal_id": deal.id, "ledger": "quickbooks"}, MANAGER)
            )
        ended = deal.payment is not None and deal.payment.status in (PaymentStatus.FAILED, PaymentStatus.ROLLED_BACK)
        if deal.stage is Stage.AWAITING_PAYMENT and ended:
            acts.append(partial(self.ask, "POST", "/payments/process", {"deal_id": deal.id}, FINANCE))
        return acts

    def _approve(self, deal: Deal, step: str) -> None:
        body = {"step": step, "decision": "approve", "fingerprint": deal.fingerprint}
        self.ask("POST", f"/deals/{deal.id}/approvals", body, BY_STEP[step])

    # -- what people do instead

    def _mischief(self, deal: Deal) -> dict[str, Act]:
        docusign, stripe = self.world.twins["docusign"], self.world.twins["stripe"]
        acts: dict[str, Act] = {
            "edit the price": partial(self._edit, deal, "80"),
            "edit the price far down": partial(self._edit, deal, "60"),
            "edit and go back": partial(self._edit, deal, "85"),
            "submit again": partial(self._submit, deal),
            "recall": partial(self.ask, "POST", f"/deals/{deal.id}/recall", None, MANAGER),
            "ask for payment at any time": partial(self._pay_twice, deal),
            "post the invoice twice": partial(self._post_twice, deal),
            "approve the invoice at any time": partial(self._approve_invoice, deal),
            "reject the invoice": partial(self._reject_invoice, deal),
            "let a week pass": partial(self._wait, 7),
            "let a month pass": partial(self._wait, 31),
            "reuse a key": partial(self._reuse_a_key, deal),
            "approve twice": partial(self._approve_all_twice, deal),
        }
        if deal.payment:
            rollback = f"/payments/{deal.payment.id}/rollback"
            acts["roll the payment back"] = partial(self.ask, "POST", rollback, None, FINANCE)
            if deal.payment.session_id:
                session = {"session_id": deal.payment.session_id}
                acts["let the link expire"] = partial(stripe.act, "expire", session)
                acts["have the card declined"] = partial(stripe.act, "decline", session)
                acts["pay by bank debit"] = partial(self._debit, deal.payment.session_id)
        if deal.envelope and deal.envelope.status is EnvelopeStatus.SENT:
            envelope = {"envelope_id": deal.envelope.id, "reason": "no longer wanted"}
            for name in ("decline", "expire", "void", "deliver"):
                acts[f"{name} the contract"] = partial(docusign.act, name, envelope)
        return acts

    def _edit(self, deal: Deal, price: str) -> None:
        if deal.crm is None:
            body = {"lines": [{**a_quote()["lines"][0], "net_unit_price": price}]}
            self.ask("PATCH", f"/deals/{deal.id}", body, REP, headers={"If-Match": str(deal.version)})
            return
        salesforce: Any = self.world.twins["salesforce"]
        lines = salesforce.state()["OpportunityLineItem"]
        line = next(line for line in lines if line["OpportunityId"] == deal.id[3:])
        fields = {"UnitPrice": float(price)}
        salesforce.act("edit", {"type": "OpportunityLineItem", "id": line["Id"], "fields": fields, "user_id": RITA})
        if self.fate.dice("submits").random() < 0.8:
            self._submit(deal)

    def _submit(self, deal: Deal) -> None:
        if deal.crm:
            self.world.twins["salesforce"].act("submit", {"opportunity_id": deal.id[3:]})

    def _pay_twice(self, deal: Deal) -> None:
        for _ in range(2):
            self.ask("POST", "/payments/process", {"deal_id": deal.id}, FINANCE)

    def _post_twice(self, deal: Deal) -> None:
        for _ in range(2):
            self.ask("POST", f"/invoices/{_invoice_of(deal)}/post", None, FINANCE)

    def _approve_invoice(self, deal: Deal) -> None:
        for _ in range(2):
            self.ask("POST", f"/invoices/{_invoice_of(deal)}/approve", None, FINANCE)

    def _reject_invoice(self, deal: Deal) -> None:
        self.ask("POST", f"/invoices/{_invoice_of(deal)}/reject", {"reason": "wrong address"}, FINANCE)

    def _approve_all_twice(self, deal: Deal) -> None:
        for step in ("executive", "finance", "executive", "finance"):
            if deal.fingerprint:
                self._approve(deal, step)

    def _reuse_a_key(self, deal: Deal) -> None:
        """The same key for two requests: one is refused."""
        key = self._key()
        self.ask("POST", "/payments/process", {"deal_id": deal.id}, FINANCE, key=key)
        self.ask("POST", f"/deals/{deal.id}/recall", None, MANAGER, key=key)

    def _wait(self, days: int) -> None:
        self.world.pass_time(self.world.now() + timedelta(days=days))

    def _debit(self, session_id: str) -> None:
        stripe = self.world.twins["stripe"]
        stripe.act("pay", {"session_id": session_id, "method": "ach"})
        succeeded = self.fate.dice("debit").random() < 0.5
        stripe.act("settle", {"session_id": session_id, "succeeded": succeeded})

    # -- REST

    def ask(
        self,
        method: str,
        path: str,
        body: Any,
        who: dict[str, str],
        *,
        key: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        made = Request(method, path, body, key or self._key(), who, self.world.now(), headers or {})
        self.requests.append(made)
        if self.fate.strikes("click", ("twice",)):
            self.requests.append(Request(method, path, body, made.key, who, made.due, headers or {}))

    def _key(self) -> str:
        self._number += 1
        return f"key-{self._number}"

    def _send(self, request: Request) -> None:
        request.in_flight = True
        headers = {"Idempotency-Key": request.key, **request.headers}

        def work() -> Any:
            return self.world.rest(
                request.method,
                request.path,
                request.body,
                headers=headers,
                user=request.who["user"],
                role=request.who["role"],
            )

        def answered(one: Invocation) -> None:
            request.in_flight = False
            status, document = one.answer if isinstance(one.answer, tuple) and not one.died else (0, None)
            request.tries += 1
            if status in (0, 503) or (status == 409 and document["title"] == "Somebody moved first"):
                request.due = self.world.now() + timedelta(seconds=5 * 2**request.tries)
                if request.tries < MOST_TRIES and "If-Match" not in request.headers:
                    return
            self.requests.remove(request)
            if 200 <= status < 300:
                self._same_answer(request, status, document)

        self.world.start("rest", work, answered, f"{request.method} {request.path.split('/')[-1]}")

    def _same_answer(self, request: Request, status: int, document: Any) -> None:
        """The same key and body give the same answer, about the same payment, deal or invoice."""
        ids = {
            name: document[name] for name in ("payment_id", "deal_id", "invoice_id", "amount_minor") if name in document
        }
        said = json.dumps([request.method, request.path, request.body, ids], sort_keys=True)
        before = self.answers.setdefault(request.key, (status, said))
        if before != (status, said):
            raise Broken(f"key {request.key} was answered with {before} and with {(status, said)}")

    # -- looking

    def deals(self) -> list[Deal]:
        keys = [key for key in self.world.table.partitions() if key.startswith("DEAL#")]
        rows = [self.world.table.items(key, "DEAL") for key in keys]
        return [codec.parse(row[0]["body"]["S"], Deal) for row in rows if row]

    def _some_deal(self) -> Deal | None:
        deals = self.deals()
        return self.fate.pick("deal", deals) if deals else None


def _invoice_of(deal: Deal) -> str:
    return deal.invoice.draft.invoice_id if deal.invoice else f"inv_{deal.id}_1"
