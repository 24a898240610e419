"""A message that is not genuine, cannot be read or comes too early changes nothing, and says so three times:
to the sender, in one log line and in one metric."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree

import pytest

from dealdesk.contracts import docusign, stripe
from dealdesk.contracts.salesforce_ids import deal_id_of, long_id
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import Stage
from dealdesk.edge import aws, proofs, secrets, webhooks
from dealdesk.errors import SignatureRefused
from tests.functions.conftest import Said
from tests.functions.messages import (
    DESK,
    JSON,
    Answer,
    approval_decided,
    connect_message,
    connect_signature,
    docusign_request,
    given,
    happened,
    keep,
    outbound,
    parked,
    quote_submitted,
    refused,
    rows,
    salesforce_request,
    stored,
    stripe_event,
    stripe_request,
    stripe_signature,
)
from tests.journeys.world import World

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vendors" / "vectors"
Event = dict[str, Any]
LARGEST = webhooks.LARGEST_BODY_BYTES


@pytest.fixture(scope="module")
def payable(desk: World) -> Deal:
    """No test pays it: each message about it would, were it not for its one fault."""
    return keep(desk, Stage.AWAITING_PAYMENT, "to-be-paid")


@pytest.fixture(scope="module")
def signable(desk: World) -> Deal:
    return keep(desk, Stage.OUT_FOR_SIGNATURE, "to-be-signed")


def is_problem(answer: Answer, status: int, *words: str) -> None:
    assert answer.status == status, answer.body
    assert answer.kind == "application/problem+json"
    assert answer.document["status"] == status
    assert answer.document["title"]
    for word in words:
        assert word in answer.document["detail"]


def is_fault(answer: Answer, status: int, *words: str) -> None:
    assert answer.status == status, answer.body
    assert answer.kind == "text/xml"
    envelope = "{http://schemas.xmlsoap.org/soap/envelope/}"
    fault = ElementTree.fromstring(answer.body).find(f"{envelope}Body/{envelope}Fault")
    assert fault is not None
    assert fault.findtext("faultcode") == ("soapenv:Client" if status < 500 else "soapenv:Server")
    for word in words:
        assert word in (fault.findtext("faultstring") or "")


# -- what is wrong with the envelope of the request, for both vendors that sign

SIGNED: dict[str, Callable[..., Event]] = {"stripe": stripe_request, "docusign": docusign_request}


def genuine(desk: World, vendor: str, payable: Deal, signable: Deal) -> bytes:
    return stripe_event(payable) if vendor == "stripe" else connect_message(signable, desk.now())


@pytest.mark.parametrize("vendor", SIGNED)
@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"body": None}, 422, "no body"),
        ({"body": ""}, 422, "no body"),
        ({"body": "%%%", "isBase64Encoded": True}, 422, "not valid base64"),
        ({"body": "x" * (LARGEST + 1)}, 413, "larger than 1,048,576 bytes"),
        ({"body": "€" * (LARGEST // 3 + 1)}, 413, "larger than 1,048,576 bytes"),
        ({"body": base64.b64encode(b"x" * (LARGEST + 1)).decode(), "isBase64Encoded": True}, 413, "larger"),
        ({"headers": {"Content-Type": "text/plain"}}, 415, "send application/json"),
        ({"headers": {}}, 415, "send application/json"),
        ({"headers": None}, 415, "send application/json"),
        ({"headers": JSON}, 401, "Signature header"),
    ],
    ids=[
        "no body",
        "empty body",
        "no base64",
        "large",
        "large in bytes",
        "large in base64",
        "text",
        "none",
        "null",
        "unsigned",
    ],
)
def test_a_request_that_is_wrong_from_outside_is_refused(
    desk: World, said: Said, payable: Deal, signable: Deal, vendor: str, changes: Event, status: int, words: str
) -> None:
    event = SIGNED[vendor](desk, genuine(desk, vendor, payable, signable)) | changes

    answer = refused(desk, said, vendor, event)

    is_problem(answer, status, *([words] if status != 401 else ["Signature"]))


@pytest.mark.parametrize("vendor", SIGNED)
def test_a_body_of_exactly_the_limit_is_read(desk: World, said: Said, vendor: str) -> None:
    body = b'{"padding": "' + b"x" * (LARGEST - 15) + b'"}'

    answer = refused(desk, said, vendor, SIGNED[vendor](desk, body))

    assert len(body) == LARGEST
    is_problem(answer, 422, "missing required field")


@pytest.mark.parametrize("vendor", SIGNED)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "the body is no"),
        (b"not json", "the body is no"),
        (b"[]", "Expected `object`"),
        (b"null", "Expected `object`"),
        (b"{}", "missing required field"),
        (b'{"id": "a\x00b"}', "the body is no"),
        (b'{"id": "evt_\xff", "type": "x", "event": "\xff"}', "the body is no"),
        (b'{"id": "\\ud800", "event": "\\ud800"}', "the body is no"),
        (b'{"more": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (b'{"more": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}", "nested too deeply"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_a_signed_body_that_is_no_message_is_refused(
    desk: World, said: Said, vendor: str, body: bytes, words: str
) -> None:
    answer = refused(desk, said, vendor, SIGNED[vendor](desk, body))

    is_problem(answer, 422, words)


@pytest.mark.parametrize("vendor", SIGNED)
def test_invalid_utf8_anywhere_in_a_genuine_message_is_refused(
    desk: World, said: Said, payable: Deal, signable: Deal, vendor: str
) -> None:
    body = genuine(desk, vendor, payable, signable).replace(b"to-be-", b"to-be-\xff")

    is_problem(refused(desk, said, vendor, SIGNED[vendor](desk, body)), 422)


# -- Stripe


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": 7}, "$.id"),
        ({"created": "now"}, "$.created"),
        ({"amount_total": "1000000"}, "$.amount_total"),
        ({"amount_total": 1e6 + 0.5}, "$.amount_total"),
        ({"amount_total": -1}, "$.amount_total"),
        ({"amount_total": 10**30}, "$.amount_total"),
        ({"currency": "zzz"}, "'ZZZ' is no currency"),
        ({"currency": "e\x00u"}, "currency"),
        ({"currency": 7}, "$.currency"),
        ({"metadata": []}, "$.metadata"),
        ({"metadata": {"deal_id": 7, "payment_id": "p"}}, "$.metadata"),
        ({"payment_intent": {}}, "$.payment_intent"),
    ],
    ids=str,
)
def test_a_stripe_event_with_a_wrong_type_or_number_is_refused_by_name(
    desk: World, said: Said, payable: Deal, change: dict[str, Any], words: str
) -> None:
    answer = refused(desk, said, "stripe", stripe_request(desk, stripe_event(payable, **change)))

    is_problem(answer, 422, words)


@pytest.mark.parametrize("number", ["9" * 5_000, "1e400", "NaN", "Infinity", "1e5"])
def test_a_stripe_amount_that_is_no_whole_number_of_cents_is_refused(
    desk: World, said: Said, payable: Deal, number: str
) -> None:
    body = stripe_event(payable).replace(b'"amount_total": 1000000', f'"amount_total": {number}'.encode())

    answer = refused(desk, said, "stripe", stripe_request(desk, body))

    is_problem(
        answer, 422, "the body is no Stripe event" if number[0] in "NI" else "data.object is no checkout session"
    )


@pytest.mark.parametrize("seconds", [-301, -86_400, 302, 86_400])
def test_a_stripe_signature_that_is_stale_or_from_the_future_is_refused(
    desk: World, said: Said, payable: Deal, seconds: int
) -> None:
    answer = refused(desk, said, "stripe", stripe_request(desk, stripe_event(payable), seconds=seconds))

    is_problem(answer, 401, "300 s off our clock")


def test_a_stripe_signature_over_a_reserialised_body_is_refused(desk: World, said: Said, payable: Deal) -> None:
    body = stripe_event(payable)
    event = stripe_request(desk, json.dumps(json.loads(body), separators=(",", ":")).encode()) | {"body": body.decode()}

    answer = refused(desk, said, "stripe", event)

    is_problem(answer, 401, "does not match the body")


def header(desk: World, body: bytes, form: str) -> str:
    good = stripe_signature(desk.secrets["stripe"]["webhook_secrets"][0], body, desk.now())
    time, _, signature = good.partition(",v1=")
    now = time[2:]
    return form.format(t=now, v1=signature, other="0" * 64)


@pytest.mark.parametrize(
    "form",
    [
        "t={t},v1={other}",
        "t={t},v0={v1}",
        "t={t}",
        "v1={v1}",
        "t={t},t={t},v1={v1}",
        "t=,v1={v1}",
        "t=-{t},v1={v1}",
        "t={t}.0,v1={v1}",
        "t=٣,v1={v1}",
        "t=9999999999999999,v1={v1}",
        "t={t},v1=é",
        "t={t},v1={v1}0",
        "garbage",
        "",
    ],
)
def test_a_stripe_signature_header_of_another_form_is_refused(
    desk: World, said: Said, payable: Deal, form: str
) -> None:
    body = stripe_event(payable)
    event = stripe_request(desk, body) | {"headers": {**JSON, "Stripe-Signature": header(desk, body, form)}}

    answer = refused(desk, said, "stripe", event)

    is_problem(answer, 401, "Stripe")


@pytest.mark.parametrize("secret", ["whsec_other", "", "whsec_"])
def test_a_stripe_signature_of_another_secret_is_refused(desk: World, said: Said, payable: Deal, secret: str) -> None:
    body = stripe_event(payable)
    signature = stripe_signature(secret, body, desk.now())

    answer = refused(desk, said, "stripe", stripe_request(desk, body, headers={**JSON, "stripe-signature": signature}))

    is_problem(answer, 401, "does not match the body")


@pytest.mark.parametrize("form", ["t={t},v1={other},v1={v1},v0={other}", "t={t}, v1={v1}", "v1={v1},t={t}"])
def test_one_matching_stripe_signature_among_several_is_enough(desk: World, form: str) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, f"rotated-{hashlib.sha256(form.encode()).hexdigest()[:8]}")
    body = stripe_event(deal)
    event = stripe_request(desk, body) | {"headers": {**JSON, "STRIPE-signature": header(desk, body, form)}}

    assert given(desk, "stripe", event).status == 200
    assert stored(desk, deal.id).stage is Stage.PAID


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_stripe_signature_within_the_tolerance_is_taken(desk: World, seconds: int) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, f"tolerated{seconds}")

    answer = given(desk, "stripe", stripe_request(desk, stripe_event(deal), seconds=seconds))

    assert answer.status == 200
    assert stored(desk, deal.id).stage is Stage.PAID


def test_a_genuine_event_in_base64_is_verified_over_the_bytes_and_recorded(desk: World) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, "in-base64")
    event = stripe_request(desk, stripe_event(deal))
    event |= {"body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}

    assert given(desk, "stripe", event).status == 200
    assert stored(desk, deal.id).stage is Stage.PAID


def test_a_replayed_event_says_duplicate_and_changes_nothing(desk: World) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, "replayed")
    event = stripe_request(desk, stripe_event(deal))
    given(desk, "stripe", event)
    before = rows()

    again = given(desk, "stripe", event)

    assert (again.status, again.document["status"]) == (200, "duplicate")
    assert rows() == before


@pytest.mark.parametrize("change", [{"type": "invoice.paid"}, {"metadata": {}}, {"metadata": {"deal_id": "x"}}])
def test_a_genuine_event_that_is_not_about_our_payment_is_acknowledged_and_ignored(
    desk: World, payable: Deal, change: dict[str, Any]
) -> None:
    before = rows()

    answer = given(desk, "stripe", stripe_request(desk, stripe_event(payable, **change)))

    assert (answer.status, answer.document["status"]) == (200, "ignored")
    assert rows() == before


# -- DocuSign


def test_a_connect_message_of_another_account_is_refused(desk: World, said: Said, signable: Deal) -> None:
    body = connect_message(signable, desk.now(), accountId="b0000000-0000-4000-8000-000000000001")

    answer = refused(desk, said, "docusign", docusign_request(desk, body))

    is_problem(answer, 401, "is not the desk's")


@pytest.mark.parametrize("off", [timedelta(minutes=6), timedelta(days=-17), timedelta(days=400)])
def test_a_connect_message_from_the_future_or_older_than_its_retries_is_refused(
    desk: World, said: Said, signable: Deal, off: timedelta
) -> None:
    answer = refused(desk, said, "docusign", docusign_request(desk, connect_message(signable, desk.now() + off)))

    is_problem(answer, 401, "too far from now")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event": 7}, "$.event"),
        ({"generatedDateTime": "yesterday"}, "'yesterday' is no time"),
        ({"generatedDateTime": "2026-11-22T20:00:00+02:00"}, "is no time"),
        ({"generatedDateTime": "\x00"}, "is no time"),
        ({"generatedDateTime": 1}, "$.generatedDateTime"),
        ({"envelopeId": None}, "$.data.envelopeId"),
        ({"data": []}, "$.data"),
        ({"customFields": {"textCustomFields": {}}}, "textCustomFields"),
        ({"customFields": {"textCustomFields": [{"name": "deal_id", "value": 7}]}}, "value"),
        ({"completedDateTime": "0000-00-00"}, "is no time"),
        ({"configurationId": 1.5}, "$.configurationId"),
    ],
    ids=str,
)
def test_a_connect_message_with_a_wrong_type_is_refused_by_name(
    desk: World, said: Said, signable: Deal, change: dict[str, Any], words: str
) -> None:
    body = connect_message(signable, desk.now(), **change)

    answer = refused(desk, said, "docusign", docusign_request(desk, body))

    is_problem(answer, 422, words)


@pytest.mark.parametrize("form", ["other key", "empty key", "hex", "no base64", "reserialised", "not ascii", "empty"])
def test_a_connect_signature_that_does_not_match_is_refused(desk: World, said: Said, signable: Deal, form: str) -> None:
    body = connect_message(signable, desk.now())
    key = desk.secrets["docusign"]["connect_keys"][0]
    reserialised = json.dumps(json.loads(body), separators=(",", ":")).encode()
    signature = {
        "other key": connect_signature("another", body),
        "empty key": connect_signature("", body),
        "hex": hmac.new(key.encode(), body, hashlib.sha256).hexdigest(),
        "no base64": "%%%",
        "reserialised": connect_signature(key, reserialised),
        "not ascii": "é",
        "empty": "",
    }[form]
    event = docusign_request(desk, body, headers={**JSON, "X-DocuSign-Signature-1": signature})

    answer = refused(desk, said, "docusign", event)

    is_problem(answer, 401, "no DocuSign signature matches the body")


@pytest.mark.parametrize("number", [0, 1])
def test_any_of_our_connect_keys_may_match_any_of_the_headers(desk: World, number: int) -> None:
    deal = keep(desk, Stage.OUT_FOR_SIGNATURE, f"either-key-{number}")
    body = connect_message(deal, desk.now())
    right = connect_signature(desk.secrets["docusign"]["connect_keys"][number], body)
    headers = {**JSON, "X-DocuSign-Signature-1": connect_signature("retired", body), "x-docusign-signature-2": right}

    answer = given(desk, "docusign", docusign_request(desk, body, headers=headers))

    assert answer.status == 200
    assert "document.completed" in happened(desk, deal.id)


# -- Salesforce


def a_notification(number: int = 1) -> str:
    return quote_submitted(f"006XX{number:010d}", f"04lXX{number:010d}")


@pytest.mark.parametrize("given_secret", [None, "", "wrong", "é"])
def test_a_path_that_is_not_ours_is_refused(desk: World, said: Said, given_secret: str | None) -> None:
    event = salesforce_request(desk, outbound([a_notification()]))
    event["pathParameters"] = None if given_secret is None else {"path_secret": given_secret}

    answer = refused(desk, said, "salesforce", event)

    is_fault(answer, 403, "the path of this address is not the desk's")


def test_a_part_of_the_path_secret_is_not_the_path_secret(desk: World, said: Said) -> None:
    event = salesforce_request(desk, outbound([a_notification()]))
    event["pathParameters"] = {"path_secret": desk.secrets["salesforce"]["path_secret"][:-1]}

    is_fault(refused(desk, said, "salesforce", event), 403)


def test_another_organisation_is_refused(desk: World, said: Said) -> None:
    body = outbound([a_notification()], organisation="00D7F00000999ZZUAI")

    answer = refused(desk, said, "salesforce", salesforce_request(desk, body))

    is_fault(answer, 403, "organisation 00D7F00000999ZZUAI is not one of the desk's")


@pytest.mark.parametrize("headers", [JSON, {}, {"Content-Type": "text/plain"}])
def test_an_outbound_message_that_is_not_xml_by_its_header_is_refused(
    desk: World, said: Said, headers: dict[str, str]
) -> None:
    event = salesforce_request(desk, outbound([a_notification()]), headers=headers)

    is_fault(refused(desk, said, "salesforce", event), 415, "send text/xml")


LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)
MALFORMED: dict[str, tuple[bytes, str]] = {
    "cut off": (outbound([a_notification()])[:-20], "not well-formed"),
    "no xml": (b"{}", "not well-formed"),
    "a NUL byte": (outbound([a_notification().replace("2026", "20\x0026")]), "not well-formed"),
    "invalid UTF-8": (outbound([a_notification()]).replace(b"2026", b"\xff\xfe"), "not well-formed"),
    "unknown encoding": (b'<?xml version="1.0" encoding="klingon"?><a/>', "not well-formed"),
    "a billion laughs": (outbound([a_notification()], prolog=f"{LAUGHS}]>"), "DTD or entities"),
    "a billion laughs in use": (
        outbound([a_notification().replace("2026", "&j;")], prolog=f"{LAUGHS}]>"),
        "DTD or entities",
    ),
    "an external entity": (
        outbound(
            [a_notification().replace("2026", "&x;")], prolog='<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
        ),
        "DTD or entities",
    ),
    "an external DTD": (outbound([a_notification()], prolog='<!DOCTYPE x SYSTEM "http://a.test/x.dtd">'), "DTD"),
    "an unknown entity": (outbound([a_notification().replace("2026", "&x;")]), "not well-formed"),
    "deep nesting": (b"<a>" * 100_000 + b"</a>" * 100_000, "no SOAP envelope"),
    "another envelope": (b"<Envelope/>", "no SOAP envelope"),
    "another namespace": (outbound([a_notification()]).replace(b"2005/09", b"2099/09"), "no SOAP envelope"),
    "no notification": (outbound([]), "1 to 100 notifications, not 0"),
    "101 notifications": (outbound([a_notification(n) for n in range(101)]), "1 to 100 notifications, not 101"),
    "no organisation": (outbound([a_notification()], organisation=""), "OrganizationId"),
    "no sObject": (outbound(["<Notification><Id>04lXX0000000001</Id></Notification>"]), "no sObject"),
    "no notification id": (outbound([a_notification().replace("04lXX0000000001", "")]), "Id is no Salesforce id"),
    "no record id": (outbound([a_notification().replace("006XX0000000001", "short")]), "Id of 15 or 18"),
    "no type": (outbound([a_notification().replace("sf:Opportunity", "")]), "xsi:type"),
    "another object": (outbound([quote_submitted("006XX0000000001", "04lXX0000000001", kind="Lead")]), "Lead"),
    "a time that is none": (outbound([a_notification().replace("2026-11-22T", "soon")]), "Submitted_At__c"),
    "a time without zone": (outbound([a_notification().replace("000Z", "000")]), "no time zone"),
    "an editor that is none": (
        outbound([quote_submitted("006XX0000000001", "04lXX0000000001", editor="nobody")]),
        "'nobody' is no Salesforce id",
    ),
    "no approval key": (
        outbound([approval_decided("", "04lXX0000000001", "k")]),
        "Deal_Desk_Approval__c a0B7F00000appr1UAA comes without Deal_Id__c",
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_outbound_message_gets_a_fault_that_says_what_is_wrong(desk: World, said: Said, kind: str) -> None:
    body, words = MALFORMED[kind]

    answer = refused(desk, said, "salesforce", salesforce_request(desk, body))

    is_fault(answer, 422, words)
    assert len(answer.body) < 1_500


def test_an_outbound_message_above_the_limit_is_refused_unread(desk: World, said: Said) -> None:
    body = outbound([a_notification()]) + b" " * LARGEST

    is_fault(refused(desk, said, "salesforce", salesforce_request(desk, body)), 413, "larger than 1,048,576 bytes")


def test_a_hundred_notifications_in_one_message_each_have_one_effect(desk: World) -> None:
    records = [f"006HH{number:010d}" for number in range(100)]
    body = outbound([quote_submitted(record, f"04lHH{number:010d}") for number, record in enumerate(records)])

    answers = [given(desk, "salesforce", salesforce_request(desk, body)) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert all("<Ack>true</Ack>" in answer.body for answer in answers)
    for record in (records[0], records[50], records[99]):
        assert happened(desk, deal_id_of(record)) == ["deal.received"]


def test_one_malformed_notification_does_not_hold_up_the_good_ones(desk: World, said: Said) -> None:
    records = [f"006MM{number:010d}" for number in range(3)]
    good = [quote_submitted(record, f"04lMM{number:010d}") for number, record in enumerate(records)]
    bad = [good[0], good[1].replace("2026-11-22T", "soon"), good[2]]
    said.lines()

    answer = given(desk, "salesforce", salesforce_request(desk, outbound(bad)))

    is_fault(answer, 422, "Submitted_At__c")
    assert happened(desk, deal_id_of(records[0])) == ["deal.received"]
    assert happened(desk, deal_id_of(records[2])) == ["deal.received"]
    assert sum("WebhookRejected" in line for line in said.lines()) == 1


def test_after_the_resend_each_notification_has_one_effect(desk: World) -> None:
    records = [f"006RR{number:010d}" for number in range(3)]
    good = [quote_submitted(record, f"04lRR{number:010d}") for number, record in enumerate(records)]
    given(desk, "salesforce", salesforce_request(desk, outbound([good[0], good[1].replace("2026-", "soon"), good[2]])))

    answer = given(desk, "salesforce", salesforce_request(desk, outbound(good)))

    assert answer.status == 200
    assert [happened(desk, deal_id_of(record)) for record in records] == [["deal.received"]] * 3


def test_the_short_and_the_long_form_of_an_id_are_the_same_deal(desk: World) -> None:
    short, note = "006aAaAaAaAaAaA", "04lSS0000000001"
    given(desk, "salesforce", salesforce_request(desk, outbound([quote_submitted(short, note)])))
    before = rows()

    again = given(
        desk, "salesforce", salesforce_request(desk, outbound([quote_submitted(long_id(short), long_id(note))]))
    )

    assert again.status == 200
    assert rows() == before


def test_the_short_form_of_our_organisation_is_ours(desk: World) -> None:
    body = outbound([quote_submitted("006OO0000000001", "04lOO0000000001")], organisation="00D7F00000107Xs")

    assert given(desk, "salesforce", salesforce_request(desk, body)).status == 200
    assert happened(desk, deal_id_of("006OO0000000001")) == ["deal.received"]


@pytest.mark.parametrize("editor", [DESK, DESK[:15]])
def test_our_own_write_changes_nothing(desk: World, editor: str) -> None:
    before = rows()
    body = outbound([quote_submitted("006WW0000000001", "04lWW0000000001", editor=editor)])

    answer = given(desk, "salesforce", salesforce_request(desk, body))

    assert answer.status == 200
    assert "<Ack>true</Ack>" in answer.body
    assert rows() == before


# -- a message about a deal that is not known yet


def deliver_parked(desk: World) -> None:
    desk.sleep(seconds=5)
    assert desk.serve_queue(desk.queues["ParkedQueue"])


@contextmanager
def counted(said: Said, vendor: str) -> Iterator[None]:
    said.lines()
    yield
    lines = [line for line in said.lines() if "WebhookRejected" in line]
    assert [line["source"] for line in lines] == [vendor]


def early(desk: World, vendor: str, deal_id: str) -> Event:
    match vendor:
        case "stripe":
            return stripe_request(desk, stripe_event(deal_id))
        case "docusign":
            return docusign_request(desk, connect_message(deal_id, desk.now()))
        case _:
            note = f"04l{hashlib.sha256(deal_id.encode()).hexdigest()[:12]}"
            return salesforce_request(desk, outbound([approval_decided(deal_id, note)]))


EARLY = [
    ("stripe", Stage.AWAITING_PAYMENT, "payment.succeeded", 202),
    ("docusign", Stage.OUT_FOR_SIGNATURE, "document.completed", 202),
    ("salesforce", Stage.PENDING_APPROVAL, "approval.answered", 200),
]


@pytest.mark.parametrize(("vendor", "stage", "effect", "status"), EARLY)
def test_a_message_about_an_unknown_deal_waits_and_is_recorded_once_the_deal_exists(
    desk: World, said: Said, vendor: str, stage: Stage, effect: str, status: int
) -> None:
    deal_id, before = f"early-{vendor}", rows()

    with counted(said, vendor):
        answer = given(desk, vendor, early(desk, vendor, deal_id))

    assert answer.status == status
    assert rows() == before
    assert len(parked(desk)) == 1

    deliver_parked(desk)
    assert rows() == before
    assert len(parked(desk)) == 1

    keep(desk, stage, deal_id)
    deliver_parked(desk)
    assert happened(desk, deal_id).count(effect) == 1
    assert parked(desk) == []


@pytest.mark.parametrize(("vendor", "stage", "effect", "status"), EARLY)
def test_the_same_message_parked_twice_has_one_effect(
    desk: World, vendor: str, stage: Stage, effect: str, status: int
) -> None:
    deal_id = f"early-twice-{vendor}"
    event = early(desk, vendor, deal_id)
    assert [given(desk, vendor, event).status for _ in range(2)] == [status, status]
    assert len(parked(desk)) == 2
    keep(desk, stage, deal_id)

    deliver_parked(desk)

    assert happened(desk, deal_id).count(effect) == 1
    assert parked(desk) == []


def test_a_message_that_came_again_by_itself_after_it_was_parked_has_one_effect(desk: World) -> None:
    event = early(desk, "stripe", "early-and-late")
    given(desk, "stripe", event)
    keep(desk, Stage.AWAITING_PAYMENT, "early-and-late")

    answer = given(desk, "stripe", event)
    deliver_parked(desk)

    assert answer.document["status"] == "recorded"
    assert happened(desk, "early-and-late").count("payment.succeeded") == 1


@pytest.mark.parametrize("vendor", ["stripe", "docusign", "salesforce"])
def test_a_message_that_cannot_be_parked_is_asked_for_again(desk: World, said: Said, vendor: str) -> None:
    def unreachable(**_: Any) -> None:
        raise ConnectionError

    with patch.dict(aws.clients, sqs=SimpleNamespace(send_message=unreachable)):
        said.lines()
        answer = given(desk, vendor, early(desk, vendor, f"unparked-{vendor}"))

    assert answer.status == 503
    (is_fault if vendor == "salesforce" else is_problem)(answer, 503, "could not be parked")


# -- what is wrong with us is never said to be wrong with the message


def good_message(desk: World, vendor: str, payable: Deal, signable: Deal) -> Event:
    if vendor == "salesforce":
        return salesforce_request(desk, outbound([a_notification()]))
    return SIGNED[vendor](desk, genuine(desk, vendor, payable, signable))


def fails_on_our_side(answer: Answer, vendor: str) -> None:
    assert answer.status in (500, 503)
    (is_fault if vendor == "salesforce" else is_problem)(answer, answer.status)
    assert "secret" not in answer.body.lower() or "configured" in answer.body


@contextmanager
def secret_reads(text: str | None) -> Iterator[None]:
    def read(**_: Any) -> dict[str, str]:
        if text is None:
            raise KeyError("ResourceNotFoundException")
        return {"SecretString": text}

    secrets.forget()
    with patch.dict(aws.clients, secretsmanager=SimpleNamespace(get_secret_value=read)):
        yield
    secrets.forget()


EMPTY: dict[str, list[dict[str, Any]]] = {
    "stripe": [{"webhook_secrets": []}, {"webhook_secrets": [""]}],
    "docusign": [
        {"account_id": "a0000000-0000-4000-8000-000000000001", "connect_keys": []},
        {"account_id": "a0000000-0000-4000-8000-000000000001", "connect_keys": [""]},
    ],
    "salesforce": [
        {"organization_ids": [], "path_secret": "x", "integration_user_id": DESK},
        {"organization_ids": ["00D7F00000107XsUAI"], "path_secret": "", "integration_user_id": DESK},
    ],
}


@pytest.mark.parametrize("vendor", EMPTY)
@pytest.mark.parametrize("text", [None, "{}", "not json", "[]"])
def test_a_secret_that_is_missing_or_unusable_is_our_failure(
    desk: World, said: Said, payable: Deal, signable: Deal, vendor: str, text: str | None
) -> None:
    event = good_message(desk, vendor, payable, signable)

    with secret_reads(text):
        answer = refused(desk, said, vendor, event)

    fails_on_our_side(answer, vendor)


@pytest.mark.parametrize(("vendor", "secret"), [(vendor, secret) for vendor, each in EMPTY.items() for secret in each])
def test_an_empty_secret_lets_nobody_in_and_is_our_failure(
    desk: World, said: Said, payable: Deal, signable: Deal, vendor: str, secret: dict[str, Any]
) -> None:
    event = good_message(desk, vendor, payable, signable)
    if vendor == "stripe":
        signature = stripe_signature("", event["body"].encode(), desk.now())
        event["headers"] = {**JSON, "Stripe-Signature": signature}
    elif vendor == "docusign":
        event["headers"] = {**JSON, "X-DocuSign-Signature-1": connect_signature("", event["body"].encode())}
    else:
        event["pathParameters"] = {"path_secret": secret["path_secret"]} if secret["path_secret"] else None

    with secret_reads(json.dumps(secret)):
        answer = refused(desk, said, vendor, event)

    fails_on_our_side(answer, vendor)


@pytest.mark.parametrize("vendor", EMPTY)
def test_settings_that_are_missing_are_our_failure(
    desk: World, said: Said, payable: Deal, signable: Deal, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = good_message(desk, vendor, payable, signable)
    monkeypatch.setattr(desk, "_environment_of", lambda _: {})
    desk.modules.pop(f"receive_{vendor}")

    answer = refused(desk, said, vendor, event)

    desk.modules.pop(f"receive_{vendor}")
    fails_on_our_side(answer, vendor)


# -- vectors: the vendors' own where we have them, and always ours


def vector(name: str) -> dict[str, Any]:
    if not VECTORS.is_dir():
        pytest.skip("the published vectors lie outside this repository, in ../shared/vendors/vectors")
    loaded: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return loaded


@pytest.mark.parametrize("name", ["header", "header_rotated_two_secrets"])
def test_the_published_stripe_vector_is_taken_at_its_time_only(name: str) -> None:
    known = vector("stripe_webhook.json")
    body, moment = known["body"].encode(), datetime.fromtimestamp(known["timestamp"]).astimezone()

    proofs.stripe(known[name], body, [known["secret"]], moment + timedelta(seconds=300))
    assert stripe.parse_event(body).id == "evt_1Test"

    for wrong in (moment + timedelta(seconds=301), moment - timedelta(seconds=301)):
        with pytest.raises(SignatureRefused, match="off our clock"):
            proofs.stripe(known[name], body, [known["secret"]], wrong)
    with pytest.raises(SignatureRefused, match="does not match"):
        proofs.stripe(known[name], body + b" ", [known["secret"]], moment)


def test_the_published_docusign_vector_is_taken_with_either_key() -> None:
    known = vector("docusign_connect_hmac.json")
    body = known["body"].encode()
    headers = {name.lower(): value for name, value in known["headers"].items()}

    for key in known["keys"]:
        proofs.docusign(headers, body, [key])
    assert docusign.deal_id_of(docusign.parse_message(body)) == "42"
    with pytest.raises(SignatureRefused, match="matches the body"):
        proofs.docusign(headers, body + b" ", known["keys"])


def test_the_stripe_rule_holds_on_a_vector_of_our_own() -> None:
    """Computed with `openssl dgst -sha256 -hmac whsec_test`."""
    body = '{"id": "evt_1", "name": "Zoë €"}'.encode()
    moment = datetime.fromisoformat("2026-11-22T20:00:00+00:00")
    signature = "f73c0bffd96c54c26402f35eebf0a54d796e78d318ca8c5c073a6971fc51e132"

    proofs.stripe(f"t=1795377600,v1={signature}", body, ["whsec_other", "whsec_test"], moment)
    with pytest.raises(SignatureRefused):
        proofs.stripe(f"t=1795377601,v1={signature}", body, ["whsec_test"], moment)


def test_the_docusign_rule_holds_on_a_vector_of_our_own() -> None:
    """Computed with `openssl dgst -sha256 -hmac connect-key -binary | base64`."""
    body = '{"event": "envelope-completed", "name": "Zoë €"}'.encode()
    signature = "uRJj/XDeiXbozlVjPY+BEuyKtdasa7ygDtFmHZ/owXo="

    proofs.docusign({"x-docusign-signature-2": signature}, body, ["another", "connect-key"])
    with pytest.raises(SignatureRefused):
        proofs.docusign({"x-authorization-digest": signature}, body, ["connect-key"])
