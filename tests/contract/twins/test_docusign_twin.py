"""The DocuSign twin, driven by DocuSign's own library: sign-in, envelopes, lists, and Connect messages."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from docusign_esign import (
    ApiClient,
    CustomFields,
    Envelope,
    EnvelopeDefinition,
    EnvelopesApi,
    RecipientViewRequest,
    TemplateRole,
    TextCustomField,
)
from docusign_esign.client.api_exception import ApiException

from local.twins.docusign import DocuSignTwin
from local.twins.docusign_connect import connect_headers
from local.twins.server import RunningTwin

INTEGRATION_KEY = "1f000000-0000-4000-8000-000000000001"
USER = "d0000000-0000-4000-8000-000000000001"
ACCOUNT = "a0000000-0000-4000-8000-000000000001"
TEMPLATE = "7e000000-0000-4000-8000-000000000001"
TRANSACTION = "9c000000-0000-4000-8000-000000000001"
CONNECT_KEYS = ["OLDKEY-aaaaaaaaaaaaaaaaaaaaaaaa", "NEWKEY-bbbbbbbbbbbbbbbbbbbbbbbb"]
SCOPES = ["signature", "impersonation"]
AT = f"/restapi/v2.1/accounts/{ACCOUNT}/envelopes"


class Receiver(Protocol):
    """The product's endpoint of conftest: what it answers, and what it was sent."""

    url: str
    answers: list[tuple[int, str]]
    bodies: list[bytes]
    headers: list[dict[str, str]]


class PlainClient(ApiClient):  # type: ignore[misc]
    """The library writes https:// before its OAuth host; on loopback there is none."""

    def request(self, method: str, url: str, **more: Any) -> Any:
        secure = f"https://{self.oauth_host_name}/"
        return super().request(method, url.replace(secure, f"http://{self.oauth_host_name}/", 1), **more)


@pytest.fixture
def twin(running: Callable[..., RunningTwin], key_pair: tuple[str, str], receiver: Receiver) -> DocuSignTwin:
    twin = DocuSignTwin(
        integration_key=INTEGRATION_KEY,
        user_id=USER,
        account_id=ACCOUNT,
        public_key_pem=key_pair[1],
        connect_keys=CONNECT_KEYS,
        connect_url=receiver.url,
        templates={TEMPLATE: {"name": "Order form", "roles": ["signer", "countersigner"]}},
    )
    running(twin)
    return twin


@pytest.fixture
def api(twin: DocuSignTwin, key_pair: tuple[str, str]) -> Iterator[EnvelopesApi]:
    host = urlsplit(twin.url).netloc
    client = PlainClient(oauth_host_name=host)
    token = client.request_jwt_user_token(INTEGRATION_KEY, USER, host, key_pair[0].encode(), 3_600, SCOPES)
    (account,) = client.get_user_info(token.access_token).accounts
    client.host = f"{account.base_uri}/restapi"
    yield EnvelopesApi(client)
    client.rest_client.pool_manager.clear()


def a_definition(**changed: Any) -> EnvelopeDefinition:
    given = {
        "template_id": TEMPLATE,
        "template_roles": [TemplateRole(email="zoe@express.example", name="Zoë O'Neil", role_name="signer")],
        "email_subject": "Offer – Zoë",
        "transaction_id": TRANSACTION,
        "custom_fields": CustomFields(text_custom_fields=[TextCustomField(name="deal_id", value="42", show="false")]),
        "status": "sent",
    }
    return EnvelopeDefinition(**(given | changed))


def create(api: EnvelopesApi, **changed: Any) -> str:
    return str(api.create_envelope(ACCOUNT, envelope_definition=a_definition(**changed)).envelope_id)


def token_of(twin: DocuSignTwin, key_pair: tuple[str, str]) -> str:
    return str(sign_in(twin, key_pair[0]).json()["access_token"])


