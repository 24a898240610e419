"""From the table's stream to the bus: the only place from which an event leaves the desk.

A failure raises for the whole batch: the stream offers it again in order, and every reaction bears repetition.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from dealdesk.contracts import bus
from dealdesk.domain.chain import subject_of
from dealdesk.edge import aws, settings, telemetry
from dealdesk.edge.measures import measure

# PutEvents takes at most ten entries a call.
ENTRIES = 10


class NotRelayed(Exception):
    """The bus did not take every event."""


@dataclass(frozen=True, slots=True)
class Settings:
    event_bus_name: str


@cache
def config() -> Settings:
    return settings.read(Settings)


def handler(event: dict[str, Any], _context: object) -> None:
    events = [event_of(record["dynamodb"]["NewImage"]) for record in event["Records"] if _is_event(record)]
    for start in range(0, len(events), ENTRIES):
        chunk = events[start : start + ENTRIES]
        answer = aws.client("events").put_events(Entries=[entry_of(sent, config().event_bus_name) for sent in chunk])
        if answer["FailedEntryCount"]:
            raise NotRelayed(f"{answer['FailedEntryCount']} of {len(chunk)} events were not taken")
    for sent in events:
        telemetry.said("event relayed", deal_id=sent.deal_id, event=sent.type, event_id=sent.id, sequence=sent.sequence)
        measure(sent)
    if not events:
        telemetry.said("nothing to relay")


def _is_event(record: dict[str, Any]) -> bool:
    keys = record["dynamodb"]["Keys"]
    return record["eventName"] == "INSERT" and str(keys["sk"]["S"]).startswith("EVENT#")


def event_of(image: dict[str, Any]) -> bus.BusEvent:
    """The event in a row of the table, as it leaves the desk."""
    kind, _, subject = image["pk"]["S"].partition("#")
    type_, sequence = image["type"]["S"], int(image["version"]["N"])
    deal_id = subject if kind == "DEAL" else ""
    return bus.BusEvent(
        id=f"{deal_id or subject_of(subject)}:{sequence:06d}",
        type=type_,
        version=bus.SCHEMA_VERSION,
        occurred_at=image["occurred_at"]["S"],
        deal_id=deal_id,
        sequence=sequence,
        data=bus.public_data(type_, json.loads(image["body"]["S"])),
    )


def entry_of(event: bus.BusEvent, bus_name: str) -> dict[str, Any]:
    """The event as PutEvents takes it."""
    return {
        "EventBusName": bus_name,
        "Source": bus.SOURCE,
        "DetailType": event.type,
        "Detail": bus.dump(event),
        "Time": datetime.fromisoformat(event.occurred_at),
    }
