"""The NetSuite twin's door: a certificate's assertion buys a token, or every call is signed by OAuth 1.0a."""

import base64
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qsl, quote, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from werkzeug.wrappers import Request, Response

from local.twins.server import Refused, json_answer

TOKEN_SECONDS = 3_600
LONGEST_ASSERTION = timedelta(minutes=60)
SKEW = timedelta(minutes=5)
SMALLEST_KEY_BITS = 3_072
ALGORITHMS = ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PARAMETER = re.compile(r'\s*(\w+)="([^"]*)"\s*')


@dataclass(frozen=True)
class Integration:
    """What NetSuite knows of the desk: a certificate mapped to it, and a token for it."""

    account: str
    client_id: str = ""
    certificate_id: str = ""
    public_key_pem: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    token_id: str = ""
    token_secret: str = ""


@dataclass
class Door:
    """Gives out tokens and says who may pass."""

    integration: Integration
    now: Callable[[], datetime]
    tokens: dict[str, datetime] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)

    def clear(self) -> None:
        self.tokens.clear()
        self.nonces.clear()

    def give_token(self, request: Request) -> Response:
        """OAuth 2.0 client credentials with a JWT; RS256 and short keys are refused."""
        form = request.form
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION_TYPE:
            return json_answer({"error": "unsupported_grant_type"}, 400)
        try:
            self._check_assertion(form.get("client_assertion", ""), request.base_url)
        except (jwt.InvalidTokenError, ValueError) as error:
            return json_answer({"error": "invalid_client", "error_description": str(error)}, 401)
        token = secrets.token_urlsafe(48)
        self.tokens[token] = self.now() + timedelta(seconds=TOKEN_SECONDS)
        return json_answer({"access_token": token, "expires_in": str(TOKEN_SECONDS), "token_type": "Bearer"})

    def _check_assertion(self, assertion: str, audience: str) -> None:
        if jwt.get_unverified_header(assertion).get("kid") != self.integration.certificate_id:
            raise ValueError("no such certificate")
        key = load_pem_public_key(self.integration.public_key_pem.encode())
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_KEY_BITS:
            raise ValueError(f"an RSA key needs {SMALLEST_KEY_BITS} bits")
        claims = jwt.decode(
            assertion,
            self.integration.public_key_pem,
            algorithms=ALGORITHMS,
            audience=audience,
            issuer=self.integration.client_id,
            options={"require": ["iss", "aud", "iat", "exp"]},
        )
        if claims["exp"] - claims["iat"] > LONGEST_ASSERTION.total_seconds():
            raise ValueError("the assertion lives for more than an hour")
        scope = claims.get("scope", "")
        if "rest_webservices" not in (scope.split(",") if isinstance(scope, str) else scope):
            raise ValueError("the scope lacks rest_webservices")

    def require(self, request: Request) -> None:
        """Raises `Refused` 401 for every proof that is missing, old or wrong."""
        kind, _, proof = request.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer" and proof in self.tokens and self.tokens[proof] > self.now():
            return
        if kind == "OAuth" and self._is_signed(request, proof):
            return
        raise Refused(401, "INVALID_LOGIN_ATTEMPT", "Invalid login attempt.")

    def _is_signed(self, request: Request, proof: str) -> bool:
        pairs = [PARAMETER.fullmatch(part) for part in proof.split(",")]
        given = {pair[1]: unquote(pair[2]) for pair in pairs if pair}
        ours = self.integration
        expected = {
            "realm": ours.account.upper().replace("-", "_"),
            "oauth_consumer_key": ours.consumer_key,
            "oauth_token": ours.token_id,
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_version": "1.0",
        }
        if not ours.token_secret or {name: given.get(name) for name in expected} != expected:
            return False
        stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        fresh = stamp.isdigit() and abs(self.now().timestamp() - int(stamp)) <= SKEW.total_seconds()
        if not fresh or not nonce or nonce in self.nonces:
            return False
        signature = given.pop("oauth_signature", "")
        if not hmac.compare_digest(signature, self.signature(request.method, _address(request), given)):
            return False
        self.nonces.add(nonce)
        return True

    def signature(self, method: str, url: str, parameters: dict[str, str]) -> str:
        """RFC 5849, sections 3.4.1 and 3.4.2, with SHA-256; the realm is no part of it, a JSON body neither."""
        address, _, query = url.partition("?")
        pairs = [(name, value) for name, value in parameters.items() if name != "realm"]
        pairs += parse_qsl(query, keep_blank_values=True)
        sorted_pairs = sorted((_escaped(name), _escaped(value)) for name, value in pairs)
        text = "&".join(f"{name}={value}" for name, value in sorted_pairs)
        base = "&".join((method.upper(), _escaped(address), _escaped(text)))
        key = f"{_escaped(self.integration.consumer_secret)}&{_escaped(self.integration.token_secret)}"
        return base64.b64encode(hmac.new(key.encode(), base.encode(), sha256).digest()).decode()


def _address(request: Request) -> str:
    """As the caller wrote and signed it: what a server decodes on the way is signed otherwise."""
    return request.host_url.rstrip("/") + str(request.environ["REQUEST_URI"])


def _escaped(text: str) -> str:
    return quote(text, safe="~")