def sign_in(twin: DocuSignTwin, private_key: Any, **changed: Any) -> requests.Response:
    now = int(time.time())
    claims = {
        "iss": INTEGRATION_KEY,
        "sub": USER,
        "aud": "account-d.docusign.com",
        "iat": now,
        "exp": now + 3_600,
        "scope": "signature impersonation",
    }
    assertion = jwt.encode(claims | changed, private_key, algorithm="RS256")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    return requests.post(f"{twin.url}/oauth/token", data=form, timeout=5)


def post(twin: DocuSignTwin, token: str, **changed: Any) -> requests.Response:
    """A definition as it travels; None leaves a field out."""
    definition = {
        "templateId": TEMPLATE,
        "templateRoles": [{"email": "zoe@express.example", "name": "Zoë", "roleName": "signer"}],
        "status": "sent",
    }
    body = {name: value for name, value in (definition | changed).items() if value is not None}
    return requests.post(twin.url + AT, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=5)


def act(twin: DocuSignTwin, name: str, **body: str) -> int:
    return requests.post(f"{twin.url}/_twin/act/{name}", json=body, timeout=5).status_code


def messages(twin: DocuSignTwin, receiver: Receiver) -> list[Any]:
    assert twin.webhooks.drain()
    return [json.loads(body) for body in receiver.bodies]


def test_the_signatures_are_those_of_the_checked_vector() -> None:
    fields = [{"fieldId": "1", "name": "deal_id", "show": "false", "required": "false", "value": "42"}]
    summary = {
        "status": "completed",
        "emailSubject": "Offer – Zoë",
        "completedDateTime": "2026-11-22T19:59:59.99Z",
        "statusChangedDateTime": "2026-11-22T19:59:59.99Z",
        "customFields": {"textCustomFields": fields, "listCustomFields": []},
    }
    envelope = "e0000000-0000-4000-8000-000000000001"
    message = {
        "event": "envelope-completed",
        "apiVersion": "v2.1",
        "uri": f"{AT}/{envelope}",
        "retryCount": 0,
        "configurationId": 12345,
        "generatedDateTime": "2026-11-22T20:00:00.1234567Z",
        "data": {
            "accountId": ACCOUNT,
            "userId": "u0000000-0000-4000-8000-000000000001",
            "envelopeId": envelope,
            "envelopeSummary": summary,
        },
    }

    headers = connect_headers(CONNECT_KEYS, ACCOUNT, json.dumps(message, ensure_ascii=False).encode())

    assert headers["X-DocuSign-Signature-1"] == "go+J+5aTvA7IgX9WnCvO+wioFxmUkeqMDVAT3fOAcx0="
    assert headers["X-DocuSign-Signature-2"] == "oSGoFcAQUK9zyOby5TuTr/xMMWgCM5JO2TCducMiyhE="
    assert headers["X-Authorization-Digest"] == "HMACSHA256"
    assert headers["X-DocuSign-AccountId"] == ACCOUNT


def test_a_jwt_gives_a_token_for_an_hour(twin: DocuSignTwin, key_pair: tuple[str, str]) -> None:
    answer = sign_in(twin, key_pair[0]).json()
    headers = {"Authorization": f"Bearer {answer['access_token']}"}

    user = requests.get(f"{twin.url}/oauth/userinfo", headers=headers, timeout=5).json()

    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3_600)
    (account,) = user["accounts"]
    assert (user["sub"], account["account_id"], account["is_default"]) == (USER, ACCOUNT, True)
    assert account["base_uri"] == twin.url


@pytest.mark.parametrize(
    ("changed", "error", "description"),
    [
        ({"iss": "other"}, "invalid_grant", "issuer_not_found"),
        ({"sub": "other"}, "invalid_grant", "user_not_found"),
        ({"exp": 1_700_000_000, "iat": 1_699_999_000}, "invalid_grant", "expired_grant"),
        ({"exp": int(time.time()) + 7_300}, "invalid_grant", "invalid assertion"),
        ({"aud": "https://account-d.docusign.com"}, "invalid_grant", "invalid assertion"),
        ({"scope": "signature"}, "consent_required", ""),
    ],
)
def test_a_wrong_assertion_is_refused(
    twin: DocuSignTwin, key_pair: tuple[str, str], changed: dict[str, Any], error: str, description: str
) -> None:
    answer = sign_in(twin, key_pair[0], **changed)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json().get("error_description", "").startswith(description)


