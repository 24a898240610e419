"""Dropbox Sign's callbacks and signature requests: what they say about a contract of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dealdesk.domain.stages import EnvelopeStatus
from dealdesk.errors import Malformed, SignatureRefused
from dealdesk.ports import EnvelopeState

DEAL_FIELD = "deal_id"
INTENT_FIELD = "dealdesk_intent"

AHEAD = timedelta(minutes=5)
# An unacknowledged callback comes again for about thirty hours; the hash signs the time of the event, not of the try.
BEHIND = timedelta(days=4)

EXPIRED = "the signature request has expired"
# Events after which the signature request reads differently; the others (viewed, downloadable, reminded) tell nothing.
TELLING = frozenset(
    f"signature_request_{what}" for what in ("sent", "all_signed", "declined", "canceled", "expired", "invalid")
)


class _EventMetadata(msgspec.Struct):
    related_signature_id: str | None = None


class _Event(msgspec.Struct):
    event_time: str
    event_type: str
    event_hash: str
    event_metadata: _EventMetadata | None = None


class _Mentioned(msgspec.Struct):
    """The request inside a callback: only enough of it to ask the vendor, because the hash covers none of it."""

    signature_request_id: str
    # An empty object of theirs may come as an empty list.
    metadata: dict[str, Any] | list[Any] | None = None


class Callback(msgspec.Struct):
    event: _Event
    signature_request: _Mentioned | None = None

    @property
    def cause_id(self) -> str:
        """Dropbox Sign gives its callbacks no id: these three together are one report."""
        metadata, request = self.event.event_metadata, self.signature_request
        parts = (
            self.event.event_hash,
            request.signature_request_id if request else "",
            (metadata.related_signature_id if metadata else None) or "",
        )
        return "|".join(parts)


class Signature(msgspec.Struct):
    status_code: str
    decline_reason: str | None = None
    signed_at: int | None = None
    last_reminded_at: int | None = None
    signer_email_address: str | None = None


class SignatureRequest(msgspec.Struct):
    signature_request_id: str
    created_at: int
    is_complete: bool
    is_declined: bool
    signatures: list[Signature]
    metadata: dict[str, Any] | list[Any] | None = None
    expires_at: int | None = None

    @property
    def key(self) -> str:
        return _text(self.metadata, INTENT_FIELD)


class OneRequest(msgspec.Struct):
    signature_request: SignatureRequest


class ListInfo(msgspec.Struct):
    num_pages: int


class ManyRequests(msgspec.Struct):
    list_info: ListInfo
    signature_requests: list[SignatureRequest]


@dataclass(frozen=True, slots=True)
class Hint:
    """What a callback says without proof: which envelope of which deal has changed."""

    deal_id: str
    envelope_id: str
    key: str
    said: str


_CALLBACK = msgspec.json.Decoder(Callback)


def parse_callback(document: bytes) -> Callback:
    """Raises `Malformed`, naming the place, for a field `json` that is no Dropbox Sign callback."""
    try:
        return _CALLBACK.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the field json is no Dropbox Sign callback: {error}") from None
    except RecursionError:
        raise Malformed("the field json is nested too deeply") from None


def require_fresh(callback: Callback, now: datetime) -> None:
    """The time of the event is signed: one from the future, or older than the longest retries, is refused."""
    text = callback.event.event_time
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise SignatureRefused(f"{text[:40]!r} is no time of an event")
    happened = datetime.fromtimestamp(int(text), UTC)
    if happened - now > AHEAD or now - happened > BEHIND:
        raise SignatureRefused(f"the event happened at {happened.isoformat()}, too far from now")


def hint_of(callback: Callback) -> Hint | None:
    """None for events that tell nothing new, and for signature requests that the desk did not make."""
    request = callback.signature_request
    if request is None or callback.event.event_type not in TELLING:
        return None
    deal_id, key = _text(request.metadata, DEAL_FIELD), _text(request.metadata, INTENT_FIELD)
    if not (deal_id and key):
        return None
    return Hint(deal_id, request.signature_request_id, key, callback.event.event_type)


def state_of(request: SignatureRequest) -> EnvelopeState:
    """A request has no status of its own: two flags and the codes of its signatures tell it."""
    codes = {signature.status_code for signature in request.signatures}
    status, reason = EnvelopeStatus.SENT, ""
    if request.is_complete:
        status = EnvelopeStatus.COMPLETED
    elif request.is_declined:
        status = EnvelopeStatus.DECLINED
        reason = next((s.decline_reason for s in request.signatures if s.decline_reason), "")
    elif "expired" in codes:
        status, reason = EnvelopeStatus.VOIDED, EXPIRED
    signed = [signature.signed_at for signature in request.signatures if signature.signed_at]
    changed_at = datetime.fromtimestamp(max(signed, default=request.created_at), UTC)
    expires_at = datetime.fromtimestamp(request.expires_at, UTC) if request.expires_at else None
    return EnvelopeState(request.signature_request_id, status, request.key, reason, changed_at, expires_at)


def _text(metadata: dict[str, Any] | list[Any] | None, name: str) -> str:
    value = metadata.get(name) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else ""
