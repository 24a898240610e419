"""DocuSign's envelopes: made from templates, moved from draft to an end that is final."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.twins.server import Json, Refused

SUBJECT_CHARS, FIELD_CHARS, REASON_CHARS = 100, 100, 200
OPEN = ("sent", "delivered")
# What an account has at first.
EXPIRE_AFTER_DAYS = 120
EXPIRED = "Envelope has expired."
DEFINITION_FIELDS = frozenset(
    {
        "allowReassign",
        "brandId",
        "customFields",
        "emailBlurb",
        "emailSubject",
        "enforceSignerVisibility",
        "eventNotification",
        "notification",
        "status",
        "templateId",
        "templateRoles",
        "transactionId",
    }
)
ROLE_FIELDS = frozenset(
    {
        "accessCode",
        "clientUserId",
        "email",
        "embeddedRecipientStartURL",
        "emailNotification",
        "name",
        "roleName",
        "routingOrder",
        "tabs",
    }
)


@dataclass(slots=True)
class Envelope:
    """One envelope; `moments` has the time of every status that it ever had, `polls` of every GET.

    `resent` counts the times that its signers were written to again."""

    id: str
    status: str
    subject: str
    roles: Sequence[Json]
    text_fields: Sequence[Json]
    transaction_id: str | None
    notification: Json | None
    changed_at: datetime
    moments: dict[str, datetime] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    polls: list[datetime] = field(default_factory=list)
    resent: int = 0
    expire_after_days: int = EXPIRE_AFTER_DAYS

    @property
    def expires_at(self) -> datetime | None:
        """Counted from when it was first sent."""
        sent = self.moments.get("sent")
        return sent + timedelta(days=self.expire_after_days) if sent else None

    def move(self, status: str, now: datetime, reason: str = "") -> None:
        """The caller has seen that the move is allowed."""
        self.status, self.changed_at = status, now
        self.moments[status] = now
        if reason:
            self.reasons[status] = reason[:REASON_CHARS]

    def custom_fields(self) -> Json:
        return {"textCustomFields": list(self.text_fields), "listCustomFields": []}

    def shown(self, account_id: str) -> Json:
        """As GET shows it, and as Connect's summary does without the links."""
        at = f"/envelopes/{self.id}"
        shown = {
            "status": self.status,
            "documentsUri": f"{at}/documents",
            "recipientsUri": f"{at}/recipients",
            "envelopeUri": at,
            "customFieldsUri": f"{at}/custom_fields",
            "emailSubject": self.subject,
            "envelopeId": self.id,
            "statusChangedDateTime": stamp(self.changed_at),
            "lastModifiedDateTime": stamp(self.changed_at),
            "sender": {"accountId": account_id, "userName": "Deal Desk", "email": "desk@acme.example"},
        }
        shown.update({f"{status}DateTime": stamp(moment) for status, moment in self.moments.items()})
        # Why a signer declined stands with the recipient only.
        if "voided" in self.reasons:
            shown["voidedReason"] = self.reasons["voided"]
        if "sent" in self.moments:
            shown["initialSentDateTime"] = stamp(self.moments["sent"])
        if self.expires_at:
            shown |= {"expireEnabled": "true", "expireAfter": str(self.expire_after_days)}
            shown["expireDateTime"] = stamp(self.expires_at)
        if self.transaction_id:
            shown["transactionId"] = self.transaction_id
        return shown

    def recipients(self) -> Json:
        signers = [
            {
                "recipientId": str(at),
                "recipientIdGuid": str(uuid.uuid5(uuid.UUID(self.id), str(at))),
                "recipientType": "signer",
                "routingOrder": str(role.get("routingOrder", 1)),
                "status": "created" if self.status == "voided" and "sent" not in self.moments else self.status,
                **{name: role[name] for name in ("name", "email", "roleName", "clientUserId") if name in role},
                **({"declinedReason": self.reasons["declined"]} if "declined" in self.reasons else {}),
            }
            for at, role in enumerate(self.roles, start=1)
        ]
        others = ("agents", "carbonCopies", "certifiedDeliveries", "editors", "inPersonSigners", "witnesses")
        return {"signers": signers, **{kind: [] for kind in others}, "recipientCount": str(len(signers))}


