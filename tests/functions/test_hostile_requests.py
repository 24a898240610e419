"""Whatever is sent to REST is answered with a reason and a place, never with a 500, and saves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.stages import Stage
from dealdesk.edge import webhooks
from dealdesk.errors import TooLarge
from dealdesk.ports import Cause
from tests.functions.messages import happened, rows
from tests.functions.quotes import a_line, a_quote
from tests.journeys.world import World
from tests.unit.domain.deals import NOW, OWNER, Story, a_story, paid
from tests.unit.domain.quotes import a_line as a_domain_line

Json = dict[str, Any]
REP: Json = {"user": "person-rep", "role": "rep"}
MEGABYTE = "x" * 1_000_000
FAR_TOO_DEEP = "[" * 100_000 + "]" * 100_000


def refused(desk: World, method: str, path: str, body: Any, **who: Any) -> Json:
    before = rows()

    status, problem = desk.rest(method, path, body, **(who or REP))

    assert 400 <= status < 500, problem
    assert problem["status"] == status
    assert problem["detail"]
    assert len(json.dumps(problem)) < 20_000
    assert rows() == before
    return dict(problem)


def pointers(problem: Json) -> set[str]:
    return {error["pointer"] for error in problem.get("errors", [])}


def with_field(pointer: str, value: Any) -> Json:
    """A good quote but for the one field."""
    quote: Any = a_quote()
    place, *_, name = quote, *pointer.split("/")
    for step in pointer.split("/")[1:-1]:
        place = place[int(step)] if step.isdigit() else place[step]
    place[name] = value
    return dict(quote)


FIELDS: dict[str, list[Any]] = {
    "/name": [None, [], {}, 7, "", " ", "\x00", "a\nb", "x" * 256, "\x7f"],
    "/owner_id": [None, [], 7, "", "nobody at all", "x" * 65, "é", "\x00"],
    "/customer": [None, [], "Acme", 7],
    "/customer/id": [None, "", "a b", 7],
    "/customer/name": [None, "", "x" * 256, "\x00", []],
    "/customer/country": [None, "USA", "us", "U\x00", 1],
    "/contact": ["casey@acme.example", [], 7],
    "/contact/name": [None, "", "\x00", "x" * 256],
    "/contact/email": [None, "casey", "a@b", "x" * 250 + "@a.de", "a\x00@b.de", "a b@c.de"],
    "/currency": [None, "usd", "US", "ZZZ", "U\x00D", 7, []],
    "/risk": [None, 7, [], "x" * 300],
    "/segment": [7, "", "\x00", "x" * 300],
    "/region": [7, "", "\x00", "x" * 300],
    "/new_logo": ["perhaps", 7, []],
    "/payment_terms_days": [None, -1, 731, "30", 30.0, True, 10**30, "NaN"],
    "/billing": [None, "weekly", 7, []],
    "/term_months": [None, 0, 601, "12", 12.0, True, -(10**30)],
    "/valid_until": ["tomorrow", "2027-02-30", "2027-01-31T12:00:00Z", 10**30, [], True],
    "/providers": ["stripe", []],
    "/lines": [None, [], {}, "x", [None], [7], [[]]],
    "/lines/0/id": [None, "", "a b", 7, "x" * 65],
    "/lines/0/sku": [None, "", "\x00", "x" * 256, 7],
    "/lines/0/charge_type": [None, "yearly", 7],
    "/lines/0/quantity": [None, 0, "0", "-1", 1.5, "1e3", "1_000", "NaN", "Infinity", "١", "", True, 10**16, "1" * 16],
    "/lines/0/periods": [None, 0, 10_001, "12", 1.5, True],
    "/lines/0/list_unit_price": [None, "-1", 99.5, "1e3", "NaN", "0x10", " 1", "1,000", "1.0000001", [], True],
    "/lines/0/net_unit_price": [85.0, "-1", "NaN", "1e-999999999", "9" * 16, {}],
    "/lines/0/unit_cost": [20.0, "-1", "cost", []],
    "/lines/0/free_periods": [None, -1, 12, "2", 1.5, True],
    "/lines/0/list_tiers": [None, [{}], "x", [{"from_quantity": "11", "unit_price": 1.5}]],
    "/payment_terms": [7, "", "x" * 41, []],
    "/opt_out_after_months": [0, 13, "6", True],
    "/starts_on": ["tomorrow", "2027-02-30", [], True],
    "/amount_off": [1.5, "-1", "0.001", "10200.01", "NaN", True],
    "/amends": [7, {}, {"reference": "C-1", "lines": []}],
}


@pytest.mark.parametrize("path", ["/deals", "/guardrails/preview"])
@pytest.mark.parametrize(
    ("pointer", "value"),
    [(pointer, value) for pointer, values in FIELDS.items() for value in values],
    ids=lambda value: str(value)[:24].encode("unicode_escape").decode(),
)
def test_a_wrong_value_is_refused_at_its_place(desk: World, path: str, pointer: str, value: Any) -> None:
    problem = refused(desk, "POST", path, with_field(pointer, value))

    assert problem["status"] == 422
    assert any(place.startswith(pointer) for place in pointers(problem)), problem
    assert pointer in problem["detail"] or len(pointers(problem)) > 5


@pytest.mark.parametrize("pointer", ["/", "/customer/", "/contact/", "/lines/0/", "/providers/", "/crm/"])
def test_an_unknown_field_is_refused_at_its_place(desk: World, pointer: str) -> None:
    quote = a_quote(providers={}, crm={"system": "hubspot", "record_id": "1"})
    place = quote if pointer == "/" else quote["lines"][0] if "lines" in pointer else quote[pointer.strip("/")]
    place["approved"] = True

    problem = refused(desk, "POST", "/deals", quote)

    assert f"{pointer}approved" in pointers(problem)


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ([a_line(1), a_line(1)], "/lines/1/id"),
        ([a_line(n) for n in range(501)], "/lines"),
        ([a_line(discount_percent="10")], "/lines/0"),
        ([a_line(net_unit_price=None)], "/lines/0"),
        ([a_line(net_unit_price=None, discount_percent="100.01")], "/lines/0/discount_percent"),
        ([a_line(net_unit_price=None, discount_percent="-1")], "/lines/0/discount_percent"),
        ([a_line(quantity="999999999999999", list_unit_price="999999999999999")], "/lines"),
    ],
    ids=["same id", "501 lines", "both", "neither", "above 100", "below 0", "huge total"],
)
def test_lines_that_do_not_fit_are_refused_at_their_place(desk: World, lines: list[Json], pointer: str) -> None:
    problem = refused(desk, "POST", "/deals", a_quote(lines=lines))

    assert problem["status"] == 422
    assert pointer in pointers(problem)


def a_ramp(*segments: Json, **fields: Any) -> Json:
    return a_line(net_unit_price=None, segments=list(segments), **fields)


def a_stack(*discounts: Json, **fields: Any) -> Json:
    return a_line(net_unit_price=None, discounts=list(discounts), **fields)


HALF = {"periods": 6, "discount_percent": "10"}
TODAY = {"id": "1", "sku": "CORE-01", "net_unit_price": "80"}


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        (a_ramp(HALF), "/lines/0/segments"),
        (a_ramp(HALF, {"periods": 6}), "/lines/0/segments/1"),
        (a_ramp(HALF, HALF | {"quantity": "0"}), "/lines/0/segments/1/quantity"),
        (a_ramp(HALF, HALF | {"quantity": "-5"}), "/lines/0/segments/1/quantity"),
        (a_ramp(HALF, HALF | {"discount_percent": "101"}), "/lines/0/segments/1/discount_percent"),
        (a_ramp(HALF, HALF, free_periods=2), "/lines/0/free_periods"),
        (a_ramp(HALF, HALF, discount_percent="10"), "/lines/0"),
        (a_stack({"layer": "promo"}), "/lines/0/discounts/0"),
        (a_stack({"layer": "promo", "percent": "5", "amount": "1"}), "/lines/0/discounts/0"),
        (a_stack({"layer": "promo", "percent": "100.01"}), "/lines/0/discounts/0/percent"),
        (a_stack({"layer": "promo", "amount": "-1"}), "/lines/0/discounts/0/amount"),
        (a_stack({"layer": "promo", "amount": "12000.01"}), "/lines/0/discounts"),
        (a_stack({"layer": "friends", "percent": "5"}), "/lines/0/discounts/0/layer"),
        (a_line(list_tiers=[{"from_quantity": "1", "unit_price": "90"}]), "/lines/0/list_unit_price"),
        (a_line(list_unit_price=None, list_tiers=[{"from_quantity": "11", "unit_price": "90"}]), "/lines/0/list_tiers"),
    ],
)
def test_a_price_that_does_not_fit_together_is_refused_at_its_place(desk: World, line: Json, pointer: str) -> None:
    problem = refused(desk, "POST", "/deals", a_quote(lines=[line]))

    assert problem["status"] == 422
    assert pointer in pointers(problem)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"payment_terms": "net 30"}, "/payment_terms_days"),
        ({"payment_terms_days": None, "payment_terms": "when we like"}, "/payment_terms"),
        ({"payment_terms_days": None, "payment_terms": "milestones"}, "/payment_terms"),
        ({"amends": {"reference": "C-1", "lines": [TODAY | {"quantity": "-5"}]}}, "/amends/lines/0/quantity"),
        ({"amends": {"reference": "C-1", "lines": [TODAY | {"quantity": "5"}] * 2}}, "/amends/lines"),
    ],
)
def test_terms_that_do_not_fit_together_are_refused_at_their_place(desk: World, fields: Json, pointer: str) -> None:
    problem = refused(desk, "POST", "/deals", a_quote(**fields))

    assert problem["status"] == 422
    assert pointer in pointers(problem)


def raw(field: str, text: str) -> str:
    """A good quote with one value replaced by raw text that no JSON writer would make."""
    return json.dumps(with_field(field, "PUT-HERE")).replace('"PUT-HERE"', text)


RAW = {
    "five thousand digits": raw("/lines/0/quantity", "9" * 5_000),
    "five thousand digits of days": raw("/payment_terms_days", "9" * 5_000),
    "five thousand digits in a text": raw("/lines/0/quantity", f'"{"9" * 5_000}"'),
    "1e400": raw("/lines/0/quantity", "1e400"),
    "1e400 days": raw("/payment_terms_days", "1e400"),
    "minus 1e400": raw("/term_months", "-1e400"),
    "NaN": raw("/lines/0/quantity", "NaN"),
    "Infinity": raw("/lines/0/list_unit_price", "Infinity"),
    "minus Infinity": raw("/payment_terms_days", "-Infinity"),
    "a NUL byte": raw("/name", '"a\x00b"'),
    "a lone surrogate": raw("/name", '"\\ud800"'),
    "a lone low surrogate": raw("/customer/name", '"a\\udc00"'),
    "a lone surrogate as a name": raw("/name", '"a"').replace('"region"', '"\\ud800"'),
    "deep nesting": raw("/name", FAR_TOO_DEEP),
    "deep nesting below the limit": raw("/name", "[" * 900 + "]" * 900),
    "deep nesting of an unknown field": raw("/name", '"a", "more": ' + "[" * 950 + "]" * 950),
    "deep objects": raw("/segment", '{"a":' * 940 + "1" + "}" * 940),
    "a megabyte of name": raw("/name", f'"{MEGABYTE}"'),
    "a megabyte of risk": raw("/risk", f'"{MEGABYTE}"'),
    "a megabyte of a number": raw("/lines/0/quantity", f'"{MEGABYTE}"'),
    "a megabyte of an unknown name": raw("/name", f'"a", "{MEGABYTE}": 1'),
    "a megabyte of an owner": raw("/owner_id", f'"{MEGABYTE}"'),
    "above the limit": json.dumps(a_quote()) + " " * webhooks.LARGEST_BODY_BYTES,
    "cut off": json.dumps(a_quote())[:-1],
    "no JSON": "name=Acme",
    "an array": "[]",
    "a text": '"quote"',
    "a number": "7",
    "null": "null",
    "nothing": "",
    "a comment": "{} // quote",
    "a name twice": "{}{}",
}


@pytest.mark.parametrize("path", ["/deals", "/guardrails/preview"])
@pytest.mark.parametrize("kind", RAW)
def test_a_body_that_nobody_should_send_is_refused(desk: World, path: str, kind: str) -> None:
    problem = refused(desk, "POST", path, RAW[kind])

    assert problem["status"] == (413 if kind == "above the limit" else 422), problem


@pytest.mark.parametrize("content_type", ["text/xml", "application/x-www-form-urlencoded", "text/plain"])
def test_a_body_of_another_type_is_refused(desk: World, content_type: str) -> None:
    before = rows()

    status, problem = desk.rest("POST", "/deals", json.dumps(a_quote()), headers={"Content-Type": content_type}, **REP)

    assert (status, "send application/json" in problem["detail"]) == (415, True)
    assert rows() == before


OTHERS: list[tuple[str, str, Callable[[Any], Json]]] = [
    ("POST", "/payments/process", lambda value: {"deal_id": value}),
    ("POST", "/payments/process", lambda value: {"deal_id": "d", "provider": value or 7}),
    ("POST", "/invoices/stage", lambda value: {"deal_id": value}),
    ("POST", "/invoices/inv_d_1/reject", lambda value: {"reason": value}),
    ("POST", "/deals/d/approvals", lambda value: {"step": value, "decision": "approve", "fingerprint": "0" * 64}),
    ("POST", "/deals/d/approvals", lambda value: {"step": "s", "decision": value, "fingerprint": "0" * 64}),
    ("POST", "/deals/d/approvals", lambda value: {"step": "s", "decision": "approve", "fingerprint": value}),
    (
        "POST",
        "/deals/d/approvals",
        lambda value: {"step": "s", "decision": "reject", "fingerprint": "0" * 64, "comment": value or 7},
    ),
]


@pytest.mark.parametrize("value", [None, [], {}, 1.5, True, "\x00", MEGABYTE, ""], ids=lambda value: repr(value)[:8])
@pytest.mark.parametrize(("method", "path", "body"), OTHERS, ids=[f"{n} {other[1]}" for n, other in enumerate(OTHERS)])
def test_every_other_body_is_refused_as_strictly(
    desk: World, method: str, path: str, body: Callable[[Any], Json], value: Any
) -> None:
    role = {"user": "person-fin", "role": "finance"}

    assert refused(desk, method, path, body(value), **role)["status"] == 422


@pytest.mark.parametrize(
    "patch",
    [
        {"name": None},
        {"owner_id": None},
        {"valid_until": None},
        {"lines": None},
        {"lines": []},
        {"payment_terms_days": 30.0},
        {"payment_terms_days": "30"},
        {"payment_terms_days": 731},
        {"name": "\x00"},
        {"risk": "x" * 300},
        {"lines": [{"id": "1"}]},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_change_that_cannot_be_read_is_refused_at_its_place(desk: World, patch: Json) -> None:
    _, deal = desk.rest("POST", "/deals", a_quote(), **REP)
    before = rows()

    status, problem = desk.rest(
        "PATCH", f"/deals/{deal['deal_id']}", patch, headers={"If-Match": str(deal["version"])}, **REP
    )

    assert status == 422, problem
    assert any(place.startswith(f"/{next(iter(patch))}") for place in pointers(problem)), problem
    assert rows() == before


@pytest.mark.parametrize("name", ["x" * 3_000, "é", "%00", "a b", "..", "'; DROP TABLE deals; --", "\x00", "𝔸" * 600])
@pytest.mark.parametrize("path", ["/deals/{}", "/deals/{}/timeline", "/payments/pay_{}_1", "/invoices/inv_{}_1"])
def test_an_id_that_nobody_has_is_not_found(desk: World, path: str, name: str) -> None:
    problem = refused(desk, "GET", path.format(name), None, user="person-aud", role="auditor")

    assert problem["status"] == 404


def test_an_owner_whom_the_desk_does_not_know_is_only_an_id(desk: World) -> None:
    """Owners come from the CRM; the desk keeps no list of them."""
    assert desk.rest("POST", "/deals", a_quote(owner_id="person-unknown"), **REP)[0] == 201


# -- large, but right


def test_a_deal_of_two_hundred_lines_and_ten_to_the_thirteen_works_end_to_end(desk: World) -> None:
    line = {"quantity": "1", "periods": 1, "list_unit_price": "500000000.00", "net_unit_price": "500000000.00"}
    quote = a_quote(lines=[a_line(number, **line) for number in range(200)])

    status, deal = desk.rest("POST", "/deals", quote, **REP)
    _, loaded = desk.rest("GET", f"/deals/{deal['deal_id']}", **REP)
    _, preview = desk.rest("POST", "/guardrails/preview", quote, **REP)
    _, page = desk.rest("GET", "/deals", query={"limit": "200"}, **REP)
    _, timeline = desk.rest("GET", f"/deals/{deal['deal_id']}/timeline", **REP)

    assert (status, loaded) == (201, deal)
    assert preview["decision"] == deal["decision"]
    assert timeline["complete"]
    shown = next(row for row in page["deals"] if row["deal_id"] == deal["deal_id"])
    assert shown["total_minor"] == 10**13


def test_a_deal_beyond_the_tables_item_is_refused_and_writes_nothing(desk: World) -> None:
    lines = [a_line(number, id=f"{number:064d}", sku="𝔸" * 128) for number in range(500)]

    problem = refused(desk, "POST", "/deals", a_quote(lines=lines, contact=None))

    assert problem["status"] == 413
    assert "409,600" in problem["detail"]
    assert "/lines" in pointers(problem)


@pytest.mark.parametrize("count", range(110, 240, 20))
def test_a_deal_that_is_taken_has_room_for_its_invoice(desk: World, count: int) -> None:
    """Money that has arrived must be recorded together with the draft, however long the quote is."""
    lines = tuple(a_domain_line(f"{number:064d}", unit="999999999.99", sku="𝔸" * 128) for number in range(count))
    deals, deal_id = desk.port("receive_stripe", "deals"), f"long-{count}"
    signed = a_story(Stage.APPROVED, deal_id, lines=lines)
    cause = Cause("story", deal_id)
    try:
        deal = deals.save(Deal(DealId(deal_id)), signed.events, cause=cause, actor=OWNER, now=NOW)
    except TooLarge:
        assert count > 120
        return

    rest: Story = a_story(Stage.AWAITING_PAYMENT, deal_id, lines=lines)
    deal = deals.save(deal, rest.events[deal.version :], cause=Cause("rest", deal_id), actor=OWNER, now=NOW)
    deals.save(deal, paid(deal), cause=Cause("stripe", f"evt-{deal_id}"), actor="vendor:stripe", now=NOW)

    assert count < 220
    assert happened(desk, deal_id)[-1] == "invoice.staged"
