"""Which metrics a recorded event is, with their dimensions."""

from __future__ import annotations

from typing import Any

import pytest

from dealdesk.contracts.bus import SCHEMA_VERSION, BusEvent
from dealdesk.edge import measures

USD = {"amount_minor": 100, "currency": "USD"}
METRICS: list[tuple[str, dict[str, Any], list[tuple[str, dict[str, str]]]]] = [
    ("deal.evaluated", {"outcome": "blocked"}, [("GuardrailEvaluations", {"outcome": "blocked"})]),
    (
        "guardrail.violated",
        {"rules": ["floor", "terms"]},
        [("GuardrailViolations", {"rule": "floor"}), ("GuardrailViolations", {"rule": "terms"})],
    ),
    (
        "deal.touched",
        {"wait_seconds": 60, "business_seconds": 0},
        [("TouchSeconds", {"clock": "calendar"}), ("TouchSeconds", {"clock": "business"})],
    ),
    ("deal.touched", {"wait_seconds": 60, "business_seconds": None}, [("TouchSeconds", {"clock": "calendar"})]),
    ("deal.touched", {"wait_seconds": 60}, [("TouchSeconds", {"clock": "calendar"})]),
    ("approval.granted", {"wait_seconds": 5, "step": "finance"}, [("ApprovalWaitSeconds", {"step": "finance"})]),
    ("payment.unmatched", {"duplicate": True}, [("IdempotencyErrors", {"vendor": "payment"})]),
    ("payment.unmatched", {"duplicate": False}, []),
    ("payment.succeeded", {"amount": USD}, [("PaymentsSucceeded", {"currency": "USD"})]),
    ("payment.failed", {"code": "expired"}, [("PaymentsFailed", {"code": "expired"})]),
    ("invoice.posted", {"ledger": "netsuite"}, [("InvoicesPosted", {"ledger": "netsuite"})]),
    ("invoice.posted", {}, [("InvoicesPosted", {"ledger": "unknown"})]),
    ("deal.closed", {"quote_to_cash_hours": "1.5"}, [("QuoteToCashHours", {"variant": "submitted"})]),
    ("document.sent", {}, []),
]


@pytest.mark.parametrize(("type_", "data", "wanted"), METRICS)
def test_an_event_is_these_metrics(
    type_: str, data: dict[str, Any], wanted: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(measures, "count", lambda name, *_, **dimensions: found.append((name, dimensions)))

    measures.measure(BusEvent("d-1:000001", type_, SCHEMA_VERSION, "2026-11-25T12:00:00+00:00", "d-1", 1, data))

    assert found == wanted