def test_another_key_signs_nobody_in(twin: DocuSignTwin) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    answer = sign_in(twin, stranger)

    assert answer.json() == {"error": "invalid_grant", "error_description": "no_valid_keys_or_signatures"}


def test_another_grant_is_unsupported(twin: DocuSignTwin) -> None:
    answer = requests.post(f"{twin.url}/oauth/token", data={"grant_type": "password"}, timeout=5)

    assert (answer.status_code, answer.json()) == (400, {"error": "unsupported_grant_type"})


def test_without_consent_nobody_signs_in(twin: DocuSignTwin, key_pair: tuple[str, str]) -> None:
    twin.act("consent", {"granted": False})

    assert sign_in(twin, key_pair[0]).json() == {"error": "consent_required"}


def test_a_call_needs_a_living_token_and_the_own_account(twin: DocuSignTwin, key_pair: tuple[str, str]) -> None:
    token = token_of(twin, key_pair)
    own = {"Authorization": f"Bearer {token}"}
    elsewhere = AT.replace(ACCOUNT, "a0000000-0000-4000-8000-000000000002")

    none = requests.get(twin.url + AT, timeout=5)
    wrong = requests.get(twin.url + AT, headers={"Authorization": "Bearer x"}, timeout=5)
    other = requests.get(twin.url + elsewhere, headers=own, timeout=5)
    twin.clock = lambda: datetime.now(UTC) + timedelta(hours=1, seconds=1)
    late = requests.get(twin.url + AT, headers=own, timeout=5)

    assert [answer.status_code for answer in (none, wrong, other, late)] == [401] * 4
    assert wrong.json()["errorCode"] == late.json()["errorCode"] == "USER_AUTHENTICATION_FAILED"
    assert other.json()["errorCode"] == "USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT"


def test_a_sent_envelope_can_be_read_in_parts(twin: DocuSignTwin, api: EnvelopesApi) -> None:
    envelope_id = create(api)

    plain = api.get_envelope(ACCOUNT, envelope_id)
    twin.clock = lambda: datetime.now(UTC) + timedelta(minutes=15)
    whole = api.get_envelope(ACCOUNT, envelope_id, include="custom_fields")
    (field,) = api.list_custom_fields(ACCOUNT, envelope_id).text_custom_fields
    (signer,) = api.list_recipients(ACCOUNT, envelope_id).signers

    assert (plain.status, plain.email_subject, plain.custom_fields) == ("sent", "Offer – Zoë", None)
    assert plain.sent_date_time == plain.status_changed_date_time
    assert whole.custom_fields.text_custom_fields[0].value == "42"
    assert (field.name, field.value, field.show) == ("deal_id", "42", "false")
    assert (signer.email, signer.role_name, signer.status) == ("zoe@express.example", "signer", "sent")


def test_the_same_post_twice_makes_two_envelopes_that_share_their_transaction(api: EnvelopesApi) -> None:
    made = {create(api), create(api)}

    found = api.list_status_changes(ACCOUNT, transaction_ids=TRANSACTION)

    assert len(made) == 2
    assert {envelope.envelope_id for envelope in found.envelopes} == made
    assert {row.envelope_id for row in found.envelope_transaction_statuses} == made


def test_a_transaction_is_forgotten_after_seven_days(twin: DocuSignTwin, api: EnvelopesApi) -> None:
    create(api)
    twin.clock = lambda: datetime.now(UTC) + timedelta(days=7)
    twin.login.tokens = dict.fromkeys(twin.login.tokens, 4e9)

    assert api.list_status_changes(ACCOUNT, transaction_ids=TRANSACTION).envelopes is None


