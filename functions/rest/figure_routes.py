"""REST about the desk's figures, over a window of time."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from access import SEES_ALL
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from desk import caller, config, figures, index
from replies import as_response

from dealdesk.contracts import figure_rest as rest
from dealdesk.domain.window import Window, read_window
from dealdesk.edge import clock, telemetry
from dealdesk.errors import Malformed

MOST_DAYS = 92

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

Begin = Annotated[str | None, Query(alias="from", max_length=40, description="a date, or a time on a quarter hour")]
End = Annotated[str | None, Query(alias="to", max_length=40, description="a date, which is inside, or a time")]
Zone = Annotated[str, Query(alias="timezone", max_length=64, description="whose days are meant")]


@router.get("/sla-dashboard/summary", summary="All figures of a window")
def get_summary(begin: Begin = None, end: End = None, zone: Zone = "UTC") -> Response[rest.SummaryAnswer]:
    window, now = _asked(begin, end, zone)
    tally, newest = figures().between(window.start, window.end)
    return _answer(rest.SummaryAnswer, rest.told(window, now, newest) | rest.summary(tally, now))


@router.get("/sla-dashboard/touch-rate", summary="How many deals were taken up within five minutes")
def get_touch_rate(begin: Begin = None, end: End = None, zone: Zone = "UTC") -> Response[rest.TouchRateAnswer]:
    window, now = _asked(begin, end, zone)
    tally, newest = figures().between(window.start, window.end)
    told = rest.told(window, now, newest)
    return _answer(rest.TouchRateAnswer, told | {"touch_rate": rest.touch_rate(tally, now)})


@router.get("/sla-dashboard/quote-to-cash", summary="How long deals take from the quote to the money")
def get_quote_to_cash(begin: Begin = None, end: End = None, zone: Zone = "UTC") -> Response[rest.QuoteToCashAnswer]:
    window, now = _asked(begin, end, zone)
    tally, newest = figures().between(window.start, window.end)
    told = rest.told(window, now, newest)
    return _answer(rest.QuoteToCashAnswer, told | {"quote_to_cash": rest.quote_to_cash(tally, now)})


@router.get("/sla-dashboard/export", summary="The figures of each day, as CSV")
def export(begin: Begin = None, end: End = None, zone: Zone = "UTC") -> Response[Any]:
    window, now = _asked(begin, end, zone)
    days = list(window.days())
    if len(days) > MOST_DAYS:
        raise Malformed(f"the window has {len(days)} days; an export has at most {MOST_DAYS}", pointer="from")
    table = rest.as_csv(((day, figures().between(part.start, part.end)[0]) for day, part in days), now)
    name = f"figures-{days[0][0]}-{days[-1][0]}.csv"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(HTTPStatus.OK, "text/csv; charset=utf-8", table, headers=headers)


@router.get("/metrics", summary="What waits now and what today has brought, in the text format of Prometheus")
def get_metrics() -> Response[Any]:
    window, now = _asked(f"{clock.now():%Y-%m-%d}", None, "UTC")
    waiting, oldest = index().waiting(now, timedelta(seconds=config().dealdesk_silent_after_seconds))
    text = rest.as_metrics(figures().between(window.start, window.end)[0], now, waiting, oldest)
    return Response(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", text)


def _answer(kind: type[rest.Told], content: dict[str, object]) -> Response[Any]:
    return as_response(HTTPStatus.OK, kind.model_validate(content).model_dump(mode="json", by_alias=True))


def _asked(begin: str | None, end: str | None, zone: str) -> tuple[Window, datetime]:
    who, now = caller(router).may(SEES_ALL), clock.now()
    window = read_window(begin, end, zone, now)
    telemetry.said("figures asked", by=who.person_id, start=window.start.isoformat(), end=window.end.isoformat())
    return window, now
