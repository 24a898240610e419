"""What a callback of Dropbox Sign may do: its hash covers the time and the type, so the rest is only a hint."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.contracts import dropbox_sign
from dealdesk.domain import signature
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus, Stage
from dealdesk.edge import aws, proofs, secrets
from dealdesk.edge.webhooks import LARGEST_BODY_BYTES
from dealdesk.errors import SignatureRefused
from dealdesk.ports import Cause, Person
from dealdesk.usecases.read_envelope import read_envelope
from dealdesk.usecases.request_signature import request_signature
from local.twins.dropbox_sign_callbacks import as_form, callback, event_hash
from tests.fakes.signatures import FakeSignatures
from tests.functions.conftest import Said
from tests.functions.messages import Answer, given, happened, keep, parked, refused, rows, stored
from tests.journeys.world import World
from tests.table import TABLE

ALL_SIGNED = "signature_request_all_signed"
SIGNER = Person("contact-1", "Zoë O'Neil", "zoe@express.example")
PUBLISHED_KEY = "324e3b0840f065eb51f3fd63231d0d33daa35d4ed10d27718839e81737065782"


def told(desk: World, deal_id: str, said: str = ALL_SIGNED, *, at: datetime | None = None, **changed: Any) -> Any:
    """A genuine callback about the deal's envelope; `changed` replaces parts of its signature request."""
    request = {
        "signature_request_id": f"env-{deal_id}",
        "metadata": {"deal_id": deal_id, "dealdesk_intent": f"envelope:{deal_id}:r1:1"},
        "is_complete": True,
        "title": "Zoë's offer",
    }
    key = desk.secrets["dropbox_sign"]["api_key"]
    return callback(key, said, at or desk.now(), request=request | changed)


def form(document: Any, *, encoded: bool = True) -> dict[str, Any]:
    """As API Gateway hands it in: base64, because the template calls forms binary."""
    body, headers = as_form(document)
    text = base64.b64encode(body).decode() if encoded else body.decode()
    return {"httpMethod": "POST", "headers": headers, "body": text, "isBase64Encoded": encoded}


def raw(body: bytes, content_type: str = "multipart/form-data; boundary=b") -> dict[str, Any]:
    text = base64.b64encode(body).decode()
    return {"httpMethod": "POST", "headers": {"content-type": content_type}, "body": text, "isBase64Encoded": True}


def part(content: bytes, name: bytes = b"json", boundary: bytes = b"b") -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n' % (boundary, name)
    return head + content + b"\r\n--%s--\r\n" % boundary


def is_acknowledged(answer: Answer) -> None:
    assert (answer.status, answer.kind, answer.body) == (200, "text/plain", "Hello API Event Received")


def hints(desk: World, deal_id: str) -> int:
    return happened(desk, deal_id).count("document.reported")


@pytest.fixture(scope="module")
def signable(desk: World) -> Deal:
    """No test moves it: each of the messages about it is at fault."""
    return keep(desk, Stage.OUT_FOR_SIGNATURE, "drop-out")


@pytest.mark.parametrize("encoded", [True, False], ids=["base64", "text"])
def test_a_callback_is_noted_and_acknowledged_in_the_vendors_own_words(desk: World, encoded: bool) -> None:
    deal_id = f"drop-noted-{encoded}".lower()
    keep(desk, Stage.OUT_FOR_SIGNATURE, deal_id)

    answer = given(desk, "dropbox_sign", form(told(desk, deal_id), encoded=encoded))

    is_acknowledged(answer)
    assert hints(desk, deal_id) == 1


def test_a_test_of_the_callback_is_acknowledged_and_changes_nothing(desk: World) -> None:
    before = rows()
    key = desk.secrets["dropbox_sign"]["api_key"]

    answer = given(desk, "dropbox_sign", form(callback(key, "callback_test", desk.now())))

    is_acknowledged(answer)
    assert (rows(), parked(desk)) == (before, [])


