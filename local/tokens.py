"""The secrets of one local stack, made new at every start, and the tokens that its people sign in with."""

import base64
import os
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Secrets = dict[str, dict[str, Any]]

ISSUER = "https://dealdesk.local/"
AUDIENCE = "dealdesk"
KEY_ID = "local-1"
# The ids in the payloads under events/.
SALESFORCE_ORGANIZATION = "00D7F00000107XsUAI"
DOCUSIGN_ACCOUNT = "a0000000-0000-4000-8000-000000000001"
QUICKBOOKS_REALM = "310687"
# NetSuite takes no shorter key.
NETSUITE_KEY_BITS = 3_072
HUBSPOT_PORTAL, HUBSPOT_APP = 48_200_101, 1_160_452
# The approvals' custom object in the twin's account.
HUBSPOT_APPROVAL_TYPE = "2-9000001"
SAP_CUSTOMIZING = {
    "sales_organization": "1010",
    "distribution_channel": "10",
    "division": "00",
    "order_type": "OR",
    "billing_type": "F2",
    "credit_request_type": "CR",
    "credit_billing_type": "G2",
    "credit_reason": "101",
    "condition_type": "ZDD0",
    "payment_terms": {"0": "0001", "15": "NT15", "30": "NT30", "40": "NT40", "45": "NT45", "60": "NT60", "90": "NT90"},
}


def local_secrets(jwt_key: Path) -> Secrets:
    """A JSON secret for each vendor and for the desk itself; the key that signs tokens goes to `jwt_key`."""
    signing_key, dropbox_sign_key = _rsa_key(), secrets.token_hex(32)
    _write_private(jwt_key, _pem(signing_key))
    return {
        "salesforce": {
            "organization_ids": [SALESFORCE_ORGANIZATION],
            "path_secret": secrets.token_urlsafe(24),
            "consumer_key": f"3MVG9{secrets.token_urlsafe(40)}",
            "private_key": _pem(_rsa_key()),
            "username": "desk@acme.example",
            "integration_user_id": "0057F000001deskQAA",
        },
        "hubspot": {
            "portal_id": HUBSPOT_PORTAL,
            "app_id": HUBSPOT_APP,
            "approval_type": HUBSPOT_APPROVAL_TYPE,
            "access_token": f"pat-na1-{secrets.token_hex(20)}",
            "client_secrets": [secrets.token_hex(16)],
            "signature": "v3",
        },
        "docusign": {
            "integration_key": "1f000000-0000-4000-8000-000000000001",
            "user_id": "d0000000-0000-4000-8000-000000000001",
            "account_id": DOCUSIGN_ACCOUNT,
            "private_key": _pem(_rsa_key()),
            "template_id": "7e000000-0000-4000-8000-000000000001",
            "connect_keys": [secrets.token_urlsafe(32), secrets.token_urlsafe(32)],
        },
        "dropbox_sign": {
            "api_key": dropbox_sign_key,
            "callback_keys": [dropbox_sign_key],
            "template_id": "c26b8a16784a872da37ea946b9ddec7c1e11dff6",
            "test_mode": True,
        },
        "stripe": {
            "api_key": f"sk_test_{secrets.token_hex(24)}",
            "webhook_secrets": [f"whsec_{secrets.token_hex(24)}"],
        },
        "paypal": {
            "client_id": f"A{secrets.token_urlsafe(40)}",
            "client_secret": f"E{secrets.token_urlsafe(40)}",
            "webhook_id": secrets.token_hex(8).upper() + "P",
        },
        "quickbooks": {
            "client_id": f"AB{secrets.token_hex(24)}",
            "client_secret": secrets.token_hex(20),
            "realm_id": QUICKBOOKS_REALM,
            "refresh_token": f"RT1-{secrets.token_hex(24)}",
            "verifier_tokens": [secrets.token_hex(16)],
        },
        "netsuite": {
            "account": "1234567",
            "client_id": secrets.token_hex(32),
            "certificate_id": secrets.token_urlsafe(32),
            "private_key": _pem(_rsa_key(NETSUITE_KEY_BITS)),
        },
        "sap": {"user": "DEALDESK", "password": secrets.token_urlsafe(24), "customizing": SAP_CUSTOMIZING},
        "n8n": {"url_path": secrets.token_urlsafe(24), "signing_secret": secrets.token_urlsafe(32)},
        "jwt": {"keys": [_public_jwk(signing_key)]},
        "links": {"signing_key": secrets.token_urlsafe(48)},
    }


def what_vendors_know(made: Secrets) -> Secrets:
    """The vendors' half of the secrets: a public key where the desk holds the private one."""
    vendors = {name: dict(secret) for name, secret in made.items() if name not in ("jwt", "links")}
    for secret in vendors.values():
        if pem := secret.pop("private_key", None):
            key = serialization.load_pem_private_key(pem.encode(), password=None)
            secret["public_key"] = _public_pem(key.public_key())
    return vendors


def issue_token(jwt_key: Path, *, user: str, role: str, minutes: int = 60) -> str:
    """A bearer token (RS256) that the local stack accepts; a negative time makes one that has expired."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user,
        "role": role,
        "iat": min(now, now + minutes * 60),
        "exp": now + minutes * 60,
    }
    return jwt.encode(claims, jwt_key.read_text(), algorithm="RS256", headers={"kid": KEY_ID})


def _rsa_key(bits: int = 2_048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _public_pem(key: Any) -> str:
    return str(key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode())


def _public_jwk(key: rsa.RSAPrivateKey) -> dict[str, str]:
    """RFC 7517 and RFC 7518, section 6.3.1."""
    numbers = key.public_key().public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": KEY_ID,
        "n": _base64url(numbers.n),
        "e": _base64url(numbers.e),
    }


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
