"""Whether a message really comes from PayPal: an RSA signature by a certificate that PayPal publishes.

What is signed is an id, a time, the id of our webhook and a CRC32 of the body. A CRC32 is no hash: who has seen one
message can make another body that fits it. A proven message is therefore a hint, to be asked about before money moves.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from dealdesk.errors import SignatureRefused, Unavailable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

ALGORITHM = "SHA256withRSA"
SIGNED_FOR = ".paypal.com"
# PayPal sends again for three days; the hour keeps clear of its own clock.
RETRY_SPAN = timedelta(days=3, hours=1)
TOLERANCE = timedelta(minutes=5)
HEADERS = ("transmission-id", "transmission-time", "transmission-sig", "cert-url", "auth-algo")


def verify(
    headers: Mapping[str, str], body: bytes, webhook_id: str, certificate: Callable[[str], bytes], now: datetime
) -> None:
    """Raises `SignatureRefused` unless PayPal signed this body for our webhook within the time that it sends again.

    `headers` have lower-case names; `certificate` gives the PEM behind a URL, or refuses the URL.
    Source: developer.paypal.com/api/rest/webhooks/rest, "Verify" and paypal/PayPal-Python-SDK, `notifications.py`.
    """
    if not webhook_id:
        raise Unavailable("no PayPal webhook id is configured")
    given = {name: headers.get(f"paypal-{name}", "") for name in HEADERS}
    missing = [f"PAYPAL-{name.upper()}" for name, value in given.items() if not value]
    if missing:
        raise SignatureRefused(f"{', '.join(missing)} missing: the message carries no PayPal signature")
    if given["auth-algo"] != ALGORITHM:
        raise SignatureRefused(f"PayPal signs with {ALGORITHM}, not with {given['auth-algo'][:40]!r}")
    _require_timely(given["transmission-time"], now)
    signed = "|".join([given["transmission-id"], given["transmission-time"], webhook_id, str(zlib.crc32(body))])
    leaf = _trusted(certificate(given["cert-url"]), now)
    _require_signed(leaf, given["transmission-sig"], signed.encode())


def _require_timely(text: str, now: datetime) -> None:
    try:
        sent = datetime.fromisoformat(text)
        late, early = now - sent > RETRY_SPAN, sent - now > TOLERANCE
    except (ValueError, TypeError):
        raise SignatureRefused("PAYPAL-TRANSMISSION-TIME is no time with a zone, like 2026-11-22T20:00:00Z") from None
    if late or early:
        raise SignatureRefused(f"the message is of {sent.isoformat()}: {'too old' if late else 'from the future'}")


def _trusted(pem: bytes, now: datetime) -> Certificate:
    """The certificate that signs: valid now, PayPal's own, and issued by the next one of the chain, where one came.

    That it is PayPal's chain at all is proven by where it came from: over TLS, from PayPal's own host.
    """
    # cryptography costs 70 ms once: only this webhook pays it, and only for a message that carries a signature.
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509.oid import NameOID

    try:
        chain = x509.load_pem_x509_certificates(pem)
        for certificate, issuer in pairwise(chain):
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise SignatureRefused("what is behind PAYPAL-CERT-URL is no chain of certificates") from None
    if not all(each.not_valid_before_utc <= now <= each.not_valid_after_utc for each in chain):
        raise SignatureRefused("the certificate behind PAYPAL-CERT-URL is not valid at this time")
    names = [str(name.value) for name in chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not names[0].endswith(SIGNED_FOR):
        raise SignatureRefused("the certificate behind PAYPAL-CERT-URL is not PayPal's")
    return chain[0]


def _require_signed(certificate: Certificate, signature: str, signed: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256

    key = certificate.public_key()
    try:
        if not isinstance(key, RSAPublicKey):
            raise SignatureRefused(f"PayPal signs with {ALGORITHM}, and this is no RSA key")
        key.verify(base64.b64decode(signature, validate=True), signed, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        raise SignatureRefused("the PayPal signature does not match the body") from None
