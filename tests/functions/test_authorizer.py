"""Who gets in: only a token that the configured keys signed, that is of now, for the desk, with a person and a role."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dealdesk.edge import aws, secrets
from local.tokens import AUDIENCE, ISSUER, KEY_ID, issue_token
from tests.functions.conftest import Said
from tests.journeys.world import World

ARN = "arn:aws:execute-api:eu-central-1:000000000000:api/test/GET/deals"
ROLES = ("rep", "deal_desk", "finance", "executive", "revops", "admin", "auditor", "service")


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "person-1",
        "role": "rep",
        "iat": now - 5,
        "exp": now + 600,
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def token(desk: World, *, key: Any = None, algorithm: str = "RS256", kid: Any = KEY_ID, **changes: Any) -> str:
    headers = {} if kid is ... else {"kid": kid}
    return jwt.encode(claims(**changes), key or desk.jwt_key.read_text(), algorithm=algorithm, headers=headers)


def let_in(desk: World, header: str | None) -> dict[str, Any]:
    event = {"type": "TOKEN", "methodArn": ARN, "authorizationToken": header}
    policy: dict[str, Any] = desk.invoke("authorizer", event)
    return policy


def kept_out(desk: World, header: str | None) -> None:
    """API Gateway makes a 401 of exactly this text."""
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        let_in(desk, header)


def encoded(part: dict[str, Any] | bytes) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("role", ROLES)
def test_a_good_token_lets_its_person_in_with_its_role(desk: World, role: str) -> None:
    policy = let_in(desk, f"Bearer {token(desk, role=role)}")

    assert policy["principalId"] == "person-1"
    assert policy["context"] == {"person_id": "person-1", "role": role}
    assert policy["policyDocument"]["Statement"] == [
        {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}
    ]


def test_the_token_that_the_local_stack_hands_out_is_good(desk: World) -> None:
    handed_out = issue_token(desk.jwt_key, user="person-2", role="finance")

    assert let_in(desk, f"bearer {handed_out}")["principalId"] == "person-2"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": int(time.time()) - 1},
        {"exp": ...},
        {"exp": "tomorrow"},
        {"iat": ...},
        {"iat": int(time.time()) + 86_400},
        {"nbf": int(time.time()) + 86_400},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ...},
        {"iss": "https://evil.example/"},
        {"iss": ...},
        {"sub": ...},
        {"sub": ""},
        {"role": ...},
        {"role": None},
        {"role": ""},
        {"role": "owner"},
        {"role": "Admin"},
        {"role": ["admin"]},
        {"role": {"admin": True}},
        {"kid": "unknown"},
        {"kid": ""},
        {"kid": ...},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_token_that_is_not_of_now_for_the_desk_with_person_and_role_is_refused(
    desk: World, changes: dict[str, Any]
) -> None:
    kept_out(desk, f"Bearer {token(desk, **changes)}")


def test_a_token_of_another_key_is_refused(desk: World) -> None:
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    kept_out(desk, f"Bearer {token(desk, key=pem)}")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
def test_a_token_without_signature_is_refused(desk: World, algorithm: str) -> None:
    header = {"alg": algorithm, "typ": "JWT", "kid": KEY_ID}

    kept_out(desk, f"Bearer {encoded(header)}.{encoded(claims())}.")


@pytest.mark.parametrize("form", ["pem", "jwk", "modulus"])
def test_the_public_key_is_no_shared_secret(desk: World, form: str) -> None:
    """The old confusion: HS256 keyed with what everybody may know."""
    private = serialization.load_pem_private_key(desk.jwt_key.read_bytes(), password=None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = desk.secrets["jwt"]["keys"][0]
    known = {"pem": public, "jwk": json.dumps(jwk).encode(), "modulus": jwk["n"].encode()}[form]
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': KEY_ID})}.{encoded(claims())}"
    mac = hmac.HMAC(known, hashes.SHA256())
    mac.update(signed.encode())

    kept_out(desk, f"Bearer {signed}.{encoded(mac.finalize())}")


def test_a_token_whose_role_was_exchanged_is_refused(desk: World) -> None:
    header, _, signature = token(desk).split(".")

    kept_out(desk, f"Bearer {header}.{encoded(claims(role='admin'))}.{signature}")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic eDp5", "Bearer a.b", "Bearer a.b.c", "Bearer é"]
)
def test_what_is_no_bearer_token_is_refused(desk: World, header: str | None) -> None:
    kept_out(desk, header)


@pytest.mark.parametrize("header", [b"[]", b"null", b"{}", b'{"alg": 7}', b'{"alg": "RS256", "kid": []}', b"\xff"])
def test_a_token_with_a_header_that_is_none_is_refused(desk: World, header: bytes) -> None:
    kept_out(desk, f"Bearer {encoded(header)}.{encoded(claims())}.{encoded(b'x')}")


def test_a_good_token_without_its_scheme_is_refused(desk: World) -> None:
    kept_out(desk, token(desk))


def test_a_refusal_is_logged_once_without_the_token(desk: World, said: Said) -> None:
    refused = token(desk, exp=1)
    said.lines()

    kept_out(desk, f"Bearer {refused}")

    logged = said.lines()
    assert [(line["level"], line["reason"]) for line in logged] == [("WARNING", "ExpiredSignatureError")]
    assert refused not in json.dumps(logged)


@contextmanager
def keys(text: str | None) -> Iterator[None]:
    def read(**_: Any) -> dict[str, str]:
        if text is None:
            raise ConnectionError
        return {"SecretString": text}

    secrets.forget()
    with patch.dict(aws.clients, secretsmanager=SimpleNamespace(get_secret_value=read)):
        yield
    secrets.forget()


@pytest.mark.parametrize("text", [None, "{}", "not json"])
def test_keys_that_cannot_be_read_are_our_failure_and_let_nobody_in(desk: World, text: str | None) -> None:
    good = token(desk)

    with keys(text), pytest.raises(secrets.SecretUnusable):
        let_in(desk, f"Bearer {good}")


def test_an_empty_set_of_keys_lets_nobody_in(desk: World) -> None:
    good = token(desk)

    with keys('{"keys": []}'):
        kept_out(desk, f"Bearer {good}")
