"""On a schedule: reminds approvers, opens late steps to more people, ends rounds that are over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_index import DynamoDealIndex
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.edge import clock, settings, telemetry
from dealdesk.usecases.escalate_approvals import escalate_approvals

MOST = 2_000


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int


@cache
def config() -> Settings:
    return settings.read(Settings)


def handler(_event: dict[str, Any], _context: object) -> dict[str, int]:
    table = config().dealdesk_table
    moved = escalate_approvals(
        DynamoDeals(table, config().dealdesk_silent_after_seconds),
        DynamoDealIndex(table),
        DynamoPolicies(table),
        DynamoApprovers(table),
        most=MOST,
        now=clock.now(),
    )
    telemetry.said("approvals chased", deals=len(moved))
    return {"moved": len(moved)}
