"""What the people of the three example deals do, in a world of one process."""

from __future__ import annotations

from local.people import PATHS, People
from local.people import Path as Vendors
from tests.journeys.world import API, EVENTS, Mail, World

STANDARD = PATHS["standard"]
DEALS = STANDARD.deals
PASSES, NEEDS_BOTH, BLOCKED = DEALS


def people_of(world: World, path: Vendors = STANDARD) -> People:
    return People(
        path,
        state=lambda twin: world.twins[twin].state(),
        act=lambda twin, action, body: world.twins[twin].act(action, body),
    )


def submit(world: World) -> Mail:
    """The three quotes come in one message, as in events/."""
    secret = world.secrets["salesforce"]["path_secret"]
    body = (EVENTS / "salesforce_quotes_submitted.xml").read_bytes()
    return Mail(f"{API}/webhooks/salesforce/{secret}", body, {"Content-Type": "text/xml; charset=UTF-8"})


def everybody_acts(world: World) -> int:
    return people_of(world).everybody_acts()
