"""What happens to a quote: received, judged, refused, touched, closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from dealdesk.domain.decision import Decision
from dealdesk.domain.quote import Quote


@dataclass(frozen=True, slots=True, repr=False)
class CrmRecord:
    """The record in the CRM that a deal was made from."""

    system: str
    record_id: str


@dataclass(frozen=True, slots=True, repr=False)
class QuoteReceived:
    TYPE: ClassVar[str] = "deal.received"
    crm: CrmRecord | None
    submitted_at: datetime
    submitted_by: str | None


@dataclass(frozen=True, slots=True, repr=False)
class QuoteEvaluated:
    TYPE: ClassVar[str] = "deal.evaluated"
    revision: int
    quote: Quote
    decision: Decision
    editor: str


@dataclass(frozen=True, slots=True, repr=False)
class DetailsChanged:
    """The name, the contact or the owner changed; the terms are as they were."""

    TYPE: ClassVar[str] = "deal.details_changed"
    quote: Quote
    editor: str


@dataclass(frozen=True, slots=True, repr=False)
class QuoteRefused:
    """A quote that the CRM sent cannot be judged, or comes too late; the rep is told why."""

    TYPE: ClassVar[str] = "deal.quote_refused"
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class DealTouched:
    """The first act of a person other than those who asked; `wait_seconds` is calendar time since submission,
    `business_seconds` opening time since the deal's clock was started, None for a deal without one.
    """

    TYPE: ClassVar[str] = "deal.touched"
    by: str
    wait_seconds: int
    business_seconds: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class GuardrailViolated:
    TYPE: ClassVar[str] = "guardrail.violated"
    revision: int
    outcome: str
    rules: tuple[str, ...]
    messages: tuple[str, ...]
    what_would_pass: str


@dataclass(frozen=True, slots=True, repr=False)
class DealClosed:
    TYPE: ClassVar[str] = "deal.closed"
    quote_to_cash_hours: str


QuoteEvent = (
    QuoteReceived | QuoteEvaluated | DetailsChanged | QuoteRefused | DealTouched | GuardrailViolated | DealClosed
)