def test_envelopes_are_found_by_their_custom_field(api: EnvelopesApi) -> None:
    wanted, other = create(api), create(api, custom_fields=None)
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()

    found = api.list_status_changes(ACCOUNT, custom_field="deal_id=42", from_date=since, include="custom_fields")
    every = api.list_status_changes(ACCOUNT, from_date=since, status="sent", count="1")
    none = api.list_status_changes(ACCOUNT, custom_field="deal_id=4", from_date=since)
    by_id = api.list_status_changes(ACCOUNT, envelope_ids=other)

    assert [row.envelope_id for row in found.envelopes] == [wanted]
    assert found.envelopes[0].custom_fields.text_custom_fields[0].name == "deal_id"
    assert (every.result_set_size, every.total_set_size) == ("1", "2")
    assert (none.envelopes, none.total_set_size) == (None, "0")
    assert [row.envelope_id for row in by_id.envelopes] == [other]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"custom_field": "deal_id=42"},
        {"from_date": "yesterday"},
        {"from_date": "2026-01-01", "count": "many"},
        {"from_date": "2026-01-01", "colour": "red"},
    ],
)
def test_a_list_needs_a_date_or_ids(twin: DocuSignTwin, key_pair: tuple[str, str], asked: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {token_of(twin, key_pair)}"}

    answer = requests.get(twin.url + AT, params=asked, headers=headers, timeout=5)

    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_REQUEST_PARAMETER")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"colour": "red"}, "INVALID_REQUEST_PARAMETER"),
        ({"status": "completed"}, "INVALID_REQUEST_PARAMETER"),
        ({"templateId": None}, "ENVELOPE_IS_INCOMPLETE"),
        ({"templateId": str(uuid.uuid4())}, "TEMPLATE_ID_INVALID"),
        ({"templateRoles": None}, "ENVELOPE_IS_INCOMPLETE"),
        ({"templateRoles": [{"email": "a@b.example", "name": "A", "roleName": "king"}]}, "INVALID_REQUEST_PARAMETER"),
        ({"templateRoles": [{"email": "a@b.example", "roleName": "signer"}]}, "INVALID_REQUEST_PARAMETER"),
        (
            {"templateRoles": [{"email": "a", "name": "A", "roleName": "signer"}]},
            "INVALID_EMAIL_ADDRESS_FOR_RECIPIENT",
        ),
        (
            {"templateRoles": [{"email": "a@b.example", "name": "A", "roleName": "signer", "tabs": []}]},
            "INVALID_REQUEST_PARAMETER",
        ),
        ({"emailSubject": "x" * 101}, "INVALID_REQUEST_PARAMETER"),
        ({"transactionId": "deal-42"}, "INVALID_REQUEST_PARAMETER"),
        ({"customFields": {"textCustomFields": [{"value": "42"}]}}, "INVALID_REQUEST_PARAMETER"),
        (
            {"customFields": {"textCustomFields": [{"name": "n", "value": "x" * 101}]}},
            "INVALID_REQUEST_PARAMETER",
        ),
        ({"eventNotification": {"events": []}}, "INVALID_REQUEST_PARAMETER"),
    ],
)
def test_a_wrong_definition_makes_no_envelope(
    twin: DocuSignTwin, key_pair: tuple[str, str], changed: dict[str, Any], code: str
) -> None:
    answer = post(twin, token_of(twin, key_pair), **changed)

    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
    assert twin.envelopes == {}


def test_a_body_must_be_an_object(twin: DocuSignTwin, key_pair: tuple[str, str]) -> None:
    headers = {"Authorization": f"Bearer {token_of(twin, key_pair)}"}

    answer = requests.post(twin.url + AT, data=b"[]", headers=headers, timeout=5)

    assert (answer.status_code, answer.json()["errorCode"]) == (400, "INVALID_REQUEST_BODY")


