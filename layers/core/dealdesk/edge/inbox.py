"""What the webhooks of signed vendors share: verify, parse, record, and an answer for every way it can end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dealdesk.edge import answers, telemetry, webhooks
from dealdesk.errors import AlreadyHandled, DealUnknown, Refusal
from dealdesk.ports import Parking


@dataclass(frozen=True, slots=True)
class Report:
    """One verified message about a deal. `record` makes the change; `parked` is how it waits for its deal."""

    deal_id: str
    cause: str
    record: Callable[[], object]
    parked: Mapping[str, object]


def answer_webhook(
    vendor: str,
    event: dict[str, Any],
    read: Callable[[dict[str, str], bytes, datetime], Report | None],
    parking: Callable[[], Parking],
    now: datetime,
    *,
    content_type: str = "application/json",
    acknowledgement: str | None = None,
) -> dict[str, Any]:
    """`read` verifies and parses; None is a genuine message that concerns no deal of the desk.

    With an `acknowledgement`, every message that is taken, known or not, is answered 200 with exactly these words.
    """
    report: Report | None = None
    try:
        body, headers = webhooks.body_of(event), webhooks.headers_of(event)
        webhooks.require_content_type(headers, content_type)
        report = read(headers, body, now)
        if report is None:
            telemetry.said("message concerns no deal of the desk", source=vendor)
            taken = answers.answer(200, {"status": "ignored"})
        else:
            taken = _recorded(vendor, report, parking)
        return answers.text(200, acknowledgement, "text/plain") if acknowledgement else taken
    except Refusal as refusal:
        telemetry.rejected(vendor, refusal)
        return answers.problem_of(refusal, to_vendor=True)
    except Exception as error:
        telemetry.failed(vendor, error)
        return answers.problem_of(error)


def _recorded(vendor: str, report: Report, parking: Callable[[], Parking]) -> dict[str, Any]:
    try:
        report.record()
    except AlreadyHandled:
        telemetry.duplicate(vendor, report.deal_id, report.cause)
        return answers.answer(200, {"status": "duplicate"})
    except DealUnknown as unknown:
        parking().park({"kind": vendor, "message": {"deal_id": report.deal_id, "cause": report.cause, **report.parked}})
        telemetry.rejected(vendor, unknown)
        return answers.problem(202, "Parked", f"{unknown}; the message is kept and tried again")
    telemetry.said("message recorded", source=vendor, deal_id=report.deal_id, cause=report.cause)
    return answers.answer(200, {"status": "recorded"})
