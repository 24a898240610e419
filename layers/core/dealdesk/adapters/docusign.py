"""DocuSign by docusign-esign: an envelope from a template, with our deal and intent in its custom fields."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import urllib3
from docusign_esign import (
    CustomFields,
    Envelope,
    EnvelopeDefinition,
    EnvelopesApi,
    RecipientViewRequest,
    Tabs,
    TemplateRole,
    Text,
    TextCustomField,
)
from docusign_esign.client.api_exception import ApiException

from dealdesk.adapters.contract_texts import contract_texts
from dealdesk.adapters.docusign_login import Login, message_of
from dealdesk.contracts.docusign import DEAL_FIELD, EXPIRED, INTENT_FIELD, STATUS, moment
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import EnvelopeState, Person

SIGNER_ROLE = "signer"
SUBJECT_LIMIT = 100
# Source: DocuSign, "eSignature API rules and resource limits": one look at an envelope in 15 minutes.
POLL_GAP_SECONDS = 900
# A request whose answer was lost may still be at work; what it made is looked up after this long, and not before.
LANDS_WITHIN_SECONDS = 60
LIMIT, POLLING_LIMIT = "limit_exceeded", "polling_limit_exceeded"

# transactionId must be a GUID: ours is made from the intent's key, so a lost answer can be asked for.
_INTENTS = uuid.UUID("6f1d2a52-5f3c-5c0f-9f0e-3d2b8a7c4e11")

Answer = TypeVar("Answer")


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
        self._account_id = account_id
        self._template_id = template_id
        self._login = Login(
            oauth_url,
            integration_key=integration_key,
            user_id=user_id,
            account_id=account_id,
            private_key=private_key.encode(),
        )
        self._looks: dict[str, tuple[float, EnvelopeState]] = {}

    def send(self, key: str, deal: Deal, signer: Person) -> str:
        definition = self._definition(key, deal, signer)
        try:
            return self._call(
                lambda api: _given(api.create_envelope(self._account_id, envelope_definition=definition).envelope_id)
            )
        except VendorUnavailable as doubt:
            wait_seconds = max(LANDS_WITHIN_SECONDS, doubt.retry_after_seconds or 0)
            raise VendorUnavailable(str(doubt), retry_after_seconds=wait_seconds) from doubt

    def look_up(self, key: str, opened_at: datetime) -> EnvelopeState | None:
        """The envelope that carries this intent's transactionId; DocuSign remembers those for 7 days,
        so the custom field is asked as well.
        """
        return self._first_of(transaction_ids=_transaction_id(key)) or self._first_of(
            custom_field=f"{INTENT_FIELD}={key}", from_date=opened_at.isoformat()
        )

    def status(self, envelope_id: str) -> EnvelopeState:
        """DocuSign's word on the envelope; within 15 minutes of the last look, what it was then."""
        now = time.time()
        self._looks = {key: look for key, look in self._looks.items() if now - look[0] < POLL_GAP_SECONDS}
        if envelope_id not in self._looks:
            include = "custom_fields,recipients"
            state = self._call(lambda api: _state(api.get_envelope(self._account_id, envelope_id, include=include)))
            self._looks[envelope_id] = (now, state)
        return self._looks[envelope_id][1]

    def void(self, envelope_id: str, reason: str) -> None:
        """Voids the envelope unless it has ended by itself in the meantime: then `status` tells how."""
        change = Envelope(status="voided", voided_reason=reason)
        try:
            self._call(lambda api: api.update(self._account_id, envelope_id, envelope=change))
        except VendorRefused:
            self._looks.pop(envelope_id, None)
            if self.status(envelope_id).status is EnvelopeStatus.SENT:
                raise
            return
        if look := self._looks.get(envelope_id):
            self._looks[envelope_id] = (look[0], replace(look[1], status=EnvelopeStatus.VOIDED, reason=reason))

    def resend(self, envelope_id: str, signer: Person) -> None:
        """Whoever of the envelope has not signed gets the e-mail again."""
        self._call(lambda api: api.update(self._account_id, envelope_id, envelope=Envelope(), resend_envelope="true"))

    def recipient_view(self, envelope_id: str, signer: Person, return_url: str) -> str:
        """An address that opens once, within a few minutes; Connect tells what was signed."""
        view = RecipientViewRequest(
            authentication_method="none",
            client_user_id=signer.id,
            email=signer.email,
            user_name=signer.name,
            return_url=return_url,
        )
        return self._call(
            lambda api: _given(
                api.create_recipient_view(self._account_id, envelope_id, recipient_view_request=view).url
            )
        )

    def _definition(self, key: str, deal: Deal, signer: Person) -> EnvelopeDefinition:
        assert deal.quote is not None
        quote = deal.quote
        role = TemplateRole(
            role_name=SIGNER_ROLE,
            name=signer.name,
            email=signer.email,
            # Both ways are open to the signer: the link in DocuSign's e-mail, and `recipient_view`.
            client_user_id=signer.id,
            embedded_recipient_start_url="SIGN_AT_DOCUSIGN",
            tabs=Tabs(text_tabs=[Text(tab_label=label, value=value) for label, value in contract_texts(quote).items()]),
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

    def _first_of(self, **asked: str) -> EnvelopeState | None:
        def ask(api: EnvelopesApi) -> EnvelopeState | None:
            found = api.list_status_changes(self._account_id, include="custom_fields", **asked)
            if found.envelopes:
                return _state(found.envelopes[0])
            # Without any size it is no list, and must not pass for an empty one: that would send a second contract.
            _given(found.result_set_size or found.total_set_size)
            return None

        return self._call(ask)

    def _call(self, call: Callable[[EnvelopesApi], Answer]) -> Answer:
        """`call` asks and reads the answer."""
        api = self._login.envelopes()
        try:
            return call(api)
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            if getattr(error, "status", None) == 401:
                self._login.forget()
            raise translated(error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The library makes a mere text, or a half-filled object, of an answer that is no JSON of DocuSign's.
            raise VendorUnavailable(f"DocuSign answered with something unreadable: {error!r}"[:300]) from error


def translated(error: Exception) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of DocuSign means for the desk."""
    status, code = getattr(error, "status", None), _code(error).lower()
    unclear = not isinstance(status, int) or status in (0, 401, 408, 429) or status >= 500
    # Too many calls, or too many about one envelope, come as 400. Source: DocuSign blog, "Service protection".
    if unclear or code.endswith(LIMIT):
        after = str((getattr(error, "headers", None) or {}).get("Retry-After", ""))
        seconds = POLL_GAP_SECONDS if code.endswith(POLLING_LIMIT) else None
        return VendorUnavailable(
            f"DocuSign did not answer: {type(error).__name__} {status or ''} {code}".rstrip(),
            retry_after_seconds=int(after) if after.isdigit() else seconds,
        )
    return VendorRefused(f"DocuSign refused with {status}: {message_of(error)}")


def _code(error: Exception) -> str:
    try:
        return str(json.loads(getattr(error, "body", None) or b"")["errorCode"])
    except (ValueError, KeyError, TypeError):
        return ""


def _given(value: str | None) -> str:
    if not value:
        raise ValueError("the answer lacks what was asked for")
    return str(value)


def _transaction_id(key: str) -> str:
    return str(uuid.uuid5(_INTENTS, key))


def _state(envelope: Envelope) -> EnvelopeState:
    fields = envelope.custom_fields.text_custom_fields or [] if envelope.custom_fields else []
    key = next((str(field.value) for field in fields if field.name == INTENT_FIELD), "")
    changed = envelope.completed_date_time or envelope.status_changed_date_time or envelope.created_date_time
    signers = envelope.recipients.signers or [] if envelope.recipients else []
    declined = next((str(signer.declined_reason) for signer in signers if signer.declined_reason), "")
    return EnvelopeState(
        envelope_id=_given(envelope.envelope_id),
        status=STATUS[envelope.status],
        key=key,
        reason=envelope.voided_reason or declined or (EXPIRED if envelope.status == "timedout" else ""),
        changed_at=moment(str(changed)),
        expires_at=moment(str(envelope.expire_date_time)) if envelope.expire_date_time else None,
    )
