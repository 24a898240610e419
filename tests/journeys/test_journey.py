"""The main job, in one process: from a submitted quote to an invoice that is posted once, whatever goes wrong."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from dealdesk.domain.chain import first_break
from tests.journeys.people import BLOCKED, DEALS, NEEDS_BOTH, PASSES, everybody_acts, submit
from tests.journeys.world import World, crashing

ONE_EACH = {"envelopes": 2, "sessions": 2, "invoices": 2}
THE_END = ["closed", "closed", "evaluated"]


def run_to_the_end(world: World, *, deliveries: int = 1, redeliveries: int = 1, shuffle: int | None = None) -> None:
    """Everybody acts and every webhook arrives `deliveries` times, until nothing moves any more."""
    dice = random.Random(shuffle)
    letters = [submit(world)] * deliveries
    for _ in range(20):
        if shuffle is not None:
            dice.shuffle(letters)
        for letter in letters:
            assert world.post(letter)["statusCode"] in (200, 202)
        world.settle(times=redeliveries)
        acted = everybody_acts(world)
        letters = world.take_mail() * deliveries
        if not acted and not letters:
            return
    raise AssertionError("the journey does not end")


def stages(world: World) -> list[str]:
    return [world.deal(deal_id)["stage"] for deal_id in DEALS]


def events_of(world: World, deal_id: str) -> list[str]:
    _, timeline = world.rest("GET", f"/deals/{deal_id}/timeline", user="person-auditor", role="auditor")
    assert timeline["complete"]
    return [event["type"] for event in timeline["events"]]


def test_two_deals_are_posted_once_and_the_third_stops_at_the_guardrails(world: World) -> None:
    run_to_the_end(world)

    assert stages(world) == THE_END
    assert world.effects() == ONE_EACH


def test_the_deal_within_the_guardrails_asks_nobody(world: World) -> None:
    run_to_the_end(world)

    assert "approval.requested" not in events_of(world, PASSES)
    assert world.deal(PASSES)["payments"][0]["amount_minor"] == 1_020_000


def test_the_deal_beyond_two_soft_limits_asks_finance_and_then_the_executive(world: World) -> None:
    run_to_the_end(world)

    grants = [e for e in world.published if e["type"] == "approval.granted" and e["deal_id"] == NEEDS_BOTH]
    assert [grant["data"]["step"] for grant in grants] == ["finance", "executive"]


def test_the_blocked_deal_tells_the_rep_in_the_crm_what_would_pass(world: World) -> None:
    run_to_the_end(world)

    shown = world.mirrored(BLOCKED)
    assert shown["Outcome__c"] == "blocked"
    assert "exceeds the 20.00% allowed for risk tier medium" in shown["Reasons__c"]
    assert "20.00%" in shown["What_Would_Pass__c"]


def test_the_crm_shows_the_end_of_a_deal(world: World) -> None:
    run_to_the_end(world)

    shown = world.mirrored(PASSES)
    assert (shown["Stage__c"], shown["Payment_Status__c"], shown["Invoice_Status__c"]) == (
        "closed",
        "SUCCEEDED",
        "POSTED",
    )


def test_n8n_hears_every_step_once_and_in_an_order_that_it_can_restore(world: World) -> None:
    run_to_the_end(world)

    state = world.twins["n8n"].state()
    told = [event["body"] for event in state["events"] if event["body"]["deal_id"] == PASSES]
    sequences = sorted(event["sequence"] for event in told)
    assert state["received"] == state["distinct"]
    assert len(sequences) == len(set(sequences))
    assert {"deal.received", "document.completed", "payment.succeeded", "invoice.posted", "deal.closed"} <= {
        event["type"] for event in told
    }


def test_everything_delivered_twice_ends_the_same_with_the_same_effects(world: World) -> None:
    run_to_the_end(world, deliveries=2, redeliveries=2)

    assert stages(world) == THE_END
    assert world.effects() == ONE_EACH


def figures_of(world: World) -> dict[str, Any]:
    since = {"from": "2026-11-22"}  # when the message under events/ was sent
    _, figures = world.rest("GET", "/sla-dashboard/summary", query=since, user="person-auditor", role="auditor")
    return {name: figures[name] for name in ("touch_rate", "guardrail_compliance", "idempotency", "evaluations")} | {
        "paid": figures["quote_to_cash"]["q2c_created"]["n"],
        "open": figures["quote_to_cash"]["q2c_created"]["open"],
    }


@pytest.mark.parametrize("deliveries", [1, 2])
def test_the_dashboard_says_what_happened_however_often_it_was_told(world: World, deliveries: int) -> None:
    run_to_the_end(world, deliveries=deliveries, redeliveries=deliveries)

    figures = figures_of(world)
    assert (figures["touch_rate"]["hits"]["n"], figures["touch_rate"]["auto"]) == (1, 1)
    assert figures["evaluations"] == {"auto_approve": 1, "needs_approval": 1, "blocked": 1}
    assert (figures["guardrail_compliance"]["by_rules"], figures["guardrail_compliance"]["by_approval"]) == (1, 1)
    assert (figures["idempotency"]["errors"]["part"], figures["idempotency"]["errors"]["n"]) == (0, 6)
    assert (figures["paid"], figures["open"]) == (2, 1)


@pytest.mark.parametrize("seed", range(4))
def test_webhooks_in_a_shuffled_order_end_the_same_with_the_same_effects(world: World, seed: int) -> None:
    run_to_the_end(world, deliveries=2, shuffle=seed)

    assert stages(world) == THE_END
    assert world.effects() == ONE_EACH


def first_line_of(world: World, deal_id: str) -> dict[str, Any]:
    lines = world.twins["salesforce"].state()["OpportunityLineItem"]
    return next(line for line in lines if line["OpportunityId"] == deal_id[3:])


def edit(world: World, kind: str, record_id: str, **fields: object) -> None:
    rita = "0057F000001repAQAQ"
    world.twins["salesforce"].act("edit", {"type": kind, "id": record_id, "fields": fields, "user_id": rita})


CALLS = [
    ("read_crm", ("crms", "salesforce"), "read_quote"),
    ("read_crm", ("crms", "salesforce"), "read_answer"),
    ("request_signature", ("signatures", "docusign"), "send"),
    ("request_payment", ("payments", "stripe"), "create_link"),
    ("post_invoice", ("ledgers", "quickbooks"), "post"),
    ("mirror_to_crm", ("crms", "salesforce"), "mirror"),
    ("notify_n8n", ("notifier",), "notify"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
@pytest.mark.parametrize(("function", "port", "method"), CALLS)
def test_a_worker_that_dies_around_a_call_leaves_one_effect(
    world: World, function: str, port: tuple[str, ...], method: str, before: bool
) -> None:
    adapter = world.port(function, *port)

    with crashing(type(adapter), method, before=before) as calls:
        run_to_the_end(world)

    assert calls() > 1
    assert stages(world) == THE_END
    assert world.effects() == ONE_EACH


@pytest.mark.parametrize(
    ("twin", "match"),
    [
        ("salesforce", "GET /services/data"),
        ("docusign", "POST /restapi"),
        ("stripe", "POST /v1/checkout/sessions"),
        ("quickbooks", "POST /v3/company/310687/invoice"),
        ("n8n", "POST /webhook"),
    ],
)
@pytest.mark.parametrize("kind", ["status", "timeout", "drop_answer"])
def test_a_vendor_that_fails_or_loses_its_answer_is_asked_again_with_one_effect(
    world: World, twin: str, match: str, kind: Any
) -> None:
    world.fail(twin, match=match, kind=kind, times=2)

    run_to_the_end(world)

    assert stages(world) == THE_END
    assert world.effects() == ONE_EACH


@pytest.mark.parametrize("twin", ["salesforce", "docusign", "stripe", "quickbooks"])
def test_a_vendor_that_says_slow_down_is_given_its_time(world: World, twin: str) -> None:
    world.fail(twin, match="/", kind="status", status=429, headers={"Retry-After": "30"}, times=3)

    run_to_the_end(world)

    assert stages(world) == THE_END
    assert world.effects() == ONE_EACH


def test_a_deal_whose_webhooks_are_all_lost_is_posted_all_the_same(world: World) -> None:
    world.twins["salesforce"].act("submit_many", {"opportunity_ids": [deal_id[3:] for deal_id in DEALS]})
    world.take_mail()

    for _ in range(12):
        world.invoke("chase_stalled", {})
        world.settle()
        everybody_acts(world)
        world.take_mail()
        world.sleep(minutes=21)

    assert stages(world) == THE_END
    assert world.effects() == ONE_EACH


def test_the_chase_asks_docusign_no_more_often_than_it_allows(world: World) -> None:
    world.post(submit(world))
    world.settle()
    for _ in range(24):
        world.invoke("chase_stalled", {})
        world.settle()
        world.sleep(minutes=5)

    assert world.twins["docusign"].state()["polls_too_often"] == 0


def test_our_own_writes_do_not_call_us_back(world: World) -> None:
    run_to_the_end(world)
    received = [event for event in world.published if event["type"] == "deal.received"]

    assert len(received) == len(DEALS)


def test_every_history_is_whole_and_folds_to_its_snapshot(world: World) -> None:
    run_to_the_end(world)

    deals = world.function("read_crm").deals()
    for deal_id in DEALS:
        assert first_break(deals.history(deal_id)) is None
        assert deals.as_of(deal_id) == deals.load(deal_id)


def test_terms_edited_after_approval_are_not_sent(world: World) -> None:
    world.post(submit(world))
    world.settle()
    line = first_line_of(world, PASSES)
    edit(world, "OpportunityLineItem", line["Id"], UnitPrice=60.0)
    world.twins["salesforce"].act("submit", {"opportunity_id": PASSES[3:]})
    for letter in world.take_mail():
        world.post(letter)
    world.settle()

    statuses = [envelope["status"] for envelope in world.twins["docusign"].state()["envelopes"]]
    assert world.deal(PASSES)["decision"]["outcome"] == "blocked"
    assert statuses == ["voided"]


def test_a_payment_that_expires_is_shown_in_the_crm_and_can_be_asked_again(world: World) -> None:
    world.post(submit(world))
    world.settle()
    everybody_acts(world)
    for letter in world.take_mail():
        world.post(letter)
    world.settle()
    session = next(s for s in world.twins["stripe"].state()["sessions"] if s["client_reference_id"] == PASSES)
    world.twins["stripe"].act("expire", {"session_id": session["id"]})
    for letter in world.take_mail():
        world.post(letter)
    world.settle()

    assert world.mirrored(PASSES)["Payment_Status__c"].startswith("FAILED")

    status, payment = world.rest("POST", "/payments/process", {"deal_id": PASSES}, user="person-f", role="finance")
    assert (status, payment["status"]) == (200, "PENDING")
    run_to_the_end(world)
    assert stages(world) == THE_END


def test_a_waiting_lease_ends_by_itself(world: World) -> None:
    adapter = world.port("request_signature", "signatures", "docusign")
    with crashing(type(adapter), "send", before=False):
        world.post(submit(world))
        world.settle(patience=timedelta(seconds=5))
    assert world.deal(PASSES)["stage"] in ("approved", "out_for_signature")

    world.sleep(seconds=80)
    world.settle()

    assert world.deal(PASSES)["stage"] == "out_for_signature"
    assert world.effects()["envelopes"] == 1


def test_a_quote_that_cannot_be_judged_tells_the_rep_which_field_is_wrong(world: World) -> None:
    edit(world, "Opportunity", PASSES[3:], Billing_Frequency__c="weekly")

    world.post(submit(world))
    world.settle()

    shown = world.mirrored(PASSES)
    assert shown["Stage__c"] == "draft"
    assert "weekly" in shown["Reasons__c"]
    assert not any(queue.dead for queue in world.queues.values())


def test_an_edit_after_signature_is_refused_and_says_so(world: World) -> None:
    run_to_the_end(world)
    line = first_line_of(world, PASSES)
    edit(world, "OpportunityLineItem", line["Id"], UnitPrice=84.0)

    world.twins["salesforce"].act("submit", {"opportunity_id": PASSES[3:]})
    for letter in world.take_mail():
        world.post(letter)
    world.settle()

    assert world.deal(PASSES)["stage"] == "closed"
    assert "can only be amended" in world.mirrored(PASSES)["Reasons__c"]


def test_an_approval_that_ended_before_the_contract_went_out_expires(world: World) -> None:
    world.fail("docusign", match="/oauth/token", kind="status", status=503, times=40)
    world.post(submit(world))
    world.settle(patience=timedelta(minutes=1))
    world.sleep(days=15)
    world.fail("docusign", match="/oauth/token", kind="status", status=503, times=0)
    world.twins["docusign"].faults.clear()

    world.settle()

    assert world.deal(PASSES)["stage"] == "expired"
    assert world.effects()["envelopes"] == 0


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_worker_that_dies_around_a_withdrawal_leaves_one_contract_withdrawn(world: World, before: bool) -> None:
    world.post(submit(world))
    world.settle()
    line = first_line_of(world, PASSES)
    edit(world, "OpportunityLineItem", line["Id"], UnitPrice=90.0)
    world.twins["salesforce"].act("submit", {"opportunity_id": PASSES[3:]})

    with crashing(type(world.port("request_signature", "signatures", "docusign")), "void", before=before) as calls:
        for letter in world.take_mail():
            world.post(letter)
        world.settle()

    statuses = sorted(envelope["status"] for envelope in world.twins["docusign"].state()["envelopes"])
    assert calls() >= 1
    assert statuses == ["sent", "voided"]
    assert world.deal(PASSES)["stage"] == "out_for_signature"


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_worker_that_dies_around_a_rollback_leaves_the_payment_rolled_back(world: World, before: bool) -> None:
    world.post(submit(world))
    world.settle()
    everybody_acts(world)
    for letter in world.take_mail():
        world.post(letter)
    world.settle()
    payment_id = world.deal(PASSES)["payments"][0]["payment_id"]

    with crashing(type(world.port("request_payment", "payments", "stripe")), "cancel", before=before) as calls:
        status, _ = world.rest("POST", f"/payments/{payment_id}/rollback", user="person-f", role="finance")
        world.settle()

    assert status == 202
    assert calls() >= 1
    assert world.deal(PASSES)["payments"][0]["status"] == "ROLLED_BACK"
    assert [s["status"] for s in world.twins["stripe"].state()["sessions"]] == ["expired"]
