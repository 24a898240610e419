"""The desk and the vendors of a deal are compared by reading alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from dealdesk.edge import aws
from functions.post_invoice import app as post_invoice
from functions.request_payment import app as request_payment
from functions.request_signature import app as request_signature
from local.people import PATHS, People
from local.people import Path as Vendors
from tests.journeys.people import people_of
from tests.journeys.world import World
from tests.operate.conftest import Operate, rows
from tests.table import TABLE

FOLDERS = {
    "RequestSignature": "request_signature",
    "RequestPayment": "request_payment",
    "PostInvoice": "post_invoice",
}
PARTS = ("envelope", "payment", "invoice")
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def compare(world: World, in_the_world: Operate, capsys: Captured) -> Iterator[Any]:
    """Compares a deal in the world; the exit code, and a verdict for each thing."""

    def configuration(FunctionName: str) -> dict[str, Any]:
        function = world._resource_of(FOLDERS[FunctionName])
        return {"Environment": {"Variables": world._environment_of(function)}}

    aws.clients["lambda"] = SimpleNamespace(get_function_configuration=configuration)
    for app in (post_invoice, request_payment, request_signature):
        app.config.cache_clear()

    def run(deal_id: str) -> tuple[int, dict[str, str]]:
        code = in_the_world("compare", deal_id)
        shown = capsys.readouterr()
        lines = [line.split() for line in shown.out.splitlines()]
        return code, {words[1]: words[0] for words in lines if words[0] in ("same", "DIFFERS", "UNKNOWN")}

    with patch.dict(os.environ):
        yield run


def run_until(world: World, path: Vendors, stage: str) -> People:
    """The first deal goes on until it is there; webhooks are delivered."""
    people = people_of(world, path)
    people.name_providers()
    world.take_mail()
    people.submit()
    for _ in range(24):
        for letter in world.take_mail():
            world.post(letter)
        world.settle()
        if world.deal(path.deals[0])["stage"] == stage:
            return people
        people.everybody_acts()
    raise AssertionError(f"the deal never is {stage}")


@pytest.mark.parametrize("name", PATHS)
def test_a_deal_that_was_closed_is_the_same_at_every_vendor(world: World, compare: Any, name: str) -> None:
    run_until(world, PATHS[name], "closed")

    code, verdicts = compare(PATHS[name].deals[0])

    assert tuple(verdicts) == PARTS
    assert set(verdicts.values()) == {"same"}
    assert code == 0


@pytest.mark.parametrize("name", ["standard", "hubspot"])
def test_a_contract_whose_signing_nobody_told_differs(world: World, compare: Any, name: str) -> None:
    path = PATHS[name]
    people = run_until(world, path, "out_for_signature")

    before = compare(path.deals[0])
    people.sign()
    after = compare(path.deals[0])

    assert before == (0, {"envelope": "same"})
    assert after == (1, {"envelope": "DIFFERS"})


def test_money_that_nobody_told_of_differs(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    people = run_until(world, path, "awaiting_payment")

    before = compare(path.deals[0])
    people.pay()
    after = compare(path.deals[0])

    assert before == (0, {"envelope": "same", "payment": "same"})
    assert after == (1, {"envelope": "same", "payment": "DIFFERS"})


def test_an_invoice_that_is_no_longer_in_the_ledger_differs(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    run_until(world, path, "closed")
    world.twins["quickbooks"].books.tables["Invoice"].clear()  # type: ignore[attr-defined]

    code, verdicts = compare(path.deals[0])

    assert verdicts == {"envelope": "same", "payment": "same", "invoice": "DIFFERS"}
    assert code == 1


def test_a_vendor_that_does_not_answer_leaves_its_part_unknown(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    run_until(world, path, "closed")
    world.fail("stripe", match="GET /v1/checkout/sessions", kind="status", status=503)

    code, verdicts = compare(path.deals[0])

    assert verdicts == {"envelope": "same", "payment": "UNKNOWN", "invoice": "same"}
    assert code == 2


def test_comparing_changes_nothing_and_takes_no_look_at_an_envelope(world: World, compare: Any) -> None:
    path = PATHS["standard"]
    run_until(world, path, "out_for_signature")
    before, known = rows(TABLE), len(world.twins["docusign"].requests)

    for _ in range(3):
        assert compare(path.deals[0])[0] == 0

    since = world.twins["docusign"].requests[known:]
    assert rows(TABLE) == before
    assert world.twins["docusign"].state()["polls_too_often"] == 0
    assert [asked.path for asked in since if "/envelopes/" in asked.path] == []
    assert [asked.path for asked in since if "/envelopes?" in asked.path]


def test_a_deal_without_anything_at_a_vendor_is_said_to_be_so(
    world: World, in_the_world: Operate, compare: Any, capsys: Captured
) -> None:
    path = PATHS["standard"]
    run_until(world, path, "closed")
    capsys.readouterr()

    code = in_the_world("compare", path.deals[2])

    assert code == 0
    assert capsys.readouterr().out == f"{path.deals[2]} has nothing at a vendor yet\n"
