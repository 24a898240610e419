"""What every implementation of the Signatures port must hold: DocuSign, Dropbox Sign, and the fake of other tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import Person
from local.twins.server import Refused, RunningTwin, Twin
from tests.contract.signature_benches import Bench, DocusignBench, DropboxSignBench, FakeBench
from tests.fakes.signatures import RETRY_AFTER_SECONDS, Trouble
from tests.unit.domain.deals import a_deal

SIGNER = Person("contact-1", "Zoë O'Neil", "zoe@express.example")
KEY = "envelope:d-1:r1:1"
OUT = (EnvelopeStatus.SENT, EnvelopeStatus.VOIDED)


@pytest.fixture(params=["docusign", "dropbox_sign", "fake"])
def bench(
    request: pytest.FixtureRequest, running: Callable[[Twin], RunningTwin], key_pair: tuple[str, str]
) -> Iterator[Bench]:
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        made: dict[str, Callable[[], Bench]] = {
            "docusign": lambda: DocusignBench(clock, running, key_pair),
            "dropbox_sign": lambda: DropboxSignBench(clock, running),
            "fake": lambda: FakeBench(clock),
        }
        yield made[request.param]()


@pytest.fixture
def deal() -> Deal:
    return a_deal(Stage.APPROVED)


@pytest.fixture
def opened_at(bench: Bench) -> datetime:
    return datetime.now(UTC)


def test_what_is_sent_is_out_and_carries_the_key_of_its_intent(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    state = bench.port.status(envelope_id)

    assert (state.envelope_id, state.status, state.key, state.reason) == (envelope_id, EnvelopeStatus.SENT, KEY, "")
    assert state.changed_at.utcoffset() == timedelta(0)


def test_what_was_sent_is_found_by_its_key_and_by_no_other(bench: Bench, deal: Deal, opened_at: datetime) -> None:
    for number in (1, 2, 3):
        bench.port.send(f"envelope:d-{number}:r1:1", deal, SIGNER)

    found = bench.port.look_up("envelope:d-2:r1:1", opened_at)

    assert found is not None
    assert (found.key, found.status) == ("envelope:d-2:r1:1", EnvelopeStatus.SENT)
    assert bench.port.look_up("envelope:d-2:r1:2", opened_at) is None
    assert bench.port.look_up("envelope:d-4:r1:1", opened_at) is None


def test_a_key_protects_nothing_at_the_vendor_so_the_same_send_twice_is_two_contracts(bench: Bench, deal: Deal) -> None:
    other = replace(deal, revision=2)

    first, second, third = (bench.port.send(KEY, sent, SIGNER) for sent in (deal, deal, other))

    assert len({first, second, third}) == bench.sent() == 3


@pytest.mark.parametrize("trouble", [Trouble.LOST_ANSWER, Trouble.UNREADABLE])
def test_a_send_whose_answer_is_lost_is_in_doubt_and_found_by_another_worker(
    bench: Bench, deal: Deal, opened_at: datetime, trouble: Trouble
) -> None:
    bench.trouble(trouble)

    with pytest.raises(VendorUnavailable):
        bench.port.send(KEY, deal, SIGNER)
    bench.later(minutes=2)
    found = bench.another_worker().look_up(KEY, opened_at)

    assert found is not None
    assert (found.key, bench.sent()) == (KEY, 1)


def test_a_worker_that_dies_after_sending_leaves_a_contract_that_is_found(
    bench: Bench, deal: Deal, opened_at: datetime
) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    found = bench.another_worker().look_up(KEY, opened_at)

    assert found is not None
    assert found.envelope_id == envelope_id


def test_a_contract_that_was_signed_before_the_look_up_is_found_signed(
    bench: Bench, deal: Deal, opened_at: datetime
) -> None:
    bench.sign(bench.port.send(KEY, deal, SIGNER))

    found = bench.another_worker().look_up(KEY, opened_at)

    assert found is not None
    assert found.status is EnvelopeStatus.COMPLETED


@pytest.mark.parametrize("trouble", [Trouble.FAILED, Trouble.SLOW_DOWN])
def test_a_send_that_was_turned_away_sent_nothing_and_can_be_tried_again(
    bench: Bench, deal: Deal, opened_at: datetime, trouble: Trouble
) -> None:
    bench.trouble(trouble)

    with pytest.raises(VendorUnavailable):
        bench.port.send(KEY, deal, SIGNER)

    assert bench.port.look_up(KEY, opened_at) is None
    bench.port.send(KEY, deal, SIGNER)
    assert bench.sent() == 1


def test_a_vendor_that_asks_for_time_is_given_it(bench: Bench, deal: Deal) -> None:
    bench.trouble(Trouble.SLOW_DOWN)

    with pytest.raises(VendorUnavailable) as busy:
        bench.port.send(KEY, deal, SIGNER)

    assert busy.value.retry_after_seconds == RETRY_AFTER_SECONDS


def test_a_vendor_that_does_not_answer_in_time_is_unavailable(bench: Bench, deal: Deal) -> None:
    bench.port.send(KEY, deal, SIGNER)
    bench.trouble(Trouble.TIMEOUT)

    with getattr(bench, "impatient", ExitStack)(), pytest.raises(VendorUnavailable):
        bench.port.send(KEY, deal, SIGNER)

    assert bench.sent() == 1


@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_look_up_without_a_clear_answer_is_no_proof_that_nothing_was_sent(
    bench: Bench, deal: Deal, opened_at: datetime, trouble: Trouble
) -> None:
    bench.port.send(KEY, deal, SIGNER)
    bench.trouble(trouble)

    with getattr(bench, "impatient", ExitStack)(), pytest.raises(VendorUnavailable):
        bench.port.look_up(KEY, opened_at)


@pytest.mark.parametrize("trouble", [Trouble.LOST_ANSWER, Trouble.UNREADABLE, Trouble.FAILED])
def test_a_status_without_a_clear_answer_is_no_status(bench: Bench, deal: Deal, trouble: Trouble) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.trouble(trouble)

    with pytest.raises(VendorUnavailable):
        bench.port.status(envelope_id)


def test_a_signed_contract_is_completed_at_the_time_of_the_signature(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.later(hours=3)
    before = datetime.now(UTC).replace(microsecond=0)

    bench.sign(envelope_id)
    after = datetime.now(UTC)
    bench.later(hours=1)

    state = bench.port.status(envelope_id)
    assert (state.status, state.key) == (EnvelopeStatus.COMPLETED, KEY)
    assert before <= state.changed_at <= after


def test_a_declined_contract_tells_the_reason(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    bench.decline(envelope_id, "too expensive")

    state = bench.port.status(envelope_id)
    assert (state.status, state.key, state.reason) == (EnvelopeStatus.DECLINED, KEY, "too expensive")


def test_an_expired_contract_is_void_and_says_that_it_expired(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    bench.expire(envelope_id)

    state = bench.port.status(envelope_id)
    assert state.status is EnvelopeStatus.VOIDED
    assert "expired" in state.reason.lower()


def test_a_contract_is_said_to_be_void_only_when_the_vendor_says_so(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    bench.port.void(envelope_id, "the terms changed")
    at_once = bench.port.status(envelope_id)
    bench.finish_void(envelope_id)
    bench.later(minutes=16)

    assert at_once.status in OUT
    assert bench.port.status(envelope_id).status is EnvelopeStatus.VOIDED


def test_a_customer_may_sign_until_the_void_is_done_and_not_after(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.port.void(envelope_id, "the terms changed")
    void_at_once = bench.port.status(envelope_id).status is EnvelopeStatus.VOIDED

    with suppress(Refused):
        bench.sign(envelope_id)
    bench.later(minutes=16)

    ended = bench.another_worker().status(envelope_id).status
    assert ended is (EnvelopeStatus.VOIDED if void_at_once else EnvelopeStatus.COMPLETED)


def test_a_void_that_is_asked_twice_is_one_void(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    bench.port.void(envelope_id, "the terms changed")
    bench.port.void(envelope_id, "the terms changed")
    bench.finish_void(envelope_id)
    bench.later(minutes=16)
    bench.port.void(envelope_id, "the terms changed")

    assert bench.port.status(envelope_id).status is EnvelopeStatus.VOIDED


@pytest.mark.parametrize(
    ("end", "status"),
    [("sign", EnvelopeStatus.COMPLETED), ("decline", EnvelopeStatus.DECLINED), ("expire", EnvelopeStatus.VOIDED)],
)
def test_a_void_that_comes_too_late_leaves_the_contract_as_it_ended(
    bench: Bench, deal: Deal, end: str, status: EnvelopeStatus
) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    getattr(bench, end)(envelope_id, *(["no"] if end == "decline" else []))

    bench.port.void(envelope_id, "the terms changed")

    assert bench.port.status(envelope_id).status is status


def test_a_void_whose_answer_is_lost_can_be_asked_again(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.trouble(Trouble.LOST_ANSWER)

    with pytest.raises(VendorUnavailable):
        bench.port.void(envelope_id, "the terms changed")
    bench.later(minutes=16)
    bench.another_worker().void(envelope_id, "the terms changed")
    bench.finish_void(envelope_id)
    bench.later(minutes=16)

    assert bench.another_worker().status(envelope_id).status is EnvelopeStatus.VOIDED


def test_an_envelope_that_the_vendor_does_not_know_is_refused(bench: Bench) -> None:
    with pytest.raises(VendorRefused):
        bench.port.status("e0000000-0000-4000-8000-000000000009")


def test_a_signer_without_a_valid_address_is_refused_and_gets_nothing(bench: Bench, deal: Deal) -> None:
    with pytest.raises(VendorRefused):
        bench.port.send(KEY, deal, replace(SIGNER, email="nowhere"))

    assert bench.sent() == 0


ENDS = ["sign", "decline", "expire"]


def end(bench: Bench, envelope_id: str, how: str) -> None:
    getattr(bench, how)(envelope_id, *(["no"] if how == "decline" else []))


def test_the_signer_of_a_contract_that_is_out_is_written_to_again(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    bench.port.resend(envelope_id, SIGNER)

    assert (bench.e_mails(envelope_id), bench.sent()) == (1, 1)
    assert bench.port.status(envelope_id).status is EnvelopeStatus.SENT


@pytest.mark.parametrize("how", ENDS)
def test_nobody_is_written_to_about_a_contract_that_has_ended(bench: Bench, deal: Deal, how: str) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    end(bench, envelope_id, how)

    with pytest.raises(VendorRefused):
        bench.port.resend(envelope_id, SIGNER)

    assert bench.e_mails(envelope_id) == 0


@pytest.mark.parametrize("trouble", [Trouble.LOST_ANSWER, Trouble.FAILED])
def test_to_write_again_after_doubt_does_no_harm(bench: Bench, deal: Deal, trouble: Trouble) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.trouble(trouble)

    with pytest.raises(VendorUnavailable):
        bench.port.resend(envelope_id, SIGNER)
    bench.another_worker().resend(envelope_id, SIGNER)

    assert bench.e_mails(envelope_id) >= 1
    assert (bench.sent(), bench.port.status(envelope_id).status) == (1, EnvelopeStatus.SENT)


@pytest.mark.parametrize("bench", ["docusign", "fake"], indirect=True)
def test_a_signing_view_is_another_address_each_time(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    urls = {bench.port.recipient_view(envelope_id, SIGNER, "https://desk.test/signed") for _ in range(2)}

    assert len(urls) == 2
    assert all(url.startswith("http") for url in urls)


@pytest.mark.parametrize("bench", ["docusign", "fake"], indirect=True)
def test_a_signing_view_is_for_the_signer_alone(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)

    with pytest.raises(VendorRefused):
        bench.port.recipient_view(envelope_id, Person("contact-2", "Yan", "yan@x.example"), "https://desk.test/signed")


@pytest.mark.parametrize("bench", ["docusign", "fake"], indirect=True)
@pytest.mark.parametrize("how", ENDS)
def test_a_contract_that_has_ended_has_no_signing_view(bench: Bench, deal: Deal, how: str) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    end(bench, envelope_id, how)

    with pytest.raises(VendorRefused):
        bench.port.recipient_view(envelope_id, SIGNER, "https://desk.test/signed")


@pytest.mark.parametrize("bench", ["docusign", "fake"], indirect=True)
@pytest.mark.parametrize("trouble", [Trouble.LOST_ANSWER, Trouble.UNREADABLE, Trouble.FAILED])
def test_a_view_without_a_clear_answer_is_no_address(bench: Bench, deal: Deal, trouble: Trouble) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.trouble(trouble)

    with pytest.raises(VendorUnavailable):
        bench.port.recipient_view(envelope_id, SIGNER, "https://desk.test/signed")


def test_a_contract_tells_until_when_it_can_be_signed(bench: Bench, deal: Deal, opened_at: datetime) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.ends_in(envelope_id, timedelta(days=3))

    state, found = bench.port.status(envelope_id), bench.another_worker().look_up(KEY, opened_at)

    assert state.expires_at is not None
    assert abs(state.expires_at - opened_at - timedelta(days=3)) < timedelta(seconds=20)
    assert found is not None
    assert found.expires_at == state.expires_at


def test_a_contract_that_nobody_signs_in_time_ends_by_itself(bench: Bench, deal: Deal) -> None:
    envelope_id = bench.port.send(KEY, deal, SIGNER)
    bench.ends_in(envelope_id, timedelta(days=3))

    bench.later(days=2, hours=23)
    before = bench.port.status(envelope_id)
    bench.later(hours=2)
    after = bench.port.status(envelope_id)

    assert (before.status, after.status) == (EnvelopeStatus.SENT, EnvelopeStatus.VOIDED)
    assert "expired" in after.reason.lower()


@pytest.mark.parametrize("bench", ["docusign", "dropbox_sign"], indirect=True)
@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({}, {"deal_total": "10,000.00 USD", "payment_terms": "net 30", "term": "12 months"}),
        ({"payment_terms": "EOM+15", "payment_terms_days": 45}, {"payment_terms": "EOM+15"}),
        ({"opt_out_after_months": 6}, {"term": "12 months, may end after 6"}),
    ],
)
def test_the_contract_says_the_approved_terms(bench: Bench, terms: dict[str, Any], says: dict[str, str]) -> None:
    assert isinstance(bench, DocusignBench | DropboxSignBench)

    texts = bench.texts(bench.port.send(KEY, a_deal(Stage.APPROVED, **terms), SIGNER))

    assert texts.keys() == {"deal_total", "payment_terms", "term"}
    assert {name: texts[name] for name in says} == says
