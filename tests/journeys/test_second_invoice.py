"""A closed deal is billed anew: its invoice is taken back in full, and a second one is posted once, at every ledger."""

from __future__ import annotations

from typing import Any

import pytest

from local.people import INVOICES, PATHS, People
from tests.journeys.test_paths import began, effects, run_to_the_end, stages
from tests.journeys.world import World, crashing

ONCE, NOTHING = (1, 1, 1), (0, 0, 0)
DESK: dict[str, Any] = {"user": "person-desk", "role": "deal_desk"}
FINANCE: dict[str, Any] = {"user": "person-fin", "role": "finance"}


def closed(world: World, name: str) -> People:
    people = began(world, PATHS[name])
    run_to_the_end(world, people)
    return people


def ask(world: World, path: str, who: dict[str, Any], times: int, **body: object) -> dict[str, Any]:
    """The same request `times`, with its key; everything that follows from it is done as often."""
    headers = {"Idempotency-Key": f"once-{path}"}
    answers = [world.rest("POST", path, body or None, headers=headers, **who) for _ in range(times)]
    assert answers == answers[:1] * times
    status, answer = answers[0]
    assert status in (200, 202), answer
    world.settle(times=times)
    return dict(answer)


def taken_back(world: World, deal_id: str, *, times: int = 1) -> dict[str, Any]:
    """The invoice as it was posted, after a credit memo over all of it is in the ledger."""
    [invoice] = world.deal(deal_id)["invoices"]
    path = f"/invoices/{invoice['invoice_id']}/credits"
    memo = ask(world, path, DESK, times, reason="billed to the wrong company")
    ask(world, f"/credits/{memo['memo_id']}/approve", FINANCE, times)
    return dict(invoice)


def billed_anew(world: World, deal_id: str, first: dict[str, Any], *, times: int = 1) -> dict[str, Any]:
    headers, body = {"Idempotency-Key": f"again-{deal_id}"}, {"deal_id": deal_id, "replaces": first["invoice_id"]}
    answers = [world.rest("POST", "/invoices/stage", body, headers=headers, **DESK) for _ in range(times)]
    assert {status for status, _ in answers} == {200}
    assert len({answer["invoice_id"] for _, answer in answers}) == 1
    world.settle(times=times)
    return dict(answers[0][1])


def documents(world: World, people: People) -> int:
    """How many invoices the ledger has, of whatever deal; at SAP a billing document is a credit memo, too."""
    ledger = people.path.ledger
    return len(world.twins[ledger].state()[INVOICES[ledger]])


def events_of(world: World, deal_id: str) -> list[str]:
    _, timeline = world.rest("GET", f"/deals/{deal_id}/timeline", user="person-auditor", role="auditor")
    return [event["type"] for event in timeline["events"]]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("times", [1, 2], ids=["once", "everything twice"])
def test_each_deal_is_billed_anew_once_and_its_first_invoice_stays(world: World, name: str, times: int) -> None:
    people = closed(world, name)
    numbers = []
    for deal_id in people.path.deals[:2]:
        first = taken_back(world, deal_id, times=times)
        second = billed_anew(world, deal_id, first, times=times)
        numbers.append((first["number"], second["number"]))
    before = documents(world, people)

    run_to_the_end(world, people, deliveries=times)

    assert stages(world, people.path) == ["closed", "closed", "evaluated"]
    assert effects(world, people) == [ONCE, ONCE, NOTHING]
    for deal_id, (one, two) in zip(people.path.deals, numbers, strict=False):
        first, second = world.deal(deal_id)["invoices"]
        assert (first["number"], first["status"], first["replaced_by"]) == (one, "POSTED", second["invoice_id"])
        assert (second["number"], second["status"], second["replaces"]) == (two, "POSTED", first["invoice_id"])
        assert first["ledger_id"] != second["ledger_id"]
        assert (first["settlement"], second["settlement"], world.deal(deal_id)["outstanding_minor"]) == (
            "paid",
            "paid",
            0,
        )
        told = events_of(world, deal_id)
        assert (told.count("deal.closed"), told.count("invoice.posted")) == (1, 2)
    assert documents(world, people) == before + 2


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
@pytest.mark.parametrize("name", PATHS)
def test_a_worker_that_dies_around_the_posting_of_the_second_leaves_one(world: World, name: str, before: bool) -> None:
    people = closed(world, name)
    deal_id = people.path.deals[0]
    second = billed_anew(world, deal_id, taken_back(world, deal_id))

    with crashing(type(world.port("post_invoice", "ledgers", people.path.ledger)), "post", before=before) as calls:
        run_to_the_end(world, people)
        world.sleep(minutes=2)
        world.settle()

    assert calls() == (2 if before else 1)
    assert world.deal(deal_id)["invoices"][1]["status"] == "POSTED"
    assert people.effects(deal_id, second["number"]) == ONCE