def test_a_genuine_hash_on_a_forged_payload_moves_nothing(desk: World) -> None:
    """Whoever has seen one callback can put any content to its hash: the vendor's own word decides."""
    keep(desk, Stage.OUT_FOR_SIGNATURE, "drop-forged")
    vendor, before = FakeSignatures(desk.now), stored(desk, "drop-forged")
    envelope_id = vendor.send("envelope:drop-forged:r1:1", before, SIGNER)

    given(desk, "dropbox_sign", form(told(desk, "drop-forged", is_complete=True)))
    noted = stored(desk, "drop-forged")
    read(desk, vendor, "drop-forged", envelope_id)

    assert before.envelope is not None
    assert noted.envelope == before.envelope
    assert (noted.stage, noted.payments) == (Stage.OUT_FOR_SIGNATURE, ())
    assert stored(desk, "drop-forged").payments == ()


def test_what_the_vendor_says_when_asked_moves_the_deal(desk: World) -> None:
    keep(desk, Stage.OUT_FOR_SIGNATURE, "drop-signed")
    vendor = vendor_of(desk, "drop-signed")
    vendor.sign("env-drop-signed")

    given(desk, "dropbox_sign", form(told(desk, "drop-signed")))
    read(desk, vendor, "drop-signed", "env-drop-signed")

    deal = stored(desk, "drop-signed")
    assert deal.envelope is not None
    assert deal.envelope.status is EnvelopeStatus.COMPLETED
    assert len(deal.payments) == 1


def test_a_contract_that_went_out_for_terms_of_the_past_is_withdrawn(desk: World) -> None:
    """Its send was in doubt when the terms changed: the deal knows no such envelope, only the key is its own."""
    keep(desk, Stage.OUT_FOR_SIGNATURE, "drop-orphan")
    vendor = vendor_of(desk, "drop-orphan")
    vendor.contracts[0].id, vendor.contracts[0].key = "env-orphan", "envelope:drop-orphan:r0:1"

    given(desk, "dropbox_sign", form(told(desk, "drop-orphan", signature_request_id="env-orphan")))
    read(desk, vendor, "drop-orphan", "env-orphan", key="envelope:drop-orphan:r0:1")

    assert [intent.subject for intent in stored(desk, "drop-orphan").intents] == ["env-orphan"]
    assert happened(desk, "drop-orphan")[-1] == "document.void_requested"


def test_a_withdrawn_contract_is_out_until_the_vendor_confirms_that_it_is_void(desk: World) -> None:
    deals, deal_id = desk.port("receive_dropbox_sign", "deals"), "drop-withdrawn"
    deal = keep(desk, Stage.OUT_FOR_SIGNATURE, deal_id)
    vendor, cause = vendor_of(desk, deal_id), Cause("test", deal_id)
    deals.save(deal, signature.withdraw(deal, "the terms changed"), cause=cause, actor="test", now=desk.now())

    request_signature(
        deals, SimpleNamespace(), vendor, DynamoPolicies(TABLE), DynamoApprovers(TABLE), deal_id, desk.now
    )
    asked = stored(desk, deal_id)
    vendor.finish_void(f"env-{deal_id}")
    given(desk, "dropbox_sign", form(told(desk, deal_id, "signature_request_canceled")))
    read(desk, vendor, deal_id, f"env-{deal_id}")

    ended = stored(desk, deal_id)
    assert asked.envelope is not None
    assert ended.envelope is not None
    assert (asked.envelope.status, len(asked.intents)) == (EnvelopeStatus.SENT, 1)
    assert (ended.envelope.status, len(ended.intents)) == (EnvelopeStatus.VOIDED, 0)


def test_an_overtaken_contract_of_which_the_vendor_shows_nothing_any_more_is_let_be(desk: World) -> None:
    keep(desk, Stage.OUT_FOR_SIGNATURE, "drop-gone")
    vendor = vendor_of(desk, "drop-gone")
    gone = vendor.contracts[0]
    gone.id, gone.key, gone.status = "env-gone", "", EnvelopeStatus.VOIDED

    read(desk, vendor, "drop-gone", "env-gone", key="envelope:drop-gone:r0:1")

    deal = stored(desk, "drop-gone")
    assert (deal.stage, deal.intents) == (Stage.OUT_FOR_SIGNATURE, ())


