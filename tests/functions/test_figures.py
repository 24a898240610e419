"""The dashboard over REST, and taking up a deal: who may ask, for which window, and what is told."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dealdesk.domain.stages import Stage
from tests.functions.messages import keep, rows
from tests.functions.quotes import a_soft_breach
from tests.functions.test_rest import DECIDES, FIN, ROLES, created, is_problem, key
from tests.journeys.world import World

Json = dict[str, Any]
AUDITOR: Json = {"user": "person-auditor", "role": "auditor"}
REP: Json = {"user": "person-rep", "role": "rep"}
FIGURES = ("summary", "touch-rate", "quote-to-cash", "export")


def figures(desk: World, what: str = "summary", **query: str) -> Any:
    named = {name.rstrip("_"): value for name, value in query.items()}
    status, answer = desk.rest("GET", f"/sla-dashboard/{what}", query=named or None, **AUDITOR)
    assert status == 200, answer
    return answer


def moved(before: Any, after: Any, *path: str) -> int:
    """By how much the figure at this place has grown."""
    for step in path:
        before, after = before[step], after[step]
    return int(after) - int(before)


@pytest.mark.parametrize("what", FIGURES)
def test_everybody_but_reps_sees_the_figures(desk: World, what: str) -> None:
    for role in ROLES:
        answer = desk.rest("GET", f"/sla-dashboard/{what}", user="person-x", role=role)
        if role == "rep":
            is_problem(answer, 403, "role rep")
        else:
            assert answer[0] == 200
    is_problem(desk.rest("GET", f"/sla-dashboard/{what}"), 403, "nobody vouches")


def test_of_nothing_there_are_no_figures(desk: World) -> None:
    answer = figures(desk, from_="2020-02-01", to="2020-02-29", timezone="Europe/Berlin")

    assert answer["window"] == {
        "from": "2020-01-31T23:00:00Z",
        "to": "2020-02-29T23:00:00Z",
        "timezone": "Europe/Berlin",
    }
    assert answer["data_as_of"] is None
    nothing = {"part": 0, "n": 0, "rate": None, "low": None, "high": None}
    assert answer["touch_rate"]["hits"] == answer["guardrail_compliance"]["compliant"] == nothing
    assert answer["idempotency"]["errors"] == nothing
    assert answer["quote_to_cash"]["q2c_created"]["median_seconds"] is None


def test_a_deal_that_is_taken_up_in_time_is_a_hit(desk: World) -> None:
    before = figures(desk)
    deal = created(desk, a_soft_breach())
    desk.settle()
    waiting = figures(desk)
    assert moved(before, waiting, "touch_rate", "open") == 1
    assert moved(before, waiting, "evaluations", "needs_approval") == 1

    status, shown = desk.rest("POST", f"/deals/{deal['deal_id']}/claim", headers=key("claim-1"), **FIN)
    again = desk.rest("POST", f"/deals/{deal['deal_id']}/claim", headers=key("claim-1"), **FIN)
    desk.settle()

    assert (status, shown["stage"]) == (200, "pending_approval")
    assert again == (200, shown)
    after = figures(desk)
    assert moved(before, after, "touch_rate", "hits", "part") == moved(before, after, "touch_rate", "hits", "n") == 1
    assert after["data_as_of"] <= after["as_of"]
    assert figures(desk, "touch-rate")["touch_rate"] == after["touch_rate"]


def test_only_who_may_decide_takes_a_deal_up(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    before = rows()

    for role in ROLES:
        if role not in DECIDES:
            is_problem(desk.rest("POST", f"/deals/{deal['deal_id']}/claim", user="person-x", role=role), 403)
    is_problem(desk.rest("POST", f"/deals/{deal['deal_id']}/claim", user="person-rep", role="finance"), 403)
    is_problem(desk.rest("POST", "/deals/nowhere/claim", **FIN), 404)

    assert rows() == before


def test_nobody_in_time_is_said_on_the_next_tick_and_counts_as_a_miss(desk: World) -> None:
    desk.settle()
    before = figures(desk)
    deal = created(desk, a_soft_breach())
    desk.settle()
    desk.sleep(days=4)  # whatever the hour, the desk was open for five minutes

    desk.invoke("escalate_approvals", {})
    desk.invoke("escalate_approvals", {})
    desk.settle()

    told = [
        event for event in desk.published if event["deal_id"] == deal["deal_id"] and event["type"] == "sla.breached"
    ]
    assert [event["data"]["sla"] for event in told] == ["touch"]
    assert any(e["body"]["type"] == "sla.breached" for e in desk.twins["n8n"].state()["events"])
    after = figures(desk)
    assert moved(before, after, "touch_rate", "hits", "part") == 0
    assert moved(before, after, "touch_rate", "hits", "n") == 1 + before["touch_rate"]["open"]


def test_the_export_has_a_row_for_each_day_and_they_add_up(desk: World) -> None:
    day = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
    deal = keep(desk, Stage.CLOSED, "exported")
    measured(desk, deal.id)

    table = figures(desk, "export", from_="2026-11-20", to="2026-11-24", timezone="America/New_York")

    days = list(csv.DictReader(io.StringIO(table)))
    assert [row["day"] for row in days] == [f"2026-11-{number}" for number in range(20, 25)]
    whole = figures(desk, from_="2026-11-20", to="2026-11-24", timezone="America/New_York")
    assert sum(int(row["signed"]) for row in days) == whole["guardrail_compliance"]["compliant"]["n"] >= 1
    assert sum(int(row["cash_n"]) for row in days) == whole["quote_to_cash"]["q2c_created"]["n"] >= 1
    assert next(row for row in days if int(row["signed"]))["day"] == f"{day:%Y-%m-%d}"


def measured(desk: World, deal_id: str) -> None:
    """Its figures are counted, as by any event of its."""
    event = {
        "id": f"{deal_id}:000001",
        "type": "deal.received",
        "version": 1,
        "occurred_at": "2026-11-22T20:00:00+00:00",
    }
    detail = event | {"deal_id": deal_id, "sequence": 1, "data": {}}
    record = {"messageId": "m", "receiptHandle": "r", "body": json.dumps({"detail": detail})}
    batch = {"Records": [record | {"attributes": {"ApproximateReceiveCount": "1"}}]}
    assert desk.invoke("measure_deals", batch) == {"batchItemFailures": []}


def test_a_closed_deal_is_in_every_figure(desk: World) -> None:
    span = {"from_": "2026-11-22", "to": "2026-11-22"}
    before = figures(desk, **span)
    deal = keep(desk, Stage.CLOSED, "in-every-figure")

    measured(desk, deal.id)
    measured(desk, deal.id)

    after = figures(desk, **span)
    assert moved(before, after, "quote_to_cash", "q2c_created", "n") == 1
    assert moved(before, after, "quote_to_cash", "q2c_presented", "started") == 1
    assert moved(before, after, "guardrail_compliance", "by_rules") == 1
    assert moved(before, after, "idempotency", "errors", "n") == 3
    assert moved(before, after, "touch_rate", "auto") == 1
    assert {stage["name"] for stage in after["quote_to_cash"]["stages"] if stage["n"]} >= {"approved", "signed", "cash"}


def test_a_message_that_comes_again_leaves_the_table_as_it_is(desk: World) -> None:
    deal = keep(desk, Stage.CLOSED, "comes-again")
    measured(desk, deal.id)
    before = rows()

    measured(desk, deal.id)

    assert rows() == before


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"from": "soon"}, "from"),
        ({"to": "2026-11-25T14:20:00Z"}, "to"),
        ({"from": "2026-11-25", "to": "2026-11-01"}, "to"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"from": "9" * 41}, "from"),
    ],
)
def test_a_window_that_cannot_be_read_is_refused_and_never_answered_with_zeros(
    desk: World, query: dict[str, str], pointer: str
) -> None:
    for what in FIGURES:
        status, problem = desk.rest("GET", f"/sla-dashboard/{what}", query=query, **AUDITOR)
        assert status == 422
        assert pointer in problem["errors"][0]["pointer"]


def test_an_export_of_more_days_than_it_has_is_refused(desk: World) -> None:
    answer = desk.rest("GET", "/sla-dashboard/export", query={"from": "2026-01-01", "to": "2026-06-01"}, **AUDITOR)

    is_problem(answer, 422, "at most 92")


def test_figures_that_cannot_be_read_are_an_error_and_no_zeros(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    figures(desk)
    monkeypatch.setattr(desk.function("rest").figure_routes.figures(), "_table", "no-such-table")

    for what in FIGURES:
        is_problem(desk.rest("GET", f"/sla-dashboard/{what}", **AUDITOR), 503)


def test_the_metrics_are_numbers_that_prometheus_reads_and_only_for_who_may_see_them(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    desk.settle()

    status, text = desk.rest("GET", "/metrics", **AUDITOR)

    assert status == 200
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    values = {name: int(value) for name, value in lines}
    told = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert {name.partition("{")[0] for name in values} == set(told)
    assert values['dealdesk_touches_today{result="open"}'] >= 1
    assert values["dealdesk_idempotency_errors_today"] == 0
    assert values["dealdesk_open_intents"] >= 0
    assert deal["deal_id"] not in text
    is_problem(desk.rest("GET", "/metrics"), 403, "nobody vouches")
    is_problem(desk.rest("GET", "/metrics", **REP), 403, "role rep")


def test_a_message_that_is_no_event_is_kept_for_people(desk: World) -> None:
    silence = {"silence": {"deal_id": "d", "due_at": "2026-11-25T00:00:00+00:00"}}
    record = {"messageId": "m", "receiptHandle": "r", "body": json.dumps(silence)}
    batch = {"Records": [record | {"attributes": {"ApproximateReceiveCount": "1"}}]}

    assert desk.invoke("measure_deals", batch) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