def test_a_draft_is_sent_once(twin: DocuSignTwin, api: EnvelopesApi, receiver: Receiver) -> None:
    draft = create(api, status="created")
    before = messages(twin, receiver)

    api.update(ACCOUNT, draft, envelope=Envelope(status="sent"))
    with pytest.raises(ApiException, match="ENVELOPE_INVALID_STATUS"):
        api.update(ACCOUNT, draft, envelope=Envelope(status="sent"))

    assert before == []
    assert [message["event"] for message in messages(twin, receiver)] == ["envelope-sent"]


def test_only_a_running_envelope_is_voided_and_only_with_a_reason(api: EnvelopesApi) -> None:
    draft, running = create(api, status="created"), create(api)
    void = Envelope(status="voided", voided_reason="changed terms " * 20)

    with pytest.raises(ApiException, match="voidedReason"):
        api.update(ACCOUNT, running, envelope=Envelope(status="voided"))
    api.update(ACCOUNT, running, envelope=void)
    for final in (draft, running):
        with pytest.raises(ApiException, match="ENVELOPE_CANNOT_VOID_INVALID_STATE"):
            api.update(ACCOUNT, final, envelope=void)

    voided = api.get_envelope(ACCOUNT, running)
    assert (voided.status, len(voided.voided_reason)) == ("voided", 200)
    assert voided.voided_date_time == voided.status_changed_date_time


def test_any_other_update_is_refused(api: EnvelopesApi) -> None:
    running = create(api)

    with pytest.raises(ApiException, match="INVALID_REQUEST_PARAMETER") as refused:
        api.update(ACCOUNT, running, envelope=Envelope(status="completed"))

    assert refused.value.status == 400


def test_an_unknown_envelope_does_not_exist(api: EnvelopesApi) -> None:
    with pytest.raises(ApiException, match="ENVELOPE_DOES_NOT_EXIST") as refused:
        api.get_envelope(ACCOUNT, str(uuid.uuid4()))

    assert refused.value.status == 404


def test_every_step_is_told_and_signed(twin: DocuSignTwin, api: EnvelopesApi, receiver: Receiver) -> None:
    envelope_id = create(api)
    twin.act("deliver", {"envelope_id": envelope_id})
    twin.act("complete", {"envelope_id": envelope_id})

    told = messages(twin, receiver)

    assert [message["event"] for message in told] == [
        "envelope-sent",
        "envelope-delivered",
        "envelope-completed",
    ]
    for body, headers in zip(receiver.bodies, receiver.headers, strict=True):
        for at, key in enumerate(CONNECT_KEYS, start=1):
            expected = base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()
            assert {name.lower(): value for name, value in headers.items()}[f"x-docusign-signature-{at}"] == expected
    last = told[-1]
    summary = last["data"]["envelopeSummary"]
    assert last["uri"] == f"{AT}/{envelope_id}"
    assert (last["data"]["accountId"], last["data"]["userId"]) == (ACCOUNT, USER)
    assert (last["data"]["envelopeId"], summary["status"]) == (envelope_id, "completed")
    assert summary["completedDateTime"] == summary["statusChangedDateTime"]
    assert summary["customFields"]["textCustomFields"][0]["value"] == "42"
    assert "transactionId" not in summary


def test_nobody_signs_what_was_not_opened(twin: DocuSignTwin, api: EnvelopesApi, receiver: Receiver) -> None:
    twin.act("complete", {"envelope_id": create(api)})

    told = [message["event"] for message in messages(twin, receiver)]
    assert told == ["envelope-sent", "envelope-delivered", "envelope-completed"]


@pytest.mark.parametrize("name", ["deliver", "complete", "decline", "void", "expire"])
def test_a_completed_envelope_is_final(twin: DocuSignTwin, api: EnvelopesApi, name: str) -> None:
    envelope_id = create(api)
    twin.act("complete", {"envelope_id": envelope_id})

    assert act(twin, name, envelope_id=envelope_id, reason="late") == 400
    assert api.get_envelope(ACCOUNT, envelope_id).status == "completed"