def vendor_of(desk: World, deal_id: str) -> FakeSignatures:
    vendor = FakeSignatures(desk.now)
    vendor.send(f"envelope:{deal_id}:r1:1", stored(desk, deal_id), SIGNER)
    vendor.contracts[0].id = f"env-{deal_id}"
    return vendor


def read(desk: World, vendor: FakeSignatures, deal_id: str, envelope_id: str, *, key: str = "") -> None:
    read_envelope(
        desk.port("receive_dropbox_sign", "deals"),
        vendor,
        deal_id,
        envelope_id,
        key or f"envelope:{deal_id}:r1:1",
        cause=Cause("bus", f"read-{deal_id}"),
        vendor="dropbox_sign",
        now=desk.now(),
    )


# -- PITFALLS 27: the proof


def changed_event(document: Any, **changed: Any) -> Any:
    return {**document, "event": {**document["event"], **changed}}


@pytest.mark.parametrize(
    "changed",
    [
        {"event_hash": ""},
        {"event_hash": "0" * 64},
        {"event_hash": "é"},
        {"event_type": "signature_request_declined"},
        {"event_time": "1795377601"},
    ],
    ids=str,
)
def test_a_callback_whose_hash_does_not_fit_its_time_and_type_is_refused(
    desk: World, said: Said, signable: Deal, changed: dict[str, str]
) -> None:
    answer = refused(desk, said, "dropbox_sign", form(changed_event(told(desk, signable.id), **changed)))

    assert (answer.status, answer.kind) == (401, "application/problem+json")


def test_the_hash_is_hex_and_not_base64(desk: World, said: Said, signable: Deal) -> None:
    document = told(desk, signable.id)
    in_base64 = base64.b64encode(bytes.fromhex(document["event"]["event_hash"])).decode()

    assert refused(desk, said, "dropbox_sign", form(changed_event(document, event_hash=in_base64))).status == 401


@pytest.mark.parametrize(
    ("event_time", "event_type", "event_hash"),
    [
        ("1669926463", "account_confirmed", "ff8b03439122f9160500c3fb855bdee5a9ccba5fff27d3b258745d8f3074832f"),
        ("1348177752", "signature_request_sent", "08d45a6b7677492b78be030cef18cfeaece8fe67e163cc8e526ee638ad483756"),
        ("1348177752", "template_created", "4a9b22fa68d5addb8b6313eea9d42ecb393903a4240b71503ef78e9dac6c100d"),
        ("1348177752", "unknown_error", "c574f5d3090c2936360b4e36cf6835cf3e2206b84fdc6347e6b28ca721ae1371"),
    ],
)
def test_the_published_hashes_are_taken_with_any_of_the_keys(event_time: str, event_type: str, event_hash: str) -> None:
    proofs.dropbox_sign(event_time, event_type, event_hash, ["another", PUBLISHED_KEY])
    for wrong_time, wrong_type in ((event_time + "0", event_type), (event_time, event_type + "s")):
        with pytest.raises(SignatureRefused):
            proofs.dropbox_sign(wrong_time, wrong_type, event_hash, [PUBLISHED_KEY])
    with pytest.raises(SignatureRefused):
        proofs.dropbox_sign(event_time, event_type, event_hash, ["another"])


@pytest.mark.parametrize("secret", [None, "{}", "not json", '{"callback_keys": []}', '{"callback_keys": [""]}'])
def test_a_missing_or_empty_key_lets_nobody_in_and_is_our_failure(
    desk: World, said: Said, signable: Deal, secret: str | None
) -> None:
    forged = told(desk, signable.id)
    forged = callback("", ALL_SIGNED, desk.now(), request=forged["signature_request"])

    with secret_reads(secret):
        answer = refused(desk, said, "dropbox_sign", form(forged))

    assert answer.status in (500, 503)


