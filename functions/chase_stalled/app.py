"""On a schedule: for every deal that has been silent too long, asks the reaction that can move it on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from dealdesk.adapters.dynamo_index import DynamoDealIndex
from dealdesk.edge import aws, clock, settings, telemetry

MOST = 500


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    read_crm_queue_url: str
    request_signature_queue_url: str
    request_payment_queue_url: str
    post_invoice_queue_url: str


@cache
def config() -> Settings:
    return settings.read(Settings)


def handler(_event: dict[str, Any], _context: object) -> dict[str, int]:
    now = clock.now()
    silent = DynamoDealIndex(config().dealdesk_table).silent(now, MOST)
    for deal in silent:
        queue_url = getattr(config(), f"{deal.waits_for}_queue_url")
        _send(queue_url, {"silence": {"deal_id": deal.deal_id, "due_at": deal.due_at}})
    _send(config().read_crm_queue_url, {"sweep": {"at": now.isoformat()}})
    telemetry.said("silent deals chased", deals=len(silent))
    _measure(now)
    return {"silent": len(silent)}


def _measure(now: datetime) -> None:
    silent_after = timedelta(seconds=config().dealdesk_silent_after_seconds)
    waiting, oldest = DynamoDealIndex(config().dealdesk_table).waiting(now, silent_after)
    telemetry.count("OpenIntents", waiting, desk="all")
    telemetry.count("OldestOpenIntentSeconds", oldest, MetricUnit.Seconds, desk="all")


def _send(queue_url: str, message: dict[str, Any]) -> None:
    aws.client("sqs").send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))
