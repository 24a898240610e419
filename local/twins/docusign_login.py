"""Signs the desk in to the DocuSign twin with a JWT, and tells whether a call carries a living token."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import jwt
from werkzeug.wrappers import Request, Response

from local.twins.server import Json, Refused, json_answer

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("account-d.docusign.com", "account.docusign.com")
SCOPES = {"signature", "impersonation"}
TOKEN_SECONDS = 3_600
# An assertion that lives longer than its hour is refused; a clock may be a little off.
CLOCK_SKEW_SECONDS = 300


@dataclass(slots=True)
class Login:
    """The app, its one user, and the tokens given out with the second at which each ends."""

    integration_key: str
    user_id: str
    account_id: str
    public_key_pem: str
    now: Callable[[], datetime]
    consented: bool = True
    tokens: dict[str, float] = field(default_factory=dict)

    def sign_in(self, request: Request) -> Response:
        """The JWT grant; a refusal has OAuth's shape. Source: developers.docusign.com, "JWT Grant"."""
        if request.form.get("grant_type") != GRANT:
            return _denied("unsupported_grant_type")
        denial = self._denial(request.form.get("assertion", ""), request.host)
        if denial is not None:
            return _denied(*denial)
        token = secrets.token_urlsafe(48)
        self.tokens[token] = self.now().timestamp() + TOKEN_SECONDS
        return json_answer(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": TOKEN_SECONDS,
                "scope": "signature impersonation",
            }
        )

    def require_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            raise Refused(
                401,
                "PARTNER_AUTHENTICATION_FAILED",
                "The specified Integrator Key was not found or is disabled. An Integrator key was not specified.",
            )
        if scheme.lower() != "bearer" or self.tokens.get(token, 0) <= self.now().timestamp():
            raise Refused(
                401,
                "USER_AUTHENTICATION_FAILED",
                "One or both of Username and Password are invalid. Invalid access token",
            )

    def user_info(self, base_uri: str) -> Json:
        account = {"account_id": self.account_id, "account_name": "Desk", "is_default": True}
        user = {"sub": self.user_id, "name": "Deal Desk", "given_name": "Deal", "family_name": "Desk"}
        return {**user, "email": "desk@acme.example", "accounts": [{**account, "base_uri": base_uri}]}

    def _denial(self, assertion: str, host: str) -> tuple[str, ...] | None:
        try:
            claims = jwt.decode(
                assertion,
                self.public_key_pem,
                algorithms=["RS256"],
                audience=[*AUDIENCES, host],
                options={
                    "require": ["iss", "sub", "aud", "iat", "exp"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidSignatureError:
            return "invalid_grant", "no_valid_keys_or_signatures"
        except jwt.InvalidTokenError as error:
            return "invalid_grant", f"invalid assertion: {error}"
        now, living = self.now().timestamp(), float(claims["exp"]) - float(claims["iat"])
        if claims["iss"] != self.integration_key:
            return "invalid_grant", "issuer_not_found"
        if claims["sub"] != self.user_id:
            return "invalid_grant", "user_not_found"
        if float(claims["exp"]) <= now:
            return "invalid_grant", "expired_grant"
        if living > TOKEN_SECONDS + CLOCK_SKEW_SECONDS or float(claims["iat"]) > now + CLOCK_SKEW_SECONDS:
            return "invalid_grant", "invalid assertion: exp is at most an hour after iat"
        if not self.consented or not set(str(claims.get("scope", "")).split()) >= SCOPES:
            return ("consent_required",)
        return None


def _denied(error: str, description: str = "") -> Response:
    body = {"error": error, "error_description": description} if description else {"error": error}
    return json_answer(body, 400)