@contextmanager
def secret_reads(text: str | None) -> Iterator[None]:
    def get(**_: Any) -> dict[str, str]:
        if text is None:
            raise KeyError("ResourceNotFoundException")
        return {"SecretString": text}

    secrets.forget()
    with patch.dict(aws.clients, secretsmanager=SimpleNamespace(get_secret_value=get)):
        yield
    secrets.forget()


# -- PITFALLS 28: replays


@pytest.mark.parametrize("offset", [timedelta(minutes=6), -timedelta(days=4, minutes=1)], ids=["future", "stale"])
def test_an_event_from_the_future_or_long_ago_is_refused(
    desk: World, said: Said, signable: Deal, offset: timedelta
) -> None:
    answer = refused(desk, said, "dropbox_sign", form(told(desk, signable.id, at=desk.now() + offset)))

    assert answer.status == 401
    assert "too far from now" in answer.document["detail"]


@pytest.mark.parametrize("event_time", ["", "-1", "1e9", "١٢٣", "9" * 12, "1795377600.5"])
def test_a_time_that_is_none_is_refused_however_it_is_signed(
    desk: World, said: Said, signable: Deal, event_time: str
) -> None:
    signed = event_hash(desk.secrets["dropbox_sign"]["api_key"], event_time, ALL_SIGNED)
    document = changed_event(told(desk, signable.id), event_time=event_time, event_hash=signed)

    assert refused(desk, said, "dropbox_sign", form(document)).status == 401


def test_a_callback_that_comes_again_is_noted_once_and_acknowledged_again(desk: World) -> None:
    keep(desk, Stage.OUT_FOR_SIGNATURE, "drop-again")
    event = form(told(desk, "drop-again"))

    answers = [given(desk, "dropbox_sign", event) for _ in range(3)]

    for answer in answers:
        is_acknowledged(answer)
    assert hints(desk, "drop-again") == 1


def test_two_requests_and_two_signers_that_share_a_hash_are_different_reports(desk: World) -> None:
    """The hash has only the second and the type in it."""
    for deal_id in ("drop-left", "drop-right"):
        keep(desk, Stage.OUT_FOR_SIGNATURE, deal_id)
    at = desk.now()
    left, right = (told(desk, deal_id, at=at) for deal_id in ("drop-left", "drop-right"))
    signer = changed_event(left, event_metadata={"related_signature_id": "78caf2a1d01cd39cea2bc1cbb340dac3"})

    for document in (left, right, signer):
        given(desk, "dropbox_sign", form(document))

    assert left["event"]["event_hash"] == right["event"]["event_hash"]
    assert (hints(desk, "drop-left"), hints(desk, "drop-right")) == (2, 1)


# -- PITFALLS 29: what is not known yet


def test_a_callback_for_an_unknown_deal_is_parked_and_acknowledged(desk: World) -> None:
    queue = desk.queues["ParkedQueue"]
    queue.messages.clear()

    answer = given(desk, "dropbox_sign", form(told(desk, "drop-unknown")))

    (message,) = [json.loads(body)["parked"] for body in parked(desk)]
    queue.messages.clear()
    is_acknowledged(answer)
    assert message["kind"] == "dropbox_sign"
    assert message["message"].pop("cause").startswith("dropbox_sign:")
    assert message["message"] == {
        "deal_id": "drop-unknown",
        "envelope_id": "env-drop-unknown",
        "key": "envelope:drop-unknown:r1:1",
        "said": ALL_SIGNED,
    }


def test_a_callback_with_the_key_of_another_deal_is_parked_and_not_noted(desk: World, signable: Deal) -> None:
    queue = desk.queues["ParkedQueue"]
    queue.messages.clear()
    metadata = {"deal_id": signable.id, "dealdesk_intent": "envelope:drop-other:r1:1"}

    answer = given(desk, "dropbox_sign", form(told(desk, signable.id, metadata=metadata)))

    assert len(parked(desk)) == 1
    queue.messages.clear()
    is_acknowledged(answer)
    assert hints(desk, signable.id) == 0


