"""Signs servers in to the Salesforce twin with a JWT, and tells whose a session is."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import jwt
from werkzeug.wrappers import Request, Response

from local.twins.server import Refused, json_answer

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


@dataclass(slots=True)
class Login:
    """The connected app and the sessions it has opened; `tokens` maps an access token to its user."""

    consumer_key: str
    public_key_pem: str
    username: str
    user_id: str
    organization_id: str
    now: Callable[[], datetime]
    tokens: dict[str, str] = field(default_factory=dict)

    def user_of(self, request: Request) -> str:
        """The user whose session the request carries; refuses an unknown one with 401."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise Refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        return self.tokens[token]

    def sign_in(self, request: Request) -> Response:
        """The token endpoint of the JWT bearer flow."""
        if request.form.get("grant_type") != GRANT:
            return _denied("unsupported_grant_type", "grant type not supported")
        url = request.host_url.rstrip("/")
        denial = self._denial(request.form.get("assertion", ""), url)
        if denial is not None:
            return _denied(*denial)
        token = f"{self.organization_id[:15]}!{secrets.token_urlsafe(24)}"
        self.tokens[token] = self.user_id
        identity = f"{url}/id/{self.organization_id}/{self.user_id}"
        answer = {"access_token": token, "instance_url": url, "id": identity, "token_type": "Bearer"}
        return json_answer({**answer, "scope": "api"})

    def _denial(self, assertion: str, url: str) -> tuple[str, str] | None:
        try:
            claims = jwt.decode(
                assertion,
                self.public_key_pem,
                algorithms=["RS256"],
                audience=[*AUDIENCES, url],
                options={"require": ["iss", "sub", "aud", "exp"], "verify_exp": False},
            )
        except jwt.InvalidAudienceError:
            return "invalid_grant", "audience is invalid"
        except jwt.InvalidTokenError:
            return "invalid_grant", "invalid assertion"
        if claims["iss"] != self.consumer_key:
            return "invalid_client_id", "client identifier invalid"
        if claims["sub"] != self.username:
            return "invalid_grant", "user hasn't approved this consumer"
        if float(claims["exp"]) <= self.now().timestamp():
            return "invalid_grant", "expired authorization code"
        return None


def _denied(error: str, description: str) -> Response:
    return json_answer({"error": error, "error_description": description}, 400)
