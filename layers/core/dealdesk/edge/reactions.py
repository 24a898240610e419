"""A batch from a reaction's queue: each message on its own, failures back with growing delay."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dealdesk.contracts import bus
from dealdesk.edge import aws, telemetry
from dealdesk.edge.answers import OnQueue, reply_to
from dealdesk.errors import Malformed, VendorUnavailable

LONGEST_DELAY_SECONDS = 900


@dataclass(frozen=True, slots=True)
class QueueSettings:
    queue_url: str
    retry_base_seconds: int = 10


@dataclass(frozen=True, slots=True)
class Silence:
    """The chase found this deal silent; `due_at` tells one asking from the next."""

    deal_id: str
    due_at: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """The chase asks for what may never have arrived."""

    at: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A vendor's message about a deal that was not known when it came."""

    kind: str
    message: dict[str, Any]


Message = bus.BusEvent | Silence | Sweep | Parked


def react(batch: dict[str, Any], queue: QueueSettings, name: str, handle: Callable[[Message], None]) -> dict[str, Any]:
    """Handles every record of an SQS batch and reports those that go back (partial batch response)."""
    failed = []
    for record in batch["Records"]:
        try:
            handle(parse_message(record["body"]))
        except Exception as error:
            if _goes_back(error, name, record["messageId"]):
                _delay(record, queue, error)
                failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def parse_message(body: str) -> Message:
    """An event of the bus, or a word of the chase. Raises `Malformed` for anything else."""
    try:
        document = json.loads(body)
        if "detail" in document:
            return bus.parse(document["detail"])
        if "silence" in document:
            return Silence(**document["silence"])
        if "sweep" in document:
            return Sweep(**document["sweep"])
        return Parked(**document["parked"])
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"the message is none of the desk's: {error!r}") from None


def _goes_back(error: Exception, name: str, message_id: str) -> bool:
    """Whether the message is to be seen again; what no retry can heal ends in the dead-letter queue by count."""
    row = reply_to(error)
    if row is None:
        telemetry.logger.exception("reaction failed", extra={"reaction": name, "message_id": message_id})
        return True
    fields = {"reaction": name, "reason": type(error).__name__, "detail": str(error)[:300]}
    if row.on_queue is OnQueue.DROP:
        telemetry.said("reaction had nothing to do", **fields)
        return False
    telemetry.warned("reaction goes back to its queue", **fields)
    return True


def _delay(record: dict[str, Any], queue: QueueSettings, error: Exception) -> None:
    received = int(record["attributes"].get("ApproximateReceiveCount", "1"))
    seconds = min(LONGEST_DELAY_SECONDS, queue.retry_base_seconds * 2 ** min(received - 1, 10))
    if isinstance(error, VendorUnavailable) and error.retry_after_seconds:
        seconds = min(LONGEST_DELAY_SECONDS, max(seconds, error.retry_after_seconds))
    try:
        aws.client("sqs").change_message_visibility(
            QueueUrl=queue.queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
        )
    except Exception:
        # The queue's own visibility timeout brings the message back as well, only later.
        telemetry.logger.exception("delay could not be set")
