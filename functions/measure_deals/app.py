"""Counts what each deal adds to the desk's figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_figures import DynamoFigures
from dealdesk.contracts.bus import BusEvent
from dealdesk.edge import clock, settings, telemetry
from dealdesk.edge.reactions import Message, QueueSettings, react
from dealdesk.errors import Malformed
from dealdesk.usecases.measure_deal import measure_deal


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


@cache
def figures() -> DynamoFigures:
    return DynamoFigures(config().dealdesk_table)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    return react(event, settings.read(QueueSettings), "measure_deals", measure)


def measure(message: Message) -> None:
    if not isinstance(message, BusEvent):
        raise Malformed(f"measure_deals takes no {message}")
    changed = measure_deal(deals(), figures(), message.deal_id, now=clock.now())
    telemetry.said("deal measured", deal_id=message.deal_id, event=message.type, changed=changed)
