"""Which metric each recorded event is: figures come from the events, so none is counted by a failed attempt."""

from __future__ import annotations

from aws_lambda_powertools.metrics import MetricUnit

from dealdesk.contracts.bus import BusEvent
from dealdesk.edge.telemetry import count


def measure(event: BusEvent) -> None:
    data = event.data
    match event.type:
        case "deal.evaluated":
            count("GuardrailEvaluations", outcome=data["outcome"])
        case "guardrail.violated":
            for rule in data["rules"]:
                count("GuardrailViolations", rule=rule)
        case "deal.touched":
            count("TouchSeconds", data["wait_seconds"], MetricUnit.Seconds, clock="calendar")
            if data.get("business_seconds") is not None:
                count("TouchSeconds", data["business_seconds"], MetricUnit.Seconds, clock="business")
        case "approval.granted":
            count("ApprovalWaitSeconds", data["wait_seconds"], MetricUnit.Seconds, step=data["step"])
        case "payment.unmatched" if data["duplicate"]:
            count("IdempotencyErrors", vendor="payment")
        case "payment.succeeded":
            count("PaymentsSucceeded", currency=data["amount"]["currency"])
        case "payment.failed":
            count("PaymentsFailed", code=data["code"])
        case "invoice.posted":
            count("InvoicesPosted", ledger=data.get("ledger") or "unknown")
        case "deal.closed":
            count("QuoteToCashHours", float(data["quote_to_cash_hours"]), MetricUnit.NoUnit, variant="submitted")
