"""Lets in who has a valid token: a JWT of the configured key set that names a person and a role; nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
import msgspec

from dealdesk.edge import secrets, settings, telemetry

ISSUER = "https://dealdesk.local/"
AUDIENCE = "dealdesk"
ALGORITHMS = ["RS256", "ES256", "PS256"]
ROLES = frozenset({"rep", "deal_desk", "finance", "executive", "revops", "admin", "auditor", "service"})


@dataclass(frozen=True, slots=True)
class Settings:
    jwt_secret: str


class Secret(msgspec.Struct):
    keys: list[dict[str, Any]]
    issuer: str = ISSUER
    audience: str = AUDIENCE


@cache
def config() -> Settings:
    return settings.read(Settings)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    try:
        claims = verify(event.get("authorizationToken") or "")
    except (jwt.PyJWTError, ValueError) as error:
        telemetry.warned("token refused", reason=type(error).__name__)
        # API Gateway turns exactly this text into a 401.
        raise Exception("Unauthorized") from None
    telemetry.said("token accepted", person=claims["sub"], role=claims["role"])
    return _policy(claims, event["methodArn"])


def verify(header: str) -> dict[str, Any]:
    """The claims of a valid bearer token. Raises `jwt.PyJWTError` or `ValueError` for any other."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ValueError("not a bearer token")
    secret = secrets.secret(config().jwt_secret, Secret)
    key_id = jwt.get_unverified_header(token).get("kid")
    key = next((key for key in secret.keys if key.get("kid") == key_id), None)
    if key is None or key_id is None:
        raise ValueError("the key is not in the configured set")
    claims: dict[str, Any] = jwt.decode(
        token,
        jwt.PyJWK(key),
        algorithms=ALGORITHMS,
        audience=secret.audience,
        issuer=secret.issuer,
        options={"require": ["exp", "iat", "sub"]},
    )
    role = claims.get("role")
    if not isinstance(role, str) or role not in ROLES or not isinstance(claims["sub"], str) or not claims["sub"]:
        raise ValueError("the token names no person or no known role")
    return claims


def _policy(claims: dict[str, Any], method_arn: str) -> dict[str, Any]:
    return {
        "principalId": claims["sub"],
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": method_arn}],
        },
        "context": {"person_id": claims["sub"], "role": claims["role"]},
    }
