"""Dropbox Sign's signature requests: made from templates, signed, declined, expired, or cancelled later than asked."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local.twins.server import Json, Refused

TITLE_CHARS, MESSAGE_CHARS, KEY_CHARS, VALUE_CHARS, METADATA_KEYS = 255, 5_000, 40, 1_000, 10
FIELDS = frozenset(
    {
        "allow_decline",
        "ccs",
        "client_id",
        "custom_fields",
        "is_eid",
        "is_qualified_signature",
        "message",
        "metadata",
        "signers",
        "signing_options",
        "signing_redirect_url",
        "subject",
        "template_ids",
        "test_mode",
        "title",
    }
)
SIGNER_FIELDS = frozenset({"email_address", "name", "pin", "role", "sms_phone_number", "sms_phone_number_type"})
WAITS, SIGNED, DECLINED, EXPIRED = "awaiting_signature", "signed", "declined", "expired"


@dataclass(slots=True)
class Signature:
    id: str
    role: str
    name: str
    email: str
    status: str = WAITS
    signed_at: datetime | None = None
    viewed_at: datetime | None = None
    decline_reason: str | None = None
    reminded_at: datetime | None = None

    def shown(self) -> Json:
        return {
            "signature_id": self.id,
            "signer_email_address": self.email,
            "signer_name": self.name,
            "signer_role": self.role,
            "order": None,
            "status_code": self.status,
            "decline_reason": self.decline_reason,
            "signed_at": _seconds(self.signed_at),
            "last_viewed_at": _seconds(self.viewed_at),
            "last_reminded_at": _seconds(self.reminded_at),
            "has_pin": False,
            "has_sms_auth": False,
            "error": None,
        }


@dataclass(slots=True)
class SignatureRequest:
    """One request; `cancel_due` is when an accepted cancellation will be done, `cancelled` that it is."""

    id: str
    title: str
    subject: str
    message: str | None
    metadata: Json
    custom_fields: Sequence[Json]
    template_ids: Sequence[str]
    test_mode: bool
    may_decline: bool
    created_at: datetime
    signatures: Sequence[Signature] = field(default_factory=list)
    cancel_due: datetime | None = None
    cancelled: bool = False
    expires_at: datetime | None = None

    @property
    def complete(self) -> bool:
        return all(signature.status == SIGNED for signature in self.signatures)

    @property
    def open(self) -> bool:
        over = {signature.status for signature in self.signatures} & {DECLINED, EXPIRED}
        return not (self.complete or self.cancelled or over)

    def shown(self) -> Json:
        return {
            "signature_request_id": self.id,
            "test_mode": self.test_mode,
            "title": self.title,
            "original_title": self.title,
            "subject": self.subject,
            "message": self.message,
            "metadata": self.metadata,
            "created_at": _seconds(self.created_at),
            "expires_at": _seconds(self.expires_at),
            "is_complete": self.complete,
            "is_declined": any(signature.status == DECLINED for signature in self.signatures),
            "has_error": False,
            "custom_fields": list(self.custom_fields),
            "response_data": [],
            "signing_url": None,
            "signing_redirect_url": None,
            "details_url": f"https://app.hellosign.com/home/manage?guid={self.id}",
            "files_url": f"https://api.hellosign.com/v3/signature_request/files/{self.id}",
            "requester_email_address": "desk@acme.example",
            "cc_email_addresses": [],
            "template_ids": list(self.template_ids),
            "signatures": [signature.shown() for signature in self.signatures],
        }


def made(definition: Json, templates: Mapping[str, Json], now: datetime) -> SignatureRequest:
    """A request that is out; raises `Refused` for what Dropbox Sign does not take."""
    if unknown := definition.keys() - FIELDS:
        raise bad(f"Unknown parameters: {', '.join(sorted(unknown))}")
    template_ids = definition.get("template_ids")
    if not isinstance(template_ids, list) or not template_ids:
        raise bad("Missing parameter: template_ids")
    chosen = [templates.get(template_id) for template_id in template_ids]
    if None in chosen:
        raise Refused(404, "not_found", "Template not found")
    roles = {role for template in chosen if template for role in template["roles"]}
    known = {name for template in chosen if template for name in template["custom_fields"]}
    title = str(definition.get("title") or next(template["title"] for template in chosen if template))
    subject, message = str(definition.get("subject") or title), definition.get("message")
    if len(title) > TITLE_CHARS or len(subject) > TITLE_CHARS or len(message or "") > MESSAGE_CHARS:
        raise bad(f"title and subject have at most {TITLE_CHARS} characters, message {MESSAGE_CHARS}")
    return SignatureRequest(
        id=secrets.token_hex(20),
        title=title,
        subject=subject,
        message=message,
        metadata=_metadata(definition.get("metadata", {})),
        custom_fields=_custom_fields(definition.get("custom_fields", []), known),
        template_ids=template_ids,
        test_mode=_flag(definition, "test_mode"),
        may_decline=_flag(definition, "allow_decline"),
        created_at=now,
        signatures=_signatures(definition.get("signers"), roles),
    )


def bad(what: str) -> Refused:
    return Refused(400, "bad_request", what)


def _signatures(signers: object, roles: set[str]) -> list[Signature]:
    if not isinstance(signers, list) or not signers:
        raise bad("Missing parameter: signers")
    for signer in signers:
        if not isinstance(signer, dict) or signer.keys() - SIGNER_FIELDS:
            raise bad(f"A signer has only {', '.join(sorted(SIGNER_FIELDS))}")
        if not all(isinstance(signer.get(name), str) and signer[name] for name in ("role", "name", "email_address")):
            raise bad("A signer needs role, name and email_address")
        if "@" not in signer["email_address"].strip("@"):
            raise Refused(400, "invalid_email", f"Invalid email address: {signer['email_address']}")
    if sorted(signer["role"] for signer in signers) != sorted(roles):
        raise bad(f"The signers must match the roles of the template: {sorted(roles)}")
    return [Signature(secrets.token_hex(16), s["role"], s["name"], s["email_address"]) for s in signers]


def _metadata(given: object) -> Json:
    if not isinstance(given, dict) or len(given) > METADATA_KEYS:
        raise bad(f"metadata is an object of at most {METADATA_KEYS} keys")
    if any(len(key) > KEY_CHARS or len(str(value)) > VALUE_CHARS for key, value in given.items()):
        raise bad(f"A key of metadata has at most {KEY_CHARS} characters, a value {VALUE_CHARS}")
    return given


def _custom_fields(given: object, known: set[str]) -> list[Json]:
    if not isinstance(given, list) or any(not isinstance(row, dict) or "name" not in row for row in given):
        raise bad("custom_fields is a list of objects with a name")
    if unknown := {row["name"] for row in given} - known:
        raise bad(f"The template has no custom fields {', '.join(sorted(unknown))}")
    return [
        {
            "name": row["name"],
            "value": row.get("value"),
            "type": "text",
            "editor": row.get("editor"),
            "required": bool(row.get("required", False)),
        }
        for row in given
    ]


def _flag(definition: Json, name: str) -> bool:
    value = definition.get(name, False)
    if not isinstance(value, bool):
        raise bad(f"{name} is true or false")
    return value


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None
