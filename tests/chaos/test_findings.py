"""What `make chaos` looks for at its end is found: real deals, and vendors that hold something else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain.chain import Recorded
from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.stages import Effect, Stage
from local.people import PATHS
from tests.chaos.cast import Cast, State
from tests.chaos.findings import effects, is_over, mirrored, money, refused, told
from tests.chaos.plan import Submitted
from tests.journeys.test_paths import began, run_to_the_end
from tests.journeys.world import World
from tests.table import TABLE

CLOSED = frozenset({"deal.closed"})


class Ended:
    """The three deals of one path at their end; `state` is what the vendors hold, and may be changed."""

    def __init__(self, world: World, path: str) -> None:
        people = began(world, PATHS[path])
        run_to_the_end(world, people)
        self.kept: dict[str, Any] = {}
        self.world = world
        self.cast = Cast(act=people.act, state=self.state)  # type: ignore[arg-type]
        self.cast.deals = {deal_id: Submitted(path, terms) for terms, deal_id in enumerate(people.path.deals)}
        deals = DynamoDeals(TABLE, 1200)
        self.deals: dict[str, Deal] = {deal_id: deals.load(deal_id) for deal_id in self.cast.deals}
        self.histories: dict[str, list[Recorded]] = {deal_id: deals.history(deal_id) for deal_id in self.cast.deals}

    def state(self, twin: str) -> Any:
        if twin not in self.kept:
            self.kept[twin] = copy.deepcopy(self.world.twins[twin].state())
        return self.kept[twin]

    def findings(self) -> list[str]:
        state: State = self.state
        return [
            *effects(self.cast, self.deals, state),
            *money(self.histories, state),
            *told(self.histories, state("n8n"), CLOSED),
            *mirrored(self.deals, state),
        ]


def twice(twin: str, name: str) -> Callable[[Ended], None]:
    return lambda ended: ended.state(twin)[name].append(ended.state(twin)[name][-1])


def gone(twin: str, name: str) -> Callable[[Ended], None]:
    return lambda ended: ended.state(twin)[name].clear()


def of_nobody(twin: str, name: str) -> Callable[[Ended], None]:
    return lambda ended: ended.state(twin)[name].append({"note": "of no deal", "status": "sent"})


def _another_amount(ended: Ended) -> None:
    if ended.state("stripe")["sessions"]:
        ended.state("stripe")["sessions"][0]["amount_total"] += 1
    else:
        ended.state("paypal")["captures"][0]["amount"]["value"] = "1.00"


WRONG = {
    "standard": {
        "an envelope twice": (twice("docusign", "envelopes"), "contracts, payments and invoices"),
        "an envelope of nobody": (of_nobody("docusign", "envelopes"), "docusign holds 3 things"),
        "no payment": (gone("stripe", "sessions"), "contracts, payments and invoices"),
        "a payment twice": (twice("stripe", "sessions"), "were collected and"),
        "another amount": (_another_amount, "were collected and"),
        "an invoice twice": (twice("quickbooks", "Invoice"), "contracts, payments and invoices"),
        "an invoice of nobody": (of_nobody("quickbooks", "Invoice"), "quickbooks holds 3 things"),
        "no event at n8n": (gone("n8n", "events"), "n8n never heard of"),
        "nothing in the CRM": (gone("salesforce", "Deal_Desk_Deal__c"), "the CRM shows None"),
    },
    "hubspot": {
        "a request twice": (twice("dropbox_sign", "signature_requests"), "contracts, payments and invoices"),
        "a capture twice": (twice("paypal", "captures"), "were collected and"),
        "another amount": (_another_amount, "were collected and"),
        "an invoice twice": (twice("netsuite", "invoice"), "contracts, payments and invoices"),
        "nothing in the CRM": (gone("hubspot", "deals"), "the CRM shows None"),
    },
}


@pytest.mark.parametrize("path", sorted(WRONG))
def test_every_wrong_at_a_vendor_is_found_and_nothing_else(world: World, path: str) -> None:
    ended = Ended(world, path)
    assert ended.findings() == []

    for what, (spoil, told_as) in WRONG[path].items():
        ended.kept.clear()
        spoil(ended)

        assert any(told_as in finding for finding in ended.findings()), what


def test_a_deal_is_over_when_it_is_closed_or_waits_for_somebody_who_is_named(world: World) -> None:
    ended = Ended(world, "standard")
    closed, _, blocked = ended.deals.values()

    assert is_over(closed)
    assert is_over(blocked)
    assert not is_over(replace(closed, stage=Stage.AWAITING_PAYMENT))
    assert not is_over(replace(blocked, decision=None))


def test_a_deal_with_an_open_intent_is_not_over_and_one_whose_intent_failed_waits_for_its_owner(world: World) -> None:
    closed = Ended(world, "standard").deals[PATHS["standard"].deals[0]]
    assert closed.updated_at is not None
    intent = Intent("invoice:1", Effect.POST_INVOICE, "1", closed.updated_at)

    assert not is_over(replace(closed, intents=(intent,)))
    assert is_over(replace(closed, stage=Stage.PAID, intents=(replace(intent, failed="no such customer"),)))


def test_a_genuine_webhook_that_was_refused_is_found() -> None:
    tries = [{"status": 200}, {"status": 401}, {"status": 502}, {"status": 401}]

    assert list(refused({"stripe": tries})) == ["2 genuine webhooks of stripe were refused with 401"]