def drafted(definition: Json, templates: Mapping[str, Json], now: datetime) -> Envelope:
    """A draft from a definition; raises `Refused` for what DocuSign does not take."""
    if unknown := definition.keys() - DEFINITION_FIELDS:
        raise invalid(f"Unknown fields: {', '.join(sorted(unknown))}.")
    template = templates.get(str(definition.get("templateId", "")))
    if "templateId" not in definition:
        raise Refused(
            400,
            "ENVELOPE_IS_INCOMPLETE",
            "The Envelope is not Complete. A Complete Envelope Requires Documents, Recipients, Tabs, and a "
            "Subject Line.",
        )
    if template is None:
        raise Refused(400, "TEMPLATE_ID_INVALID", "Invalid template ID.")
    if definition.get("status", "created") not in ("created", "sent"):
        raise invalid(f"status is created or sent, not {definition['status']}.")
    subject = definition.get("emailSubject") or f"Please sign: {template['name']}"
    if not isinstance(subject, str) or len(subject) > SUBJECT_CHARS:
        raise invalid(f"emailSubject is a text of at most {SUBJECT_CHARS} characters.")
    notification = definition.get("eventNotification")
    if notification is not None and not (isinstance(notification, dict) and notification.get("url")):
        raise invalid("eventNotification needs a url.")
    made = Envelope(
        id=str(uuid.uuid4()),
        status="created",
        subject=subject,
        roles=_roles(definition, template),
        text_fields=_text_fields(definition.get("customFields") or {}),
        transaction_id=_transaction_id(definition.get("transactionId")),
        notification=notification,
        changed_at=now,
    )
    made.move("created", now)
    return made


def invalid(what: str) -> Refused:
    return Refused(400, "INVALID_REQUEST_PARAMETER", f"The request contained at least one invalid parameter. {what}")


def stamp(moment: datetime) -> str:
    """DocuSign writes seven decimals of a second, in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"


def _roles(definition: Json, template: Json) -> list[Json]:
    roles = definition.get("templateRoles") or []
    if not isinstance(roles, list) or any(not isinstance(role, dict) for role in roles):
        raise invalid("templateRoles is a list of objects.")
    if definition.get("status") == "sent" and not roles:
        raise Refused(400, "ENVELOPE_IS_INCOMPLETE", "The Envelope is not Complete. It has no recipients.")
    for role in roles:
        if unknown := role.keys() - ROLE_FIELDS:
            raise invalid(f"Unknown fields of a template role: {', '.join(sorted(unknown))}.")
        for name in ("email", "name", "roleName"):
            if not isinstance(role.get(name), str) or not role[name]:
                raise invalid(f"A template role needs {name}.")
        if role["roleName"] not in template["roles"]:
            raise invalid(f"The template has no role {role['roleName']}; it has {template['roles']}.")
        if "@" not in role["email"].strip("@"):
            raise Refused(
                400,
                "INVALID_EMAIL_ADDRESS_FOR_RECIPIENT",
                f"The email address for the recipient is invalid. {role['email']}",
            )
        if not isinstance(role.get("tabs", {}), dict):
            raise invalid("tabs is an object with a list for each kind of tab.")
    return roles


def _text_fields(custom_fields: Json) -> list[Json]:
    given = custom_fields.get("textCustomFields") or [] if isinstance(custom_fields, dict) else None
    if given is None or custom_fields.keys() - {"textCustomFields", "listCustomFields"}:
        raise invalid("customFields holds textCustomFields and listCustomFields.")
    for text in given:
        if not isinstance(text, dict) or not text.get("name"):
            raise invalid("A text custom field needs a name.")
        if len(str(text.get("value") or "")) > FIELD_CHARS:
            raise invalid(f"The value of {text['name']} is longer than {FIELD_CHARS} characters.")
    first = 10_000_000_001
    return [
        {
            "fieldId": str(first + at),
            "name": text["name"],
            "show": str(text.get("show", "false")).lower(),
            "required": str(text.get("required", "false")).lower(),
            "value": text.get("value") or "",
        }
        for at, text in enumerate(given)
    ]


def _transaction_id(given: object) -> str | None:
    try:
        return str(uuid.UUID(str(given))) if given is not None else None
    except ValueError:
        raise invalid("transactionId is a GUID.") from None
