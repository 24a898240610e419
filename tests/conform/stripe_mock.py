"""Stripe's own stripe-mock, which knows a newer API than the file: the recorded requests, and the adapter itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import urllib3

from dealdesk.adapters.stripe import StripePayments
from dealdesk.domain import payments
from dealdesk.domain.fold import fold
from dealdesk.domain.stages import Stage
from dealdesk.errors import Refusal
from tests.conform.findings import ask
from tests.conform.recorder import Sent
from tests.unit.domain.deals import a_deal

KEY = "sk_test_desk"
# It keeps nothing: every session that it shows is one of its examples, which the adapter has to refuse as not ours.
NOT_OURS = "is none of the desk's"


def replayed(url: str, requests: Sequence[Sent]) -> Iterator[str]:
    http = urllib3.PoolManager()
    for sent in requests:
        if sent.vendor != "stripe":
            continue
        answer = ask(http, url, sent, "", Authorization=f"Bearer {KEY}")
        if answer.status != 200:
            said = json.loads(answer.data)["error"]["message"]
            yield f"stripe-mock refuses {sent.method} {sent.path}: {answer.status} {said}"


def driven(url: str) -> Iterator[str]:
    """Every operation of the adapter, with the answers of stripe-mock read by it."""
    now = datetime.now(UTC)
    deal = a_deal(Stage.SIGNED)
    deal = fold(deal, payments.ask(deal, now), now)
    assert deal.payment is not None
    payment, port = deal.payment, StripePayments(KEY, url, return_url="https://desk.test")
    operations: dict[str, tuple[Callable[[], object], str]] = {
        "create_link": (lambda: port.create_link(payment.key, payment.id, deal, payment.amount, now), ""),
        "look_up": (lambda: port.look_up(payment.key, payment.id, now), ""),
        "refund": (lambda: port.refund("refund:d-1:1", "pi_1", payment.amount, deal.id), ""),
        "look_up_refund": (lambda: port.look_up_refund("refund:d-1:1", "pi_1"), ""),
        "refunds_of": (lambda: port.refunds_of("pi_1"), ""),
        "disputes_of": (lambda: port.disputes_of("pi_1"), ""),
        "state": (lambda: port.state("cs_test_1"), NOT_OURS),
        "cancel": (lambda: port.cancel("cs_test_1", "cancel:d-1:1"), NOT_OURS),
        "capture": (lambda: port.capture("cs_test_1", "capture:d-1:1"), NOT_OURS),
    }
    yield from (f"no run of stripe's {name} against stripe-mock" for name in _public(port) - operations.keys())
    for name, (operate, expected) in operations.items():
        if (said := _said(operate)) != expected and not (expected and expected in said):
            yield f"stripe's {name} against stripe-mock: {said or 'took an example of stripe-mock for ours'}"


def _said(operate: Callable[[], object]) -> str:
    try:
        operate()
    except Refusal as refusal:
        return str(refusal)
    return ""


def _public(port: StripePayments) -> set[str]:
    return {name for name in vars(type(port)) if not name.startswith("_")}
