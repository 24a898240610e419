"""What happens to a contract on its way through signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeRequested:
    TYPE: ClassVar[str] = "document.requested"
    key: str
    provider: str
    fingerprint: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeSent:
    TYPE: ClassVar[str] = "document.sent"
    key: str
    envelope_id: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeExpirySet:
    """The provider says until when the contract can be signed."""

    TYPE: ClassVar[str] = "document.expiry_set"
    envelope_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeReported:
    """The vendor says, without proof, that something became of this envelope; it is asked before anything moves."""

    TYPE: ClassVar[str] = "document.reported"
    envelope_id: str
    key: str
    said: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeCompleted:
    TYPE: ClassVar[str] = "document.completed"
    envelope_id: str
    completed_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeDeclined:
    TYPE: ClassVar[str] = "document.declined"
    envelope_id: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeVoided:
    TYPE: ClassVar[str] = "document.voided"
    envelope_id: str
    reason: str
    expired: bool


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeVoidRequested:
    TYPE: ClassVar[str] = "document.void_requested"
    key: str
    envelope_id: str
    reason: str
    provider: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeResendRequested:
    """Somebody wants the signer to have the provider's e-mail once more."""

    TYPE: ClassVar[str] = "document.resend_requested"
    key: str
    envelope_id: str


@dataclass(frozen=True, slots=True, repr=False)
class EnvelopeResent:
    TYPE: ClassVar[str] = "document.resent"
    key: str
    envelope_id: str


@dataclass(frozen=True, slots=True, repr=False)
class SigningViewRequested:
    """Somebody asks for an address at which the signer can sign; the address itself is kept nowhere."""

    TYPE: ClassVar[str] = "document.view_requested"
    envelope_id: str


SignatureEvent = (
    EnvelopeRequested
    | EnvelopeSent
    | EnvelopeExpirySet
    | EnvelopeReported
    | EnvelopeCompleted
    | EnvelopeDeclined
    | EnvelopeVoided
    | EnvelopeVoidRequested
    | EnvelopeResendRequested
    | EnvelopeResent
    | SigningViewRequested
)