def test_a_signer_declines_and_the_reason_stands_with_the_signer(
    twin: DocuSignTwin, api: EnvelopesApi, receiver: Receiver
) -> None:
    envelope_id = create(api)

    twin.act("decline", {"envelope_id": envelope_id, "reason": "too expensive"})

    summary = messages(twin, receiver)[-1]["data"]["envelopeSummary"]
    (signer,) = api.list_recipients(ACCOUNT, envelope_id).signers
    assert (summary["status"], "declinedReason" in summary) == ("declined", False)
    assert (signer.status, signer.declined_reason) == ("declined", "too expensive")


@pytest.mark.parametrize(("name", "reason"), [("void", "changed terms"), ("expire", "Envelope has expired.")])
def test_an_end_without_signature_is_a_void_with_its_reason(
    twin: DocuSignTwin, api: EnvelopesApi, receiver: Receiver, name: str, reason: str
) -> None:
    envelope_id = create(api)

    twin.act(name, {"envelope_id": envelope_id, "reason": "changed terms"})

    told = messages(twin, receiver)[-1]
    assert told["event"] == "envelope-voided"
    assert told["data"]["envelopeSummary"]["voidedReason"] == reason


def test_an_envelope_can_have_a_listener_of_its_own(
    twin: DocuSignTwin, key_pair: tuple[str, str], receiver: Receiver
) -> None:
    twin.connect_url = None
    listener = {"url": receiver.url, "events": ["envelope-completed"], "includeHMAC": "true"}
    made = post(twin, token_of(twin, key_pair), eventNotification=listener).json()

    twin.act("complete", {"envelope_id": made["envelopeId"]})

    (told,) = messages(twin, receiver)
    assert told["event"] == "envelope-completed"
    assert "X-Docusign-Signature-2" in receiver.headers[0]


def test_a_second_look_at_an_envelope_within_a_quarter_of_an_hour_is_refused(
    twin: DocuSignTwin, api: EnvelopesApi
) -> None:
    envelope_id, start = create(api), datetime.now(UTC)
    api.get_envelope(ACCOUNT, envelope_id)

    twin.clock = lambda: start + timedelta(minutes=14)
    with pytest.raises(ApiException) as refused:
        api.get_envelope(ACCOUNT, envelope_id)
    twin.clock = lambda: start + timedelta(minutes=16)
    api.get_envelope(ACCOUNT, envelope_id)

    assert refused.value.status == 400
    assert json.loads(refused.value.body)["errorCode"] == "Hourly_Envelope_Polling_Limit_Exceeded"
    assert twin.state()["polls_too_often"] == 1


def test_an_envelope_that_is_out_is_sent_again_and_no_other(
    twin: DocuSignTwin, api: EnvelopesApi, receiver: Receiver
) -> None:
    envelope_id = create(api)

    api.update(ACCOUNT, envelope_id, envelope=Envelope(), resend_envelope="true")
    resent = messages(twin, receiver)[-1]
    twin.act("complete", {"envelope_id": envelope_id})
    with pytest.raises(ApiException) as refused:
        api.update(ACCOUNT, envelope_id, envelope=Envelope(), resend_envelope="true")

    assert (resent["event"], resent["data"]["envelopeSummary"]["status"]) == ("envelope-resent", "sent")
    assert json.loads(refused.value.body)["errorCode"] == "ENVELOPE_INVALID_STATUS"


def test_a_corrected_address_keeps_the_envelope_out(twin: DocuSignTwin, api: EnvelopesApi, receiver: Receiver) -> None:
    envelope_id = create(api)

    twin.act("correct", {"envelope_id": envelope_id, "email": "yan@express.example", "name": "Yan"})

    told = messages(twin, receiver)[-1]
    (signer,) = api.list_recipients(ACCOUNT, envelope_id).signers
    assert (told["event"], told["data"]["envelopeSummary"]["status"]) == ("envelope-corrected", "sent")
    assert (signer.email, signer.name) == ("yan@express.example", "Yan")


