"""Whether a message really comes from the vendor: over the raw bytes, in constant time, standard library only."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal
from urllib.parse import unquote

from dealdesk.errors import SignatureRefused, Unavailable

STRIPE_TOLERANCE_SECONDS = 300
DOCUSIGN_HEADER = "x-docusign-signature-"
HUBSPOT_TOLERANCE_SECONDS = 300
# Two clocks never agree to the second; a message from further ahead than this was made to be used later.
HUBSPOT_AHEAD_SECONDS = 60
# HubSpot signs the URI after decoding these and no others.
HUBSPOT_ESCAPES = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)

HubspotVersion = Literal["v3", "v2", "v1"]


def stripe(header: str | None, body: bytes, secrets: Iterable[str], now: datetime) -> None:
    """Raises `SignatureRefused` unless one `v1` of the header matches one secret within 300 s, past or future,
    and `Unavailable` without any secret to check it with.

    Source: Stripe, "Verify webhook signatures manually"; the secret is used as text, with its `whsec_`.
    """
    if not header:
        raise SignatureRefused("the Stripe-Signature header is missing")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12) or not given:
        raise SignatureRefused("the Stripe-Signature header needs one t= and at least one v1=")
    keys = _usable(secrets, "no Stripe webhook secret is configured")
    signed = times[0].encode() + b"." + body
    expected = [hmac.new(key.encode(), signed, sha256).hexdigest().encode() for key in keys]
    if not _any_matches(expected, [value.encode() for value in given]):
        raise SignatureRefused("the Stripe signature does not match the body")
    if abs(now.timestamp() - int(times[0])) > STRIPE_TOLERANCE_SECONDS:
        raise SignatureRefused(f"the Stripe signature is more than {STRIPE_TOLERANCE_SECONDS} s off our clock")


def docusign(headers: Mapping[str, str], body: bytes, keys: Iterable[str]) -> None:
    """Raises `SignatureRefused` unless any X-DocuSign-Signature-n is the base64 HMAC of the body with any key.

    `headers` have lower-case names. Source: DocuSign, "Connect HMAC".
    """
    given = [value for name, value in headers.items() if name.startswith(DOCUSIGN_HEADER)]
    if not given:
        raise SignatureRefused("no X-DocuSign-Signature header")
    known = _usable(keys, "no DocuSign Connect key is configured")
    expected = [hmac.new(key.encode(), body, sha256).digest() for key in known]
    if not _any_matches(expected, [_decoded(value) for value in given]):
        raise SignatureRefused("no DocuSign signature matches the body")


def intuit(header: str | None, body: bytes, tokens: Iterable[str]) -> None:
    """Raises `SignatureRefused` unless the header is the base64 HMAC of the body with one of the verifier tokens.

    The signature covers no time: a replay is known by the id of its event. Source: Intuit, "Webhooks".
    """
    if not header:
        raise SignatureRefused("the intuit-signature header is missing")
    known = _usable(tokens, "no QuickBooks verifier token is configured")
    expected = [hmac.new(token.encode(), body, sha256).digest() for token in known]
    if not _any_matches(expected, [_decoded(header)]):
        raise SignatureRefused("the intuit signature does not match the body")


def hubspot(
    version: HubspotVersion,
    headers: Mapping[str, str],
    method: str,
    uri: str,
    body: bytes,
    secrets: Iterable[str],
    now: datetime,
) -> None:
    """Raises `SignatureRefused` unless the message has the proof of this `version` with any of the client secrets.

    The version is the receiver's choice: whoever forges a message would choose the one without a timestamp.
    `headers` have lower-case names; `uri` is what HubSpot called, query included. Only v3 has a timestamp: a message
    is refused when it is over 300 s old or comes from the future. Source: HubSpot, "Validating requests".
    """
    name = "X-HubSpot-Signature-v3" if version == "v3" else "X-HubSpot-Signature"
    given = headers.get(name.lower())
    if not given:
        raise SignatureRefused(f"the {name} header is missing")
    if version != "v3" and headers.get("x-hubspot-signature-version", version) != version:
        raise SignatureRefused(f"the HubSpot signature is of another version than {version}")
    keys = [key.encode() for key in _usable(secrets, "no HubSpot client secret is configured")]
    if version == "v3":
        timestamp = headers.get("x-hubspot-request-timestamp", "")
        _require_hubspot_time(timestamp, now)
        called = HUBSPOT_ESCAPES.sub(lambda escape: unquote(escape[0]), uri)
        signed = method.encode() + called.encode() + body + timestamp.encode()
        matches = _any_matches([hmac.digest(key, signed, "sha256") for key in keys], [_decoded(given)])
    else:
        signed = body if version == "v1" else method.encode() + uri.encode() + body
        matches = _any_matches([sha256(key + signed).hexdigest().encode() for key in keys], [given.encode()])
    if not matches:
        raise SignatureRefused(f"the HubSpot signature {version} does not match the message")


def _require_hubspot_time(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise SignatureRefused("the X-HubSpot-Request-Timestamp header must be milliseconds since 1970")
    age_seconds = now.timestamp() - int(timestamp) / 1000
    if not -HUBSPOT_AHEAD_SECONDS <= age_seconds <= HUBSPOT_TOLERANCE_SECONDS:
        raise SignatureRefused(f"the HubSpot signature is not of the last {HUBSPOT_TOLERANCE_SECONDS} s")


def dropbox_sign(event_time: str, event_type: str, event_hash: str, keys: Iterable[str]) -> None:
    """Raises `SignatureRefused` unless the hash is the hex HMAC of time and type with any API key.

    It says nothing about the rest of the callback, which is therefore only a hint. Source: Dropbox Sign,
    "Events walkthrough".
    """
    known = _usable(keys, "no Dropbox Sign key is configured")
    signed = f"{event_time}{event_type}".encode()
    expected = [hmac.new(key.encode(), signed, sha256).hexdigest().encode() for key in known]
    if not _any_matches(expected, [event_hash.encode()]):
        raise SignatureRefused("the Dropbox Sign hash does not match the time and type of the event")


def n8n_signature(secret: str, timestamp: int, body: bytes) -> str:
    """The X-DealDesk-Signature that goes with X-DealDesk-Timestamp: hex HMAC-SHA256 of `{timestamp}.{body}`."""
    return hmac.new(secret.encode(), str(timestamp).encode() + b"." + body, sha256).hexdigest()


def same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _usable(keys: Iterable[str], otherwise: str) -> list[str]:
    """The keys that prove anything: anybody can sign with an empty one. To have none is our failure, not theirs."""
    usable = [key for key in keys if key]
    if not usable:
        raise Unavailable(otherwise)
    return usable


def _any_matches(expected: list[bytes], given: list[bytes]) -> bool:
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    return any(matches)


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
