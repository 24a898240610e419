"""What people do in one run: submit, approve, sign, pay, answer what they are asked; and what they do instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from dealdesk.adapters import codec
from dealdesk.domain.collected import difference
from dealdesk.domain.deal import Deal, Invoice
from dealdesk.domain.stages import InvoiceStatus, PaymentStatus, Stage
from local.twins.server import Refused
from tests.functions.quotes import a_quote, a_soft_breach
from tests.prove.accountants import Accountants
from tests.prove.after_sales import AfterSales
from tests.prove.asking import FINANCE, MANAGER, REP, Asking
from tests.prove.disputes import Disputes
from tests.prove.fate import Fate
from tests.prove.finance import Finance
from tests.prove.mischief import Mischief, approve
from tests.prove.world import World

# Which deals a run has: two are enough to get into each other's way. The CRM's are those under events/.
CASTS = (("crm", "passes"), ("crm", "needs both"), ("rest", "passes"), ("rest", "needs both"), ("crm", "blocked"))
IN_CRM = ("passes", "needs both", "blocked")
# A customer whom every ledger knows.
CUSTOMER = {"id": "0017F00000acme1QAA", "name": "Northwind Robotics Ltd", "country": "GB"}
MOODS = (0.0, 0.02, 0.06, 0.15)

Act = Callable[[], object]


class Story:
    def __init__(self, world: World, fate: Fate) -> None:
        self.world, self.fate = world, fate
        self._asking = Asking(world, fate)
        self._after_sales = AfterSales(self._asking, fate)
        self._mischief = Mischief(world, fate, self._asking)
        self._accountants = Accountants(world, fate)
        self._finance = Finance(self._asking, fate, self._accountants)
        self._disputes = Disputes(world, fate)
        dice = fate.dice("cast")
        self._cast = dice.sample(CASTS, dice.choice((1, 1, 1, 2)))
        self._mood = dice.choice(MOODS)

    def opening(self) -> None:
        in_crm = dict(zip(IN_CRM, self.world.path.deals, strict=True))
        if submitted := [in_crm[name] for kind, name in self._cast if kind == "crm"]:
            self.world.town.crm.submit(submitted)
        for kind, name in self._cast:
            if kind == "rest":
                quote = a_quote(customer=CUSTOMER) if name == "passes" else a_soft_breach(customer=CUSTOMER)
                self._asking.ask("POST", "/deals", quote, REP, key=f"new-{name.replace(' ', '-')}")

    def waits_until(self) -> datetime | None:
        return min((due for due in (self._asking.waits_until(), self._disputes.waits_until()) if due), default=None)

    def go_on(self) -> bool:
        """People answer what they are asked, and want what they want; False when nobody has anything to do."""
        if self._asking.send_one():
            return True
        wanted = self._wanted()
        if not wanted:
            return False
        _do(self.fate.pick("person", wanted))
        return True

    def time_has_passed(self) -> None:
        """What somebody does by the calendar."""
        self._accountants.close_periods()

    def mischief(self) -> None:
        """At any time, whatever the desk is waiting for."""
        deals = self._deals()
        if not deals:
            return
        acts = self._mischief.acts(self.fate.pick("deal", deals))
        kind = self.fate.strikes("people", tuple(acts), odds=self._mood)
        if kind:
            _do(acts[kind])

    def _wanted(self) -> list[Act]:
        town = self.world.town
        acts: list[Act] = list(town.crm.approvals())
        acts += [partial(town.signing.sign, one.id) for one in town.signing.contracts() if one.out]
        acts += [partial(town.paying.pay, link.id) for link in town.paying.links() if link.payable]
        acts += [partial(self._bank_answers, *asked) for asked in town.paying.banks()]
        for deal in self._deals():
            if not self._asking.waits_for(deal.id):
                acts += self._by_rest(deal) + self._after_sales.wanted(deal) + self._finance.wanted(deal)
        return acts + self._disputes.wanted()

    def _bank_answers(self, link_id: str, settle: Callable[[bool], object]) -> None:
        settle(self.fate.dice(f"debit {link_id}").random() < 0.5)

    def _by_rest(self, deal: Deal) -> list[Act]:
        """What only REST offers: for deals without a CRM, and where something has to be asked for again."""
        ask = self._asking.ask
        acts: list[Act] = []
        if deal.crm is None and deal.stage is Stage.PENDING_APPROVAL and deal.round:
            acts += [partial(approve, self._asking, deal, step) for step in deal.round.open_steps]
        ended = deal.payment is not None and deal.payment.status in (PaymentStatus.FAILED, PaymentStatus.ROLLED_BACK)
        if deal.stage is Stage.AWAITING_PAYMENT and ended and not deal.is_disputed:
            acts.append(partial(ask, "POST", "/payments/process", {"deal_id": deal.id}, FINANCE))
        if deal.invoice:
            acts += self._about_invoice(deal, deal.invoice)
        return acts

    def _about_invoice(self, deal: Deal, invoice: Invoice) -> list[Act]:
        ask, path = self._asking.ask, f"/invoices/{invoice.draft.invoice_id}"
        if deal.stage is Stage.PAID and invoice.status is InvoiceStatus.REJECTED:
            body = {"deal_id": deal.id, "ledger": self.world.path.ledger}
            return [partial(ask, "POST", "/invoices/stage", body, MANAGER)]
        open_ = invoice.status is InvoiceStatus.DRAFT
        differs = difference(deal, invoice)
        if (open_ or (invoice.differs and deal.stage is Stage.INVOICED)) and differs not in (0, invoice.accepted_minor):
            return self._finance.about_difference(deal, invoice, differs)
        return [partial(ask, "POST", f"{path}/approve", None, FINANCE)] if open_ and deal.crm is None else []

    def _deals(self) -> list[Deal]:
        keys = [key for key in self.world.table.partitions() if key.startswith("DEAL#")]
        rows: list[list[dict[str, Any]]] = [self.world.table.items(key, "DEAL") for key in keys]
        return [_parsed(row[0]["body"]["S"]) for row in rows if row]


@lru_cache(maxsize=16)
def _parsed(body: str) -> Deal:
    """People look at every step, and deals move at a few."""
    return codec.parse(body, Deal)


def _do(act: Act) -> None:
    try:
        act()
    except Refused:
        return  # somebody else was faster at the vendor
