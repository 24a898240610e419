"""HubSpot's signatures, by the examples that HubSpot publishes and by its own library where that is right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hubspot.utils.signature import Signature
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.edge import proofs
from dealdesk.edge.proofs import HubspotVersion
from dealdesk.edge.webhooks import uri_of
from dealdesk.errors import SignatureRefused, Unavailable

# Published in the tests of hubspot-api-python, and in HubSpot's "Validating requests" in part.
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URI = "https://www.example.com/webhook_uri"
BODY = b"{'example_field':'example_value'}"
TIMESTAMP = "1693657560000"
V3 = "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="
V2_POST = "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"
V2_GET = "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
V1 = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"
V1_BODY = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":'
    b'"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]'
)
THEN = datetime(2023, 9, 2, 12, 26, tzinfo=UTC)
TWELVE = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}


def headers(signature: str, timestamp: str = TIMESTAMP) -> dict[str, str]:
    return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}


def check(
    version: HubspotVersion,
    given: dict[str, str],
    *,
    method: str = "POST",
    uri: str = URI,
    body: bytes = BODY,
    secrets: tuple[str, ...] = (SECRET,),
    now: datetime = THEN,
) -> None:
    proofs.hubspot(version, given, method, uri, body, secrets, now)


def by_library(uri: str, body: str, method: str = "POST") -> str:
    return str(Signature.get_signature(SECRET, body, "v3", uri, method, TIMESTAMP))


def test_the_published_signatures_are_taken() -> None:
    check("v3", headers(V3))
    check("v2", {"x-hubspot-signature": V2_POST, "x-hubspot-signature-version": "v2"})
    check("v2", {"x-hubspot-signature": V2_GET}, method="GET", body=b"")
    check("v1", {"x-hubspot-signature": V1, "x-hubspot-signature-version": "v1"}, body=V1_BODY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": b'{"example_field": "example_value"}'},
        {"method": "PUT"},
        {"uri": URI + "?a=1"},
        {"uri": URI.replace("https", "http")},
        {"secrets": ("another",)},
    ],
    ids=str,
)
def test_v3_covers_method_address_body_and_secret(wrong: dict[str, object]) -> None:
    with pytest.raises(SignatureRefused, match="does not match"):
        check("v3", headers(V3), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("signature", [V3.lower(), V3[:-1], "", "%%%", "é", V2_POST, bytes(V3, "ascii").hex()])
def test_v3_is_base64_and_nothing_else_is_taken_for_it(signature: str) -> None:
    with pytest.raises(SignatureRefused):
        check("v3", headers(signature))


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_nothing_is_proved_and_the_failure_is_ours(secrets: tuple[str, ...]) -> None:
    with pytest.raises(Unavailable):
        check("v3", headers(V3), secrets=secrets)


def test_any_of_our_secrets_may_match_while_one_is_rotated() -> None:
    check("v3", headers(V3), secrets=("the new one", SECRET))


@pytest.mark.parametrize("seconds", [0, 299, 300, -60])
def test_a_message_of_the_last_five_minutes_is_taken(seconds: int) -> None:
    check("v3", headers(V3), now=THEN + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [301, 86_400, -61, -301, -86_400])
def test_a_stale_message_and_one_from_the_future_are_refused(seconds: int) -> None:
    with pytest.raises(SignatureRefused, match="last 300 s"):
        check("v3", headers(V3), now=THEN + timedelta(seconds=seconds))


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1693657560000.0", "٣", "9" * 20])
def test_a_timestamp_that_is_no_number_of_milliseconds_is_refused(timestamp: str) -> None:
    with pytest.raises(SignatureRefused, match="milliseconds"):
        check("v3", headers(V3, timestamp))


@pytest.mark.parametrize("version", ["v3", "v2", "v1"])
def test_a_missing_signature_is_refused_and_no_defect(version: HubspotVersion) -> None:
    with pytest.raises(SignatureRefused, match="is missing"):
        check(version, {"x-hubspot-request-timestamp": TIMESTAMP})


def test_a_weaker_signature_is_not_taken_where_v3_is_wanted() -> None:
    weaker = {"x-hubspot-signature": V1, "x-hubspot-signature-version": "v1"}

    with pytest.raises(SignatureRefused, match="v3 header is missing"):
        check("v3", weaker, body=V1_BODY)


@pytest.mark.parametrize(("version", "said"), [("v1", "v2"), ("v2", "v1"), ("v1", "v3"), ("v2", "")])
def test_a_signature_of_another_version_than_the_configured_one_is_refused(version: HubspotVersion, said: str) -> None:
    signature = V1 if version == "v1" else V2_POST

    with pytest.raises(SignatureRefused, match="another version"):
        check(version, {"x-hubspot-signature": signature, "x-hubspot-signature-version": said}, body=V1_BODY)


@pytest.mark.parametrize("escape", [*TWELVE, *(escape.lower() for escape in TWELVE)])
def test_twelve_escapes_of_the_address_are_decoded_before_signing(escape: str) -> None:
    called = f"{URI}?note=a{escape}b"
    signed = called.replace(escape, TWELVE[escape.upper()])

    check("v3", headers(by_library(signed, BODY.decode())), uri=called)


@pytest.mark.parametrize("escape", ["%20", "%26", "%3D", "%25", "%2B", "%23", "%C3%A9", "%22", "%5B", "%253A"])
def test_every_other_escape_is_signed_as_it_is(escape: str) -> None:
    called = f"{URI}?note=a{escape}b"

    check("v3", headers(by_library(called, BODY.decode())), uri=called)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters=":/?@!$'()*,;"), max_size=40), st.text())
def test_the_desk_agrees_with_hubspots_own_library(note: str, body: str) -> None:
    called = f"{URI}?note={quote(note, safe='')}"

    check("v3", headers(by_library(called, body)), uri=called, body=body.encode())


@pytest.mark.parametrize(
    ("event", "public_url", "uri"),
    [
        ({"path": "/webhooks/hubspot"}, "https://desk.example", "https://desk.example/webhooks/hubspot"),
        ({"path": "/webhooks/hubspot"}, "https://desk.example/", "https://desk.example/webhooks/hubspot"),
        ({"path": "/webhooks/hubspot"}, "https://desk.example/prod", "https://desk.example/prod/webhooks/hubspot"),
        ({"path": "/api/webhooks/hubspot"}, "https://desk.example/api", "https://desk.example/api/webhooks/hubspot"),
        (
            {
                "path": "/webhooks/hubspot",
                "requestContext": {"domainName": "x.execute-api.aws", "path": "/prod/webhooks/hubspot"},
                "headers": {"Host": "evil.example", "X-Forwarded-Proto": "http"},
            },
            "",
            "https://x.execute-api.aws/prod/webhooks/hubspot",
        ),
        (
            {"path": "/w", "multiValueQueryStringParameters": {"b": ["x y", "2"], "a": ["é&="]}},
            "https://d.example",
            "https://d.example/w?b=x%20y&b=2&a=%C3%A9%26%3D",
        ),
        ({"rawPath": "/w", "rawQueryString": "b=%2f&a=1"}, "https://d.example", "https://d.example/w?b=%2f&a=1"),
    ],
)
def test_the_address_is_the_one_that_the_vendor_called(event: dict[str, object], public_url: str, uri: str) -> None:
    assert uri_of(event, public_url) == uri