EMBEDDED = TemplateRole(email="zoe@express.example", name="Zoë", role_name="signer", client_user_id="contact-1")


def a_view(**changed: Any) -> RecipientViewRequest:
    given = {
        "authentication_method": "none",
        "client_user_id": "contact-1",
        "email": "zoe@express.example",
        "user_name": "Zoë",
        "return_url": "https://desk.test/signed?deal=42",
    }
    return RecipientViewRequest(**(given | changed))


def test_an_embedded_view_opens_the_contract_once_and_soon(twin: DocuSignTwin, api: EnvelopesApi) -> None:
    envelope_id, start = create(api, template_roles=[EMBEDDED]), datetime.now(UTC)
    one, late = (api.create_recipient_view(ACCOUNT, envelope_id, recipient_view_request=a_view()).url for _ in range(2))

    first, second = (requests.get(one, timeout=5, allow_redirects=False) for _ in range(2))
    twin.clock = lambda: start + timedelta(minutes=6)
    third = requests.get(late, timeout=5, allow_redirects=False)

    assert first.status_code == 200
    assert twin.envelopes[envelope_id].status == "delivered"
    for answer in (second, third):
        assert answer.status_code == 302
        assert answer.headers["Location"] == "https://desk.test/signed?deal=42&event=ttl_expired"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_user_id": "contact-2"}, "UNKNOWN_ENVELOPE_RECIPIENT"),
        ({"email": "yan@express.example"}, "UNKNOWN_ENVELOPE_RECIPIENT"),
        ({"user_name": "Yan"}, "UNKNOWN_ENVELOPE_RECIPIENT"),
        ({"client_user_id": None}, "INVALID_REQUEST_PARAMETER"),
        ({"authentication_method": None}, "INVALID_REQUEST_PARAMETER"),
        ({"return_url": None}, "INVALID_REQUEST_PARAMETER"),
        ({"return_url": "https://desk.test/" + "x" * 470}, "INVALID_REQUEST_PARAMETER"),
    ],
)
def test_an_embedded_view_is_only_for_the_signer_who_was_named(
    api: EnvelopesApi, changed: dict[str, Any], code: str
) -> None:
    envelope_id = create(api, template_roles=[EMBEDDED])

    with pytest.raises(ApiException) as refused:
        api.create_recipient_view(ACCOUNT, envelope_id, recipient_view_request=a_view(**changed))

    assert json.loads(refused.value.body)["errorCode"] == code


def test_there_is_no_embedded_view_of_an_envelope_that_has_ended(twin: DocuSignTwin, api: EnvelopesApi) -> None:
    envelope_id = create(api, template_roles=[EMBEDDED])
    twin.act("complete", {"envelope_id": envelope_id})

    with pytest.raises(ApiException) as refused:
        api.create_recipient_view(ACCOUNT, envelope_id, recipient_view_request=a_view())

    assert json.loads(refused.value.body)["errorCode"] == "ENVELOPE_INVALID_STATUS"


def test_every_answer_tells_what_is_left_of_the_hour(twin: DocuSignTwin, key_pair: tuple[str, str]) -> None:
    token = token_of(twin, key_pair)
    half_past = datetime.now(UTC).replace(minute=30)
    twin.clock = lambda: half_past

    first, second = post(twin, token), post(twin, token)

    limit, left = "X-RateLimit-Limit", "X-RateLimit-Remaining"
    assert (first.headers[limit], first.headers[left], second.headers[left]) == ("3000", "2999", "2998")
    assert 0 < int(first.headers["X-RateLimit-Reset"]) - half_past.timestamp() <= 1_800
    assert first.headers["X-BurstLimit-Remaining"] == "499"


def test_a_reset_forgets_everything(twin: DocuSignTwin, api: EnvelopesApi) -> None:
    create(api)
    twin.act("consent", {"granted": False})

    twin.reset()

    assert twin.state() == {"envelopes": [], "polls_too_often": 0, "consented": True}
