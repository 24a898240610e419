"""The main job, in one process: from a submitted quote to an invoice that is posted once."""

from __future__ import annotations

from tests.journeys.people import BLOCKED, DEALS, NEEDS_BOTH, PASSES, everybody_acts, submit
from tests.journeys.world import World

ONE_EACH = {"envelopes": 2, "sessions": 2, "invoices": 2}


def run_to_the_end(world: World, *, deliveries: int = 1, redeliveries: int = 1) -> None:
    """Everybody acts and every webhook arrives, until nothing moves any more."""
    for _ in range(deliveries):
        assert world.post(submit(world))["statusCode"] == 200
    for _ in range(20):
        world.settle(times=redeliveries)
        acted = everybody_acts(world)
        letters = world.take_mail()
        for letter in letters:
            for _ in range(deliveries):
                assert world.post(letter)["statusCode"] in (200, 202)
        if not acted and not letters:
            return
    raise AssertionError("the journey does not end")


def test_two_deals_are_posted_once_and_the_third_stops_at_the_guardrails(world: World) -> None:
    run_to_the_end(world)

    assert [world.deal(deal_id)["stage"] for deal_id in DEALS] == ["closed", "closed", "evaluated"]
    assert world.effects() == ONE_EACH
