"""What REST gives of the desk's figures. Rates are parts of 1, times are seconds; a figure of nothing is null."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from dealdesk.domain import kpis
from dealdesk.domain.window import Window

Ratio = Annotated[float | None, PlainSerializer(lambda value: None if value is None else round(value, 6))]


class Figure(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class WindowOut(Figure):
    """[from, to): the end is not inside."""

    model_config = ConfigDict(populate_by_name=True, from_attributes=True)

    start: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="to")]
    zone: Annotated[str, Field(alias="timezone")]


class RateOut(Figure):
    """`part` of `n`; `low` and `high` are the 95% interval of Wilson."""

    part: int
    n: int
    rate: Ratio
    low: Ratio
    high: Ratio


class TouchRateOut(Figure):
    hits: RateOut
    open: int
    withdrawn: int
    auto: int
    p50_seconds: Ratio
    p90_seconds: int | None


class TimeToCashOut(Figure):
    n: int
    median_seconds: Ratio
    started: int
    lost: int
    open: int
    kaplan_meier_median_seconds: int | None


class StageTimeOut(Figure):
    name: str
    n: int
    p50_seconds: Ratio
    p90_seconds: int | None


class QuoteToCashOut(Figure):
    q2c_created: TimeToCashOut
    q2c_presented: TimeToCashOut
    stages: list[StageTimeOut]
    reopened: int


class ComplianceOut(Figure):
    compliant: RateOut
    by_rules: int
    by_approval: int
    outside: int


class IdempotencyOut(Figure):
    errors: RateOut


class Told(BaseModel):
    """`data_as_of` is when the newest of these figures was written, null when there is none."""

    window: WindowOut
    calendar: str
    as_of: datetime
    data_as_of: datetime | None
    query_version: int


class TouchRateAnswer(Told):
    touch_rate: TouchRateOut


class QuoteToCashAnswer(Told):
    quote_to_cash: QuoteToCashOut


class SummaryAnswer(Told):
    touch_rate: TouchRateOut
    quote_to_cash: QuoteToCashOut
    guardrail_compliance: ComplianceOut
    idempotency: IdempotencyOut
    evaluations: dict[str, int]


CALENDAR = "touch: the desk's opening hours; quote to cash: calendar time"
COLUMNS = (
    "day",
    "touch_n",
    "touch_hits",
    "touch_rate",
    "touch_open",
    "touch_auto",
    "touch_p50_seconds",
    "cash_n",
    "q2c_created_median_seconds",
    "q2c_presented_median_seconds",
    "signed",
    "compliant",
    "intents",
    "duplicates",
)


def told(window: Window, as_of: datetime, data_as_of: datetime | None) -> dict[str, object]:
    return {
        "window": WindowOut.model_validate(window),
        "calendar": CALENDAR,
        "as_of": as_of,
        "data_as_of": data_as_of,
        "query_version": kpis.QUERY_VERSION,
    }


def touch_rate(tally: kpis.Tally, as_of: datetime) -> TouchRateOut:
    return TouchRateOut.model_validate(kpis.touch_rate(tally, as_of))


def quote_to_cash(tally: kpis.Tally, as_of: datetime) -> QuoteToCashOut:
    return QuoteToCashOut.model_validate(kpis.quote_to_cash(tally, as_of))


def summary(tally: kpis.Tally, as_of: datetime) -> dict[str, object]:
    return {
        "touch_rate": touch_rate(tally, as_of),
        "quote_to_cash": quote_to_cash(tally, as_of),
        "guardrail_compliance": ComplianceOut.model_validate(kpis.compliance(tally)),
        "idempotency": IdempotencyOut.model_validate(kpis.idempotency(tally)),
        "evaluations": kpis.evaluations(tally),
    }


def as_csv(days: Iterable[tuple[date, Mapping[str, int]]], as_of: datetime) -> str:
    """A row for each day, with its header; an empty cell is a figure of nothing."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for day, tally in days:
        touch, cash = kpis.touch_rate(tally, as_of), kpis.quote_to_cash(tally, as_of)
        signed, sent = kpis.compliance(tally).compliant, kpis.idempotency(tally).errors
        rate = None if touch.hits.rate is None else round(touch.hits.rate, 6)
        rows.writerow(
            (
                day,
                touch.hits.n,
                touch.hits.part,
                rate,
                touch.open,
                touch.auto,
                touch.p50_seconds,
                cash.q2c_created.n,
                cash.q2c_created.median_seconds,
                cash.q2c_presented.median_seconds,
                signed.n,
                signed.part,
                sent.n,
                sent.part,
            )
        )
    return text.getvalue()


def as_metrics(tally: kpis.Tally, as_of: datetime, waiting: int, oldest_seconds: int) -> str:
    """In the text format of Prometheus: what waits now, and what the day has brought so far."""
    touch, signed, sent = kpis.touch_rate(tally, as_of), kpis.compliance(tally), kpis.idempotency(tally).errors
    found: dict[str, tuple[str, dict[str, int]]] = {
        "open_intents": ("Deals that wait for an outside system.", {"": waiting}),
        "oldest_open_intent_seconds": ("How long the longest of them has waited.", {"": oldest_seconds}),
        "touches_today": (
            "Deals taken up within five minutes of opening time, or not, that came today (UTC).",
            {
                '{result="hit"}': touch.hits.part,
                '{result="miss"}': touch.hits.n - touch.hits.part,
                '{result="open"}': touch.open,
            },
        ),
        "contracts_signed_today": (
            "Contracts signed today (UTC), by what allowed their terms.",
            {
                '{terms="rules"}': signed.by_rules,
                '{terms="approval"}': signed.by_approval,
                '{terms="nothing"}': signed.outside,
            },
        ),
        "intents_today": ("Effects on money and documents promised today (UTC).", {"": sent.n}),
        "idempotency_errors_today": ("Payments that arrived a second time today (UTC).", {"": sent.part}),
    }
    lines = [
        line
        for name, (said, values) in found.items()
        for line in (
            f"# HELP dealdesk_{name} {said}",
            f"# TYPE dealdesk_{name} gauge",
            *(f"dealdesk_{name}{labels} {value}" for labels, value in values.items()),
        )
    ]
    return "\n".join(lines) + "\n"
