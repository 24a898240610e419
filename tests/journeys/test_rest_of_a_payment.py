"""The ledger adds tax to what was collected: the rest is asked for once, paid once, and the deal is closed by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from local.people import PATHS, People
from tests.journeys.test_paths import began, effects, run_to_the_end, stages
from tests.journeys.world import World

SHORT = ["invoiced", "invoiced", "evaluated"]
FINANCE: dict[str, Any] = {"user": "person-fin", "role": "finance"}
PAID_TWICE, NOTHING = (1, 2, 1), (0, 0, 0)


def short_of_tax(world: World, name: str, deliveries: int = 1) -> People:
    """Both deals are paid and posted, and the ledger has added eight percent that nobody has paid."""
    world.twins[PATHS[name].ledger].act("charge_tax", {"percent": 8})
    people = began(world, PATHS[name])
    run_to_the_end(world, people, deliveries=deliveries)
    assert stages(world, people.path) == SHORT
    return people


def ask_for_the_rest(world: World, people: People, *, times: int = 1) -> list[int]:
    """What is asked of the two customers, in minor units; each request comes `times`, with its key."""
    amounts = []
    for deal_id in people.path.deals[:2]:
        body, headers = {"deal_id": deal_id}, {"Idempotency-Key": f"rest-of-{deal_id}"}
        answers = [world.rest("POST", "/payments/process", body, headers=headers, **FINANCE)[1] for _ in range(times)]
        assert answers == answers[:1] * times
        amounts.append(answers[0]["amount_minor"])
    world.settle(times=times)
    return amounts


def outstanding(world: World, people: People) -> list[int]:
    return [world.deal(deal_id)["outstanding_minor"] for deal_id in people.path.deals[:2]]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("deliveries", [1, 2], ids=["once", "everything twice"])
def test_the_tax_that_the_ledger_added_is_collected_by_one_more_link(world: World, name: str, deliveries: int) -> None:
    people = short_of_tax(world, name, deliveries)
    owed = outstanding(world, people)

    asked = ask_for_the_rest(world, people, times=deliveries)
    run_to_the_end(world, people, deliveries=deliveries)

    assert asked == owed
    assert outstanding(world, people) == [0, 0]
    assert stages(world, people.path) == ["closed", "closed", "evaluated"]
    assert effects(world, people) == [PAID_TWICE, PAID_TWICE, NOTHING]


@pytest.mark.parametrize("name", PATHS)
def test_with_every_webhook_lost_the_rest_is_still_collected_once(world: World, name: str) -> None:
    people = short_of_tax(world, name)
    ask_for_the_rest(world, people)

    for _ in range(6):
        people.everybody_acts()
        world.take_mail()
        world.sleep(minutes=21)
        world.invoke("chase_stalled", {})
        world.settle(patience=timedelta(minutes=20))

    assert stages(world, people.path) == ["closed", "closed", "evaluated"]
    assert effects(world, people) == [PAID_TWICE, PAID_TWICE, NOTHING]
