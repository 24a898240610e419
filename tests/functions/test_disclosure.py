"""By REST a rep sees of a decision what the policy that made it discloses, wherever they look; the desk sees all."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.functions.quotes import a_line, a_quote
from tests.functions.test_policies import a_policy, drafted, edited, published
from tests.journeys.world import World

Json = dict[str, Any]
REP: Json = {"user": "person-rep", "role": "rep"}
EXACT = [
    {"user": f"person-{role}", "role": role}
    for role in ("deal_desk", "finance", "executive", "revops", "admin", "auditor")
]
LIMIT = "17.37"
_names = itertools.count(1)


def with_a_secret_limit(desk: World, level: str) -> str:
    """A policy in force whose limit nobody guesses."""
    name = f"{level}-{next(_names)}"
    drafted(desk, name, document=a_policy(LIMIT, disclosure=level))
    published(desk, name)
    return name


def asked(desk: World, method: str, path: str, body: Any = None, who: Any = None, **headers: str) -> Any:
    status, answer = desk.rest(method, path, body, headers=headers, **(who or REP))
    assert status < 300, answer
    return answer


def a_violating_deal(desk: World) -> Json:
    quote = a_quote(lines=[a_line(net_unit_price="71.23")])
    return dict(asked(desk, "POST", "/deals", quote))


@pytest.mark.parametrize("level", ["banded", "off"])
def test_a_rep_reads_no_exact_limit_anywhere(desk: World, level: str) -> None:
    with_a_secret_limit(desk, level)
    deal = a_violating_deal(desk)
    path = f"/deals/{deal['deal_id']}"

    read = [
        deal,
        asked(desk, "POST", "/guardrails/preview", a_quote(lines=[a_line(net_unit_price="71.23")])),
        asked(desk, "GET", path),
        asked(desk, "GET", f"{path}/timeline"),
        asked(desk, "PATCH", path, {"term_months": 24}, **{"If-Match": str(deal["version"])}),
        asked(desk, "POST", f"{path}/recall"),
    ]

    assert [LIMIT in json.dumps(answer) for answer in read] == [False] * len(read)
    assert read[0]["decision"]["required_steps"] == ["finance"]
    assert read[0]["decision"]["violations"][0]["limit"] == ("15 to 20" if level == "banded" else "")
    evaluated = [event for event in read[3]["events"] if event["type"] == "deal.evaluated"]
    assert evaluated[0]["data"]["decision"]["violations"][0]["actual"] == "28.77"
    assert read[3]["complete"] is True


@pytest.mark.parametrize("who", EXACT, ids=lambda who: str(who["role"]))
def test_the_desk_approvers_and_auditors_read_the_limits(desk: World, who: Json) -> None:
    with_a_secret_limit(desk, "off")
    path = f"/deals/{a_violating_deal(desk)['deal_id']}"

    deal = asked(desk, "GET", path, who=who)
    timeline = asked(desk, "GET", f"{path}/timeline", who=who)

    assert deal["decision"]["violations"][0]["limit"] == LIMIT
    assert LIMIT in json.dumps(timeline)


def test_a_program_is_told_no_more_than_a_rep(desk: World) -> None:
    with_a_secret_limit(desk, "banded")
    path = f"/deals/{a_violating_deal(desk)['deal_id']}"

    assert LIMIT not in json.dumps(asked(desk, "GET", path, who={"user": "service-n8n", "role": "service"}))


def test_a_later_policy_that_discloses_all_reveals_nothing_of_an_older_deal(desk: World) -> None:
    name = with_a_secret_limit(desk, "off")
    path = f"/deals/{a_violating_deal(desk)['deal_id']}"

    edited(desk, name, 1, document=a_policy("16.00", disclosure="exact"))
    published(desk, name)

    assert LIMIT not in json.dumps([asked(desk, "GET", path), asked(desk, "GET", f"{path}/timeline")])
    assert asked(desk, "POST", "/guardrails/preview", a_quote(lines=[a_line(net_unit_price="71.23")]))["decision"][
        "violations"
    ][0]["limit"] == ("16.00")


def test_a_rep_does_not_read_the_content_of_a_policy_that_hides_its_limits(desk: World) -> None:
    name = with_a_secret_limit(desk, "banded")

    calls = [
        ("GET", f"/policies/{name}"),
        ("GET", f"/policies/{name}/versions/1"),
        ("POST", f"/policies/{name}/validate"),
    ]
    refused = [desk.rest(method, path, **REP)[0] for method, path in calls]
    listed = [asked(desk, "GET", f"/policies/{name}/{what}") for what in ("versions", "timeline")]

    assert refused == [403, 403, 403]
    assert LIMIT not in json.dumps(listed)
    assert LIMIT in json.dumps(asked(desk, "GET", f"/policies/{name}", who=EXACT[0]))
