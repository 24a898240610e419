"""What a whole journey puts on the bus is as docs/events says."""

from __future__ import annotations

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from local.schemas import schema_of
from tests.journeys.test_journey import run_to_the_end
from tests.journeys.world import World


def test_every_event_of_a_journey_is_as_its_published_schema_says(world: World) -> None:
    run_to_the_end(world)

    wrong = {
        (event["type"], error.json_path, error.message)
        for event in world.published
        for error in Draft202012Validator(schema_of(event["type"])).iter_errors(event)
    }
    assert len(world.published) > 40
    assert wrong == set()
