"""The main job through every vendor: two deals are posted once and the third is stopped, also without any webhook."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.people import PATHS, People
from local.people import Path as Vendors
from tests.journeys.people import people_of
from tests.journeys.world import World, crashing

THE_END = ["closed", "closed", "evaluated"]
ONCE, NOTHING = (1, 1, 1), (0, 0, 0)
OTHERS = ("hubspot", "sap")

CALLS = [
    ("hubspot", "read_crm", ("crms", "hubspot"), "read_quote"),
    ("hubspot", "read_crm", ("crms", "hubspot"), "read_answer"),
    ("hubspot", "mirror_to_crm", ("crms", "hubspot"), "mirror"),
    ("hubspot", "request_signature", ("signatures", "dropbox_sign"), "send"),
    ("hubspot", "request_payment", ("payments", "paypal"), "create_link"),
    ("hubspot", "request_payment", ("payments", "paypal"), "capture"),
    ("hubspot", "post_invoice", ("ledgers", "netsuite"), "post"),
    ("sap", "post_invoice", ("ledgers", "sap"), "post"),
]


def began(world: World, path: Vendors) -> People:
    people = people_of(world, path)
    people.name_providers()
    world.take_mail()
    people.submit()
    return people


def run_to_the_end(world: World, people: People, *, deliveries: int = 1) -> None:
    for _ in range(24):
        for letter in world.take_mail() * deliveries:
            assert world.post(letter)["statusCode"] in (200, 202)
        world.settle(times=deliveries)
        if not people.everybody_acts() and not world.mail:
            return
    raise AssertionError("the journey does not end")


def stages(world: World, path: Vendors) -> list[str]:
    return [world.deal(deal_id)["stage"] for deal_id in path.deals]


def effects(world: World, people: People) -> list[tuple[int, int, int]]:
    numbers = [[one["number"] for one in world.deal(deal_id)["invoices"]] for deal_id in people.path.deals]
    return [people.effects(deal, (found or [""])[-1]) for deal, found in zip(people.path.deals, numbers, strict=True)]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("deliveries", [1, 2], ids=["once", "everything twice"])
def test_each_deal_ends_posted_once(world: World, name: str, deliveries: int) -> None:
    people = began(world, PATHS[name])

    run_to_the_end(world, people, deliveries=deliveries)

    assert stages(world, people.path) == THE_END
    assert effects(world, people) == [ONCE, ONCE, NOTHING]


@pytest.mark.parametrize("name", PATHS)
def test_with_every_webhook_lost_each_deal_still_ends_posted_once(world: World, name: str) -> None:
    people = began(world, PATHS[name])

    for _ in range(30):
        world.take_mail()
        world.sleep(minutes=21)
        world.invoke("chase_stalled", {})
        world.settle(patience=timedelta(minutes=20))
        people.everybody_acts()

    assert stages(world, people.path) == THE_END
    assert effects(world, people) == [ONCE, ONCE, NOTHING]


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
@pytest.mark.parametrize(("name", "function", "port", "method"), CALLS)
def test_a_worker_that_dies_around_a_call_leaves_one_effect(
    world: World, name: str, function: str, port: tuple[str, ...], method: str, before: bool
) -> None:
    people = began(world, PATHS[name])

    with crashing(type(world.port(function, *port)), method, before=before) as calls:
        run_to_the_end(world, people)

    assert calls() > 1
    assert stages(world, people.path) == THE_END
    assert effects(world, people) == [ONCE, ONCE, NOTHING]


def test_both_crms_decide_the_same_quotes_alike(world: World) -> None:
    decisions = []
    for name in ("standard", "hubspot"):
        people = began(world, PATHS[name])
        for letter in world.take_mail():
            world.post(letter)
        world.settle()
        decisions.append([world.deal(deal_id)["decision"]["violations"] for deal_id in people.path.deals])

    assert decisions[0] == decisions[1]
