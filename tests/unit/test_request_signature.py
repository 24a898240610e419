"""A contract whose request may still be at work at who signs: nobody sends another, and nothing expires, before."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import Stage
from dealdesk.errors import LeaseHeld
from dealdesk.ports import EnvelopeState, Person
from dealdesk.usecases import request_signature as usecase
from dealdesk.usecases.carry_out import LEASE
from tests.unit.domain.deals import NOW, a_deal
from tests.unit.test_carry_out import OneDeal

SIGNER = Person("contact-1", "Zoë O'Neil", "zoe@express.example")


class Killed(BaseException):
    """The worker is gone in the middle of its call."""


class Vendor:
    """Its first caller is killed; what that one asked for appears later, if at all."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, _key: str, _deal: Deal, _signer: Person) -> str:
        self.sent += 1
        if self.sent == 1:
            raise Killed
        return "env-2"

    def look_up(self, _key: str, _opened_at: datetime) -> EnvelopeState | None:
        return None


@pytest.fixture
def deals(monkeypatch: pytest.MonkeyPatch) -> OneDeal:
    monkeypatch.setattr(usecase, "follow_policy", lambda _deals, _policies, deal, *_, **__: deal)
    return OneDeal(a_deal(Stage.APPROVED, contact_id="contact-1"))


def requested(deals: Any, vendor: Any, now: datetime) -> list[str]:
    people: Any = SimpleNamespace(find=lambda _: SIGNER)
    approvers: Any = SimpleNamespace(directory=lambda: None)
    return usecase.request_signature(deals, people, lambda _: vendor, None, approvers, "d-1", lambda: now)  # type: ignore[arg-type]


def test_after_a_worker_is_gone_nobody_sends_before_its_request_must_have_landed(deals: OneDeal) -> None:
    vendor = Vendor()
    with pytest.raises(Killed):
        requested(deals, vendor, NOW)

    with pytest.raises(LeaseHeld):
        requested(deals, vendor, NOW + LEASE + timedelta(seconds=59))
    requested(deals, vendor, NOW + LEASE + timedelta(seconds=60))

    assert vendor.sent == 2
    assert deals.deal.stage is Stage.OUT_FOR_SIGNATURE


def test_an_approval_does_not_end_while_its_contract_may_be_on_the_way(deals: OneDeal) -> None:
    vendor = Vendor()
    assert deals.deal.certificate is not None
    last = deals.deal.certificate.expires_at
    with pytest.raises(Killed):
        requested(deals, vendor, last)

    with pytest.raises(LeaseHeld):
        requested(deals, vendor, last + timedelta(seconds=1))
    requested(deals, vendor, last + LEASE + timedelta(seconds=60))

    assert vendor.sent == 1
    assert deals.deal.stage is Stage.EXPIRED
