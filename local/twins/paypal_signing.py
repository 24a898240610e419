"""The certificates that PayPal's twin signs its messages with, and its signature."""

import base64
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

COMMON_NAME = "messageverificationcerts.sandbox.paypal.com"
ISSUER_NAME = "Twin Issuing CA"
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
LIVES = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with its certificate, and the certificate of who issued it."""

    key: RSAPrivateKey
    pem: bytes

    def sign(self, transmission_id: str, moment: str, webhook_id: str, body: bytes) -> str:
        """Base64 of RSA PKCS#1 v1.5 SHA-256 over `id|time|webhook id|CRC32 as a decimal`."""
        signed = f"{transmission_id}|{moment}|{webhook_id}|{zlib.crc32(body)}"
        return base64.b64encode(self.key.sign(signed.encode(), PKCS1v15(), SHA256())).decode()


def new_signer(common_name: str = COMMON_NAME, since: datetime = FIRST_DAY, lives: timedelta = LIVES) -> Signer:
    authority, own = (generate_private_key(public_exponent=65_537, key_size=2_048) for _ in range(2))
    issuer = _certificate(ISSUER_NAME, authority, ISSUER_NAME, authority, since, lives, is_ca=True)
    leaf = _certificate(common_name, own, ISSUER_NAME, authority, since, lives, is_ca=False)
    return Signer(own, leaf + issuer)


def _certificate(
    name: str,
    key: RSAPrivateKey,
    issuer: str,
    issuer_key: RSAPrivateKey,
    since: datetime,
    lives: timedelta,
    *,
    is_ca: bool,
) -> bytes:
    built = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + lives)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    return built.sign(issuer_key, SHA256()).public_bytes(Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
