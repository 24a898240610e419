"""What every implementation of the Crm port must hold: Salesforce, HubSpot, and the fake of other tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dealdesk.adapters import hubspot_calls, salesforce
from dealdesk.domain.fingerprint import canonical_json
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.quote import Billing, ChargeType, Customer, Line, Quote, Risk
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.policies import TEMPLATES, load_template, shipped_rates
from dealdesk.ports import SubmittedQuote
from local.twins.server import RunningTwin, Twin, serve
from tests.contract.crm_benches import Bench, FakeBench, HubspotBench, SalesforceBench, signer
from tests.fakes.crm import Trouble

TROUBLES = [trouble for trouble in Trouble if trouble is not Trouble.LOST_ANSWER]
UPDATED_AT = datetime(2026, 11, 22, 20, 0, 1, 250_000, tzinfo=UTC)


def a_line(number: str, sku: str, quantity: str, listed: str, net: str, cost: str, *, once: bool = False) -> Line:
    charge, periods = (ChargeType.ONE_TIME, 1) if once else (ChargeType.RECURRING, 12)
    prices = (Decimal(listed), Decimal(net), Decimal(cost))
    return Line(f"00k7F000001lin{number}QAQ", sku, charge, Decimal(quantity), periods, *prices)


QUOTE = Quote(
    name="Harbor Logistics platform",
    owner_id="person",
    customer=Customer("0017F00000acme2QAA", "Harbor Logistics GmbH", "DE"),
    currency="USD",
    risk=Risk.LOW,
    payment_terms_days=40,
    billing=Billing.ANNUAL,
    term_months=12,
    lines=(
        a_line("C", "CORE-01", "40", "100", "75", "20"),
        a_line("D", "ONBOARD-01", "1", "8000", "6000", "3000", once=True),
    ),
    contact_id="contact",
    segment="enterprise",
    region="EMEA",
    new_logo=True,
    valid_until=date(2036, 12, 31),
)


@pytest.fixture(scope="module")
def signing_key() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
def listening() -> Iterator[Callable[[Twin], RunningTwin]]:
    with ExitStack() as stack:
        yield lambda twin: stack.enter_context(closing(serve(twin)))


@pytest.fixture(params=["salesforce", "hubspot", "fake"])
def bench(
    request: pytest.FixtureRequest,
    listening: Callable[[Twin], RunningTwin],
    signing_key: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    for adapter in (salesforce, hubspot_calls):
        monkeypatch.setattr(adapter, "TIMEOUT_SECONDS", (3.05, 0.4))
    made: dict[str, Callable[[], Bench]] = {
        "salesforce": lambda: SalesforceBench(listening, signing_key),
        "hubspot": lambda: HubspotBench(listening),
        "fake": lambda: FakeBench(
            {
                number: SubmittedQuote(
                    replace(QUOTE, owner_id="rep", contact_id=f"contact-{number}"),
                    signer(int(number), f"contact-{number}"),
                    None,
                    "rep",
                )
                for number in FakeBench.records
            }
        ),
    }
    return made[request.param]()


def fields(bench: Bench, record_id: str, **changed: object) -> dict[str, object]:
    """What the use case hands over to be shown."""
    empty = ("envelope_id", "payment_status", "payment_link", "invoice_status", "invoice_number")
    shown: dict[str, object] = {
        "record_id": record_id,
        "stage": "pending_approval",
        "version": 4,
        "outcome": "needs_approval",
        "reasons": "20% is over the ceiling of 15%\nnet 40 is over net 30",
        "what_would_pass": "",
        "waiting_for": "Finance review",
        "fingerprint": "f" * 64,
        "updated_at": UPDATED_AT,
        **dict.fromkeys(empty),
    }
    return shown | changed


def approval(bench: Bench, record_id: str, step: str = "finance", status: str = "Pending") -> dict[str, object]:
    key = f"{bench.deal_id(record_id)}:1:{step}"
    return {
        "key": key,
        "step": step,
        "label": f"{step} review",
        "fingerprint": "f" * 64,
        "status": status,
        "summary": "Harbor Logistics platform: USD 42,000.00",
    }


def asked(bench: Bench, record_id: str, *steps: str) -> list[str]:
    """Shows the approvals of these steps and gives their keys."""
    approvals = [approval(bench, record_id, step) for step in steps]
    bench.port.mirror(bench.deal_id(record_id), fields(bench, record_id), approvals)
    return [str(one["key"]) for one in approvals]


def test_a_quote_is_read_with_its_terms_lines_and_signer(bench: Bench) -> None:
    read = bench.port.read_quote(bench.records[1])

    expected = replace(QUOTE, owner_id=bench.person("rep"), contact_id=bench.contact(2))
    assert read.quote == expected
    assert [str(line.net_unit_price) for line in read.quote.lines] == ["75", "6000"]
    assert read.contact is not None
    assert (read.contact.id, read.contact.name, read.contact.email) == (
        bench.contact(2),
        "Hans Hafen",
        "hans.hafen@customer.example",
    )


def test_a_quote_tells_when_it_was_submitted(bench: Bench) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert bench.port.read_quote(bench.records[0]).submitted_at is None

    bench.submit(bench.records[0])

    submitted_at = bench.port.read_quote(bench.records[0]).submitted_at
    assert submitted_at is not None
    assert before <= submitted_at <= datetime.now(UTC)


def test_the_last_editor_of_the_terms_is_named(bench: Bench) -> None:
    bench.submit(bench.records[0])
    bench.rename(bench.records[0], "Northwind Robotics, renewed", "finance")

    read = bench.port.read_quote(bench.records[0])

    assert read.quote.name == "Northwind Robotics, renewed"
    assert read.last_editor == bench.person("finance")


def test_what_the_desk_shows_makes_nobody_an_editor(bench: Bench) -> None:
    bench.submit(bench.records[0])
    asked(bench, bench.records[0], "finance")

    assert bench.port.read_quote(bench.records[0]).last_editor == bench.person("rep")


def test_a_record_that_is_gone_is_refused(bench: Bench) -> None:
    with pytest.raises(VendorRefused):
        bench.port.read_quote(bench.gone)


def test_a_record_that_is_no_valid_quote_is_refused(bench: Bench) -> None:
    record_id = bench.strip()

    with pytest.raises(VendorRefused):
        bench.port.read_quote(record_id)


def test_there_is_no_answer_before_somebody_decides(bench: Bench) -> None:
    [key] = asked(bench, bench.records[1], "finance")

    assert bench.port.read_answer(key) is None
    assert bench.port.read_answer("nothing:1:finance") is None
    assert bench.port.answers_of(bench.deal_id(bench.records[1])) == []


@pytest.mark.parametrize("approve", [True, False])
def test_an_answer_carries_the_person_with_the_groups_that_they_are_in(bench: Bench, approve: bool) -> None:
    [key] = asked(bench, bench.records[1], "finance")

    bench.decide(key, approve, "finance", "fine, for once")

    answer = bench.port.read_answer(key)
    assert answer is not None
    assert (answer.key, answer.deal_id, answer.step) == (key, bench.deal_id(bench.records[1]), "finance")
    assert (answer.approve, answer.fingerprint, answer.comment) == (approve, "f" * 64, "fine, for once")
    assert (answer.by, answer.groups) == (bench.person("finance"), frozenset({"grp-finance"}))


def test_a_yes_with_conditions_carries_them_as_they_were_typed(bench: Bench) -> None:
    [key] = asked(bench, bench.records[1], "finance")
    bench.decide(key, True, "finance", conditions="discount_pct max 22\nbilling same annual")

    answer = bench.port.read_answer(key)

    assert answer is not None
    assert (answer.approve, answer.conditional) == (True, True)
    assert answer.conditions.splitlines() == ["discount_pct max 22", "billing same annual"]


def test_a_plain_yes_and_a_no_are_not_conditional(bench: Bench) -> None:
    [key] = asked(bench, bench.records[1], "finance")
    for approve in (True, False):
        bench.decide(key, approve, "finance")

        answer = bench.port.read_answer(key)

        assert answer is not None
        assert (answer.approve, answer.conditional, answer.conditions) == (approve, False, "")


def test_whoever_is_in_no_group_answers_without_one(bench: Bench) -> None:
    [key] = asked(bench, bench.records[1], "finance")

    bench.decide(key, True, "rep")

    answer = bench.port.read_answer(key)
    assert answer is not None
    assert (answer.by, answer.groups) == (bench.person("rep"), frozenset())


def test_a_changed_mind_is_read_as_it_is_now(bench: Bench) -> None:
    [key] = asked(bench, bench.records[1], "finance")
    bench.decide(key, True, "finance")

    bench.decide(key, False, "executive", "not at this price")

    answer = bench.port.read_answer(key)
    assert answer is not None
    assert (answer.approve, answer.by) == (False, bench.person("executive"))


def test_the_answers_of_a_deal_are_its_own_and_only_the_decided_ones(bench: Bench) -> None:
    finance, executive, _ = asked(bench, bench.records[1], "finance", "executive", "legal")
    [other] = asked(bench, bench.records[2], "finance")
    for key, role in ((finance, "finance"), (executive, "executive"), (other, "finance")):
        bench.decide(key, True, role)

    answers = bench.port.answers_of(bench.deal_id(bench.records[1]))

    assert {answer.key for answer in answers} == {finance, executive}
    assert bench.port.answers_of(bench.deal_id(bench.gone)) == []


def test_what_was_submitted_since_is_found_and_nothing_older(bench: Bench) -> None:
    started = datetime.now(UTC) - timedelta(seconds=2)
    for record_id in bench.records[:2]:
        bench.submit(record_id)

    found = dict(bench.port.submitted_since(started))

    assert set(found) == set(bench.records[:2])
    assert all(moment >= started for moment in found.values())
    assert bench.port.submitted_since(datetime.now(UTC) + timedelta(minutes=1)) == []


def test_a_deal_is_shown_as_it_stands(bench: Bench) -> None:
    record_id = bench.records[1]
    link = "https://pay.example/c/1"

    asked(bench, record_id, "finance")
    bench.port.mirror(bench.deal_id(record_id), fields(bench, record_id, version=5, payment_link=link), [])
    bench.port.mirror(bench.deal_id(record_id), fields(bench, record_id, version=6, waiting_for=""), [])

    assert bench.shown(bench.deal_id(record_id)) == {
        "stage": "pending_approval",
        "version": 6,
        "outcome": "needs_approval",
        "reasons": "20% is over the ceiling of 15%\nnet 40 is over net 30",
        "waiting_for": None,
        "payment_link": None,
    }


def test_an_approval_is_shown_once_however_often_it_is_mirrored(bench: Bench) -> None:
    record_id = bench.records[1]
    [key] = asked(bench, record_id, "finance")
    asked(bench, record_id, "finance")

    granted = approval(bench, record_id, status="Approved")
    bench.port.mirror(bench.deal_id(record_id), fields(bench, record_id), [granted])

    assert bench.shown_approvals() == [(key, "Approved")]


def test_mirroring_again_leaves_the_decision_alone(bench: Bench) -> None:
    [key] = asked(bench, bench.records[1], "finance")
    bench.decide(key, True, "finance")

    asked(bench, bench.records[1], "finance")

    answer = bench.port.read_answer(key)
    assert answer is not None
    assert answer.by == bench.person("finance")


def test_a_mirror_whose_answer_was_lost_is_tried_again_and_shows_everything_once(bench: Bench) -> None:
    record_id = bench.records[1]
    bench.suffer(Trouble.LOST_ANSWER, on_write=True)

    with pytest.raises(VendorUnavailable):
        asked(bench, record_id, "finance")
    [key] = asked(bench, record_id, "finance")
    bench.decide(key, True, "finance")

    assert bench.shown_approvals() == [(key, "Pending")]
    assert [answer.key for answer in bench.port.answers_of(bench.deal_id(record_id))] == [key]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_crm_in_trouble_is_unavailable_and_answers_later(bench: Bench, trouble: Trouble) -> None:
    bench.port.read_quote(bench.records[0])
    bench.suffer(trouble)

    with pytest.raises(VendorUnavailable):
        bench.port.read_quote(bench.records[0])

    assert bench.port.read_quote(bench.records[0]).quote.lines


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_write_in_trouble_is_unavailable_and_done_later(bench: Bench, trouble: Trouble) -> None:
    bench.suffer(trouble, on_write=True)

    with pytest.raises(VendorUnavailable):
        asked(bench, bench.records[1], "finance")

    [key] = asked(bench, bench.records[1], "finance")
    assert bench.shown_approvals() == [(key, "Pending")]


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_same_quote_gets_the_same_decision_byte_for_byte_in_both_crms(
    listening: Callable[[Twin], RunningTwin], signing_key: tuple[str, str], template: str, number: int
) -> None:
    benches: list[Bench] = [SalesforceBench(listening, signing_key), HubspotBench(listening)]
    policy, rates = load_template(template), shipped_rates()

    quotes = [bench.port.read_quote(bench.records[number]).quote for bench in benches]

    decisions = [canonical_json(to_json(evaluate(quote, policy, rates))).encode() for quote in quotes]
    assert quotes[0].owner_id != quotes[1].owner_id
    assert decisions[0] == decisions[1]
    assert json.loads(decisions[0])["fingerprint"]
