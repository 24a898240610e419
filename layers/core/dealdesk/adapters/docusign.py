"""DocuSign by docusign-esign: an envelope from a template, with our deal and intent in its custom fields."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from docusign_esign import (
    ApiClient,
    CustomFields,
    Envelope,
    EnvelopeDefinition,
    EnvelopesApi,
    Tabs,
    TemplateRole,
    Text,
    TextCustomField,
)
from docusign_esign.client.api_exception import ApiException

from dealdesk.contracts.docusign import DEAL_FIELD, INTENT_FIELD, STATUS, moment
from dealdesk.domain.deal import Deal
from dealdesk.domain.money import format_money
from dealdesk.domain.quote import Quote
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import EnvelopeState, Person

TIMEOUT_SECONDS = (3.05, 8)
TOKEN_SECONDS = 3600
SIGNER_ROLE = "signer"
SUBJECT_LIMIT = 100
SCOPES = ("signature", "impersonation")

# transactionId must be a GUID: ours is made from the intent's key, so a lost answer can be asked for.
_INTENTS = uuid.UUID("6f1d2a52-5f3c-5c0f-9f0e-3d2b8a7c4e11")

Answer = TypeVar("Answer")


class _Client(ApiClient):  # type: ignore[misc]
    """The library writes https and no timeout into its sign-in; this sends it where the settings say, with one."""

    def __init__(self, oauth_url: str) -> None:
        super().__init__()
        self._oauth_url = oauth_url.rstrip("/")
        self.oauth_host_name = urlsplit(oauth_url).netloc
        self.rest_client.pool_manager.connection_pool_kw["retries"] = False

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        prefix = f"https://{self.oauth_host_name}"
        there = self._oauth_url + url.removeprefix(prefix) if url.startswith(prefix) else url
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or TIMEOUT_SECONDS
        return super().request(method, there, **kwargs)


class DocusignSignatures:
    """The `Signatures` port. DocuSign has no idempotency key: `look_up` asks by transactionId after any doubt."""

    def __init__(
        self,
        oauth_url: str,
        *,
        integration_key: str,
        user_id: str,
        account_id: str,
        private_key: str,
        template_id: str,
    ) -> None:
        self._oauth_url = oauth_url
        self._integration_key = integration_key
        self._user_id = user_id
        self._account_id = account_id
        self._private_key = private_key.encode()
        self._template_id = template_id
        self._signed_in_until = 0.0
        self._api: EnvelopesApi | None = None

    def send(self, key: str, deal: Deal, signer: Person) -> str:
        definition = self._definition(key, deal, signer)
        summary = self._call(lambda api: api.create_envelope(self._account_id, envelope_definition=definition))
        return str(summary.envelope_id)

    def look_up(self, key: str, opened_at: datetime) -> EnvelopeState | None:
        """The envelope that carries this intent's transactionId; DocuSign remembers those for 7 days,
        so the custom field is asked as well.
        """
        transaction_id = _transaction_id(key)
        found = self._call(
            lambda api: api.list_status_changes(
                self._account_id, transaction_ids=transaction_id, include="custom_fields"
            )
        ).envelopes
        if not found:
            found = self._call(
                lambda api: api.list_status_changes(
                    self._account_id,
                    custom_field=f"{INTENT_FIELD}={key}",
                    from_date=opened_at.isoformat(),
                    include="custom_fields",
                )
            ).envelopes
        return _state(found[0]) if found else None

    def status(self, envelope_id: str) -> EnvelopeState:
        return _state(self._call(lambda api: api.get_envelope(self._account_id, envelope_id, include="custom_fields")))

    def void(self, envelope_id: str, reason: str) -> None:
        change = Envelope(status="voided", voided_reason=reason)
        self._call(lambda api: api.update(self._account_id, envelope_id, envelope=change))

    def _definition(self, key: str, deal: Deal, signer: Person) -> EnvelopeDefinition:
        assert deal.quote is not None
        quote = deal.quote
        texts = {
            "deal_total": format_money(quote.net_total),
            "payment_terms": quote.terms_of_payment,
            "term": _term(quote),
        }
        role = TemplateRole(
            role_name=SIGNER_ROLE,
            name=signer.name,
            email=signer.email,
            tabs=Tabs(text_tabs=[Text(tab_label=label, value=value) for label, value in texts.items()]),
        )
        fields = {DEAL_FIELD: deal.id, INTENT_FIELD: key}
        return EnvelopeDefinition(
            template_id=self._template_id,
            template_roles=[role],
            email_subject=f"Please sign: {quote.name}"[:SUBJECT_LIMIT],
            transaction_id=_transaction_id(key),
            custom_fields=CustomFields(
                text_custom_fields=[
                    TextCustomField(name=name, value=value, required="false", show="false")
                    for name, value in fields.items()
                ]
            ),
            status="sent",
        )

    def _call(self, call: Callable[[EnvelopesApi], Answer]) -> Answer:
        try:
            api = self._signed_in()
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            # A rejected sign-in may be a clock, a rotation or a missing consent: nothing about the deal is wrong.
            raise VendorUnavailable(f"DocuSign refused the sign-in: {_message(error)}") from error
        try:
            return call(api)
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            if getattr(error, "status", None) == 401:
                self._signed_in_until = 0.0
            raise translated(error) from error

    def _signed_in(self) -> EnvelopesApi:
        """Signs in by JWT grant and finds the account's own base address; kept for most of the token's hour."""
        if self._api is not None and time.monotonic() < self._signed_in_until:
            return self._api
        client = _Client(self._oauth_url)
        token = client.request_jwt_user_token(
            self._integration_key,
            self._user_id,
            client.oauth_host_name,
            self._private_key,
            TOKEN_SECONDS,
            SCOPES,
        )
        accounts = client.get_user_info(token.access_token).accounts
        base = next((a.base_uri for a in accounts if a.account_id == self._account_id), None)
        if base is None:
            raise VendorRefused(f"the DocuSign user has no access to account {self._account_id}")
        client.host = f"{base}/restapi"
        self._api = EnvelopesApi(client)
        self._signed_in_until = time.monotonic() + TOKEN_SECONDS * 0.9
        return self._api


def translated(error: Exception) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of DocuSign means for the desk."""
    status = getattr(error, "status", None)
    if not isinstance(status, int) or status in (0, 401, 408, 429) or status >= 500:
        return VendorUnavailable(f"DocuSign did not answer: {type(error).__name__} {status or ''}".rstrip())
    return VendorRefused(f"DocuSign refused with {status}: {_message(error)}")


def _message(error: Exception) -> str:
    body = getattr(error, "body", None) or b""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    return text[:300]


def _transaction_id(key: str) -> str:
    return str(uuid.uuid5(_INTENTS, key))


def _state(envelope: Envelope) -> EnvelopeState:
    fields = envelope.custom_fields.text_custom_fields or [] if envelope.custom_fields else []
    key = next((str(field.value) for field in fields if field.name == INTENT_FIELD), "")
    changed = envelope.completed_date_time or envelope.status_changed_date_time or envelope.created_date_time
    return EnvelopeState(
        envelope_id=str(envelope.envelope_id),
        status=STATUS[envelope.status],
        key=key,
        reason=envelope.voided_reason or "",
        changed_at=moment(str(changed)),
    )


def _term(quote: Quote) -> str:
    months = f"{quote.term_months} months"
    committed = quote.committed_months
    return months if committed == quote.term_months else f"{months}, may end after {committed}"