# -- what concerns nobody


@pytest.mark.parametrize("said", ["signature_request_viewed", "signature_request_downloadable", "template_created"])
def test_an_event_that_tells_nothing_new_is_acknowledged_and_not_noted(desk: World, signable: Deal, said: str) -> None:
    is_acknowledged(given(desk, "dropbox_sign", form(told(desk, signable.id, said))))

    assert hints(desk, signable.id) == 0


@pytest.mark.parametrize("metadata", [{}, [], None, {"deal_id": 7, "dealdesk_intent": {}}, {"order": {"id": 1}}])
def test_a_request_that_the_desk_did_not_make_is_acknowledged_and_not_noted(desk: World, metadata: Any) -> None:
    before = rows()

    is_acknowledged(given(desk, "dropbox_sign", form(told(desk, "somebody-elses", metadata=metadata))))

    assert (rows(), parked(desk)) == (before, [])


def test_after_the_vendors_last_word_nothing_more_is_noted(desk: World) -> None:
    keep(desk, Stage.AWAITING_PAYMENT, "drop-over")

    is_acknowledged(given(desk, "dropbox_sign", form(told(desk, "drop-over"))))

    assert hints(desk, "drop-over") == 0


# -- what cannot be read


@pytest.mark.parametrize(
    ("event", "status", "words"),
    [
        (raw(b"", "multipart/form-data; boundary=b"), 422, "no body"),
        (raw(part(b"{}"), "application/json"), 415, "send multipart/form-data"),
        (raw(part(b"{}"), "application/x-www-form-urlencoded"), 415, "send multipart/form-data"),
        (raw(part(b"{}"), "multipart/form-data"), 422, "no boundary"),
        (raw(part(b"{}"), "multipart/form-data; boundary=other"), 422, "no field json"),
        (raw(part(b"{}", name=b"jason")), 422, "no field json"),
        (raw(b"json={}"), 422, "no field json"),
        (raw(part(b"{}")), 422, "missing required field"),
        (raw(part(b"[]")), 422, "Expected `object`"),
        (raw(part(b"not json")), 422, "no Dropbox Sign callback"),
        (raw(part(b'{"event": "\xff"}')), 422, "no Dropbox Sign callback"),
        (raw(part(b'{"more": ' + b"[" * 50_000 + b"]" * 50_000 + b"}")), 422, "nested too deeply"),
        (raw(part(b"x" * LARGEST_BODY_BYTES)), 413, "larger"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_form_that_cannot_be_read_is_refused_by_name(
    desk: World, said: Said, event: dict[str, Any], status: int, words: str
) -> None:
    answer = refused(desk, said, "dropbox_sign", event)

    assert answer.status == status
    assert words in answer.document["detail"]


def test_parts_inside_parts_cost_no_more_than_their_bytes(desk: World, said: Said) -> None:
    deep = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(15_000))
    begun = datetime.now(UTC)

    answer = refused(desk, said, "dropbox_sign", raw(deep, "multipart/form-data; boundary=b0"))

    assert answer.status == 422
    assert datetime.now(UTC) - begun < timedelta(seconds=2)


def test_a_callback_like_the_vendors_examples_is_read_in_full() -> None:
    document = {
        "account_guid": "63522885f9261e2b04eea043933ee7313eb674fd",
        "event": {
            "event_time": "1348177752",
            "event_type": "signature_request_sent",
            "event_hash": "08d45a6b7677492b78be030cef18cfeaece8fe67e163cc8e526ee638ad483756",
        },
    }

    read = dropbox_sign.parse_callback(json.dumps(document).encode())

    assert dropbox_sign.hint_of(read) is None
    assert read.cause_id == f"{read.event.event_hash}||"
