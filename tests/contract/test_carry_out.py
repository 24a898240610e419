"""An outside effect exactly once, and once more when it is asked for once more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain import events as e
from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.stages import Effect
from dealdesk.edge import aws
from dealdesk.ports import Cause
from dealdesk.usecases.carry_out import Work, carry_out
from dealdesk.usecases.change import change

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
VOID = e.EnvelopeVoidRequested("void:envelope:d-1:r1:1", "env-1", "the terms changed")


@pytest.fixture
def deals(table_name: str, monkeypatch: pytest.MonkeyPatch) -> DynamoDeals:
    monkeypatch.setattr(aws, "clients", {})
    return DynamoDeals(table_name, 1200)


def test_a_withdrawal_that_is_asked_for_again_after_it_was_done_is_carried_out_again(deals: DynamoDeals) -> None:
    done: list[str] = []

    def void(_: Deal, intent: Intent, __: datetime) -> object:
        done.append(intent.key)
        return "voided"

    work: Work[object] = Work(
        actor="system:test",
        gate=lambda *_: None,
        look_up=lambda *_: None,
        call=void,
        record=lambda *_: [e.EnvelopeVoided("env-1", "the terms changed", expired=False)],
    )

    for hours in (0, 1):
        now = NOW + timedelta(hours=hours)
        asked = Cause("test", f"ask-{hours}")
        change(deals, "d-1", lambda _: [VOID], cause=asked, actor="a", now=now, or_new=True)
        carry_out(deals, "d-1", {Effect.VOID_ENVELOPE: work}, partial(datetime.fromisoformat, now.isoformat()))

    assert done == [VOID.key, VOID.key]
    assert deals.load("d-1").intents == ()
