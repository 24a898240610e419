"""DocuSign Connect (JSON, one message an event): what it says about an envelope of ours."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from dealdesk.domain.stages import EnvelopeStatus
from dealdesk.errors import Malformed, SignatureRefused
from dealdesk.ports import EnvelopeState

DEAL_FIELD = "deal_id"
INTENT_FIELD = "dealdesk_intent"

AHEAD = timedelta(minutes=5)
# Connect retries an unacknowledged message for up to 15 days.
BEHIND = timedelta(days=16)

EXPIRED = "the envelope has expired"
# `correct` is one that its sender is correcting: another signer or address, the same terms.
STATUS = {
    "created": EnvelopeStatus.SENT,
    "processing": EnvelopeStatus.SENT,
    "sent": EnvelopeStatus.SENT,
    "correct": EnvelopeStatus.SENT,
    "delivered": EnvelopeStatus.SENT,
    "signed": EnvelopeStatus.SENT,
    "completed": EnvelopeStatus.COMPLETED,
    "declined": EnvelopeStatus.DECLINED,
    "voided": EnvelopeStatus.VOIDED,
    "deleted": EnvelopeStatus.VOIDED,
    "timedout": EnvelopeStatus.VOIDED,
}


class _TextField(msgspec.Struct):
    name: str
    value: str | None = None


class _CustomFields(msgspec.Struct, rename="camel"):
    text_custom_fields: list[_TextField] = []


class _Signer(msgspec.Struct, rename="camel"):
    declined_reason: str | None = None


class _Recipients(msgspec.Struct, rename="camel"):
    signers: list[_Signer] = []


class EnvelopeSummary(msgspec.Struct, rename="camel"):
    status: str
    custom_fields: _CustomFields | None = None
    status_changed_date_time: str | None = None
    completed_date_time: str | None = None
    expire_date_time: str | None = None
    voided_reason: str | None = None
    recipients: _Recipients | None = None

    @property
    def reason(self) -> str:
        """Why it ended: of a void the envelope tells it, of a decline the signer."""
        signers = self.recipients.signers if self.recipients else []
        declined = next((signer.declined_reason for signer in signers if signer.declined_reason), "")
        return self.voided_reason or declined or (EXPIRED if self.status == "timedout" else "")

    def field(self, name: str) -> str | None:
        fields = self.custom_fields.text_custom_fields if self.custom_fields else []
        return next((field.value for field in fields if field.name == name), None)


class _Data(msgspec.Struct, rename="camel"):
    account_id: str
    envelope_id: str
    recipient_id: str | None = None
    envelope_summary: EnvelopeSummary | None = None


class ConnectMessage(msgspec.Struct, rename="camel"):
    event: str
    generated_date_time: str
    data: _Data
    configuration_id: int | str | None = None

    @property
    def cause_id(self) -> str:
        """DocuSign gives its messages no id: these five together are one report."""
        parts = (
            str(self.configuration_id),
            self.data.envelope_id,
            self.event,
            self.data.recipient_id or "",
            self.generated_date_time,
        )
        return "|".join(parts)


_DECODER = msgspec.json.Decoder(ConnectMessage)


def parse_message(body: bytes) -> ConnectMessage:
    """Raises `Malformed`, naming the place, for a body that is no Connect message."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is no DocuSign Connect message: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None


def state_of(message: ConnectMessage) -> EnvelopeState | None:
    """None for messages about single recipients, and for envelopes that the desk did not make."""
    summary = message.data.envelope_summary
    if summary is None or not message.event.startswith("envelope-"):
        return None
    key, status = summary.field(INTENT_FIELD), STATUS.get(summary.status)
    if key is None or status is None:
        return None
    return EnvelopeState(
        envelope_id=message.data.envelope_id,
        status=status,
        key=key,
        reason=summary.reason,
        changed_at=moment(
            summary.completed_date_time or summary.status_changed_date_time or message.generated_date_time
        ),
        expires_at=moment(summary.expire_date_time) if summary.expire_date_time else None,
    )


def moment(text: str) -> datetime:
    """DocuSign writes up to seven decimals of a second, and leaves out the zone only where it means UTC."""
    head, dot, tail = text.rstrip("Z").partition(".")
    digits = tail[:6].ljust(6, "0") if dot else "000000"
    try:
        return datetime.fromisoformat(f"{head}.{digits}+00:00")
    except ValueError:
        raise Malformed(f"{text[:40]!r} is no time") from None


def deal_id_of(message: ConnectMessage) -> str:
    summary = message.data.envelope_summary
    return (summary.field(DEAL_FIELD) if summary else None) or ""


def require_fresh(message: ConnectMessage, now: datetime) -> None:
    """DocuSign signs no time: a message from the future, or older than its longest retries, is refused."""
    generated = moment(message.generated_date_time)
    if generated - now > AHEAD or now - generated > BEHIND:
        raise SignatureRefused(f"the message was generated at {message.generated_date_time[:40]}, too far from now")
