"""An outside effect after doubt: it is looked up before it is done again, and not before that can show anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from dealdesk.domain.deal import Deal, Intent
from dealdesk.domain.events import Event
from dealdesk.domain.fold import fold
from dealdesk.domain.signature import sent
from dealdesk.domain.stages import Effect, Stage
from dealdesk.errors import AlreadyHandled, LeaseHeld, VendorRefused, VendorUnavailable
from dealdesk.ports import Cause
from dealdesk.usecases.carry_out import Work, carry_out
from tests.unit.domain.deals import NOW, a_deal


class OneDeal:
    """The deals port for a single deal, in memory."""

    def __init__(self, deal: Deal) -> None:
        self.deal, self.causes = deal, set[str]()

    def load(self, deal_id: str, cause: Cause | None = None, **_: Any) -> Deal:
        if cause and str(cause) in self.causes:
            raise AlreadyHandled(deal_id, self.deal.version)
        return self.deal

    def save(self, deal: Deal, events: list[Event], *, cause: Cause, actor: str, now: datetime) -> Deal:
        self.causes.add(str(cause))
        self.deal = fold(deal, events, now)
        return self.deal


class Vendor:
    """Takes the first call and loses its answer."""

    def __init__(self, retry_after_seconds: int | None) -> None:
        self.calls, self.looks, self._after = 0, 0, retry_after_seconds

    def look_up(self, _deal: Deal, _intent: Intent) -> str | None:
        self.looks += 1
        return "env-1" if self.calls else None

    def call(self, _deal: Deal, _intent: Intent, _now: datetime) -> str:
        self.calls += 1
        raise VendorUnavailable("no answer", retry_after_seconds=self._after)


def carried_out(deals: OneDeal, vendor: Vendor, clock: Callable[[], datetime]) -> None:
    work: Work[Any] = Work(
        actor="system:test",
        gate=lambda *_: None,
        look_up=vendor.look_up,
        call=vendor.call,
        record=lambda deal, intent, envelope_id, now: sent(deal, intent.key, envelope_id, now),
    )
    carry_out(deals, "d-1", {Effect.SEND_ENVELOPE: work}, clock)  # type: ignore[arg-type]


def doubted(retry_after_seconds: int | None) -> tuple[OneDeal, Vendor]:
    deals, vendor = OneDeal(a_deal(Stage.APPROVED)), Vendor(retry_after_seconds)
    with pytest.raises(VendorUnavailable):
        carried_out(deals, vendor, lambda: NOW)
    return deals, vendor


def test_after_doubt_the_next_attempt_looks_up_and_finds_what_was_made() -> None:
    deals, vendor = doubted(None)

    carried_out(deals, vendor, lambda: NOW)

    assert (vendor.calls, vendor.looks) == (1, 1)
    assert deals.deal.stage is Stage.OUT_FOR_SIGNATURE


def test_nobody_looks_before_the_vendor_shows_what_it_has_made() -> None:
    deals, vendor = doubted(60)

    with pytest.raises(LeaseHeld):
        carried_out(deals, vendor, lambda: NOW + timedelta(seconds=59))
    assert (vendor.calls, vendor.looks) == (1, 0)

    carried_out(deals, vendor, lambda: NOW + timedelta(seconds=60))
    assert (vendor.calls, vendor.looks) == (1, 1)


class SlowVendor(Vendor):
    """Is still at work on the first call while the second attempt looks, and refuses the second as a repetition."""

    def __init__(self, *, lands: bool) -> None:
        super().__init__(None)
        self._lands, self.landed = lands, False

    def look_up(self, _deal: Deal, _intent: Intent) -> str | None:
        self.looks += 1
        return "env-1" if self.landed else None

    def call(self, deal: Deal, intent: Intent, now: datetime) -> str:
        if self.calls:
            self.calls, self.landed = self.calls + 1, self._lands
            raise VendorRefused("there is one with this number")
        return super().call(deal, intent, now)


@pytest.mark.parametrize("lands", [True, False])
def test_a_refusal_after_doubt_is_believed_only_when_a_second_look_finds_nothing(*, lands: bool) -> None:
    deals, vendor = OneDeal(a_deal(Stage.APPROVED)), SlowVendor(lands=lands)
    with pytest.raises(VendorUnavailable):
        carried_out(deals, vendor, lambda: NOW)

    carried_out(deals, vendor, lambda: NOW)

    assert (vendor.calls, vendor.looks) == (2, 2)
    assert deals.deal.stage is (Stage.OUT_FOR_SIGNATURE if lands else Stage.APPROVED)
    assert any(intent.failed for intent in deals.deal.intents) is not lands


def test_a_refusal_of_the_first_attempt_is_believed_at_once() -> None:
    deals, vendor = OneDeal(a_deal(Stage.APPROVED)), SlowVendor(lands=True)
    vendor.calls = 1

    carried_out(deals, vendor, lambda: NOW)

    assert vendor.looks == 0
    assert deals.deal.intents[0].failed == "there is one with this number"
