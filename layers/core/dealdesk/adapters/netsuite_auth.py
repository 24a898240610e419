"""How the desk signs in at NetSuite: a certificate's short-lived token, or a signature on every call."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import jwt
import msgspec
import requests
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

from dealdesk.errors import Unavailable, VendorUnavailable

TIMEOUT_SECONDS = (3.05, 8)
TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
ASSERTION_LIVES = timedelta(minutes=5)
MARGIN = timedelta(minutes=2)

Method = Literal["GET", "POST", "PUT"]


class Secret(msgspec.Struct, frozen=True):
    """The secret holds a certificate or a token, besides the account: `1234567`, for a sandbox `1234567-sb1`."""

    account: str
    client_id: str = ""
    certificate_id: str = ""
    private_key: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    token_id: str = ""
    token_secret: str = ""


class SignIn(Protocol):
    """What proves each request; `forget` is called when NetSuite did not take the proof."""

    def authorization(self, method: Method, url: str) -> str: ...

    def forget(self) -> None: ...


def sign_in(url: str, secret: Secret) -> SignIn:
    """By the certificate where there is one; raises `Unavailable` for a secret that proves nothing."""
    if secret.client_id and secret.certificate_id and secret.private_key:
        return MachineToMachine(
            url, client_id=secret.client_id, certificate_id=secret.certificate_id, private_key=secret.private_key
        )
    if secret.consumer_key and secret.consumer_secret and secret.token_id and secret.token_secret:
        return TokenBased(
            secret.account,
            consumer_key=secret.consumer_key,
            consumer_secret=secret.consumer_secret,
            token_id=secret.token_id,
            token_secret=secret.token_secret,
        )
    raise Unavailable("NetSuite's secret holds neither a whole certificate nor a whole token")


class MachineToMachine:
    """OAuth 2.0 client credentials: a JWT signed with the certificate's key buys a token for an hour.

    NetSuite takes PS256 and refuses RS256. Source: Oracle, "OAuth 2.0 Client Credentials Flow".
    """

    def __init__(self, url: str, *, client_id: str, certificate_id: str, private_key: str) -> None:
        self._token_url = url.rstrip("/") + TOKEN_PATH
        self._client_id = client_id
        self._certificate_id = certificate_id
        self._private_key = private_key
        self._lock = threading.Lock()
        self._token: _Token | None = None

    def authorization(self, method: Method, url: str) -> str:
        """Raises `VendorUnavailable` when no token can be had now."""
        with self._lock:
            now = datetime.now(UTC)
            if self._token is None or self._token.valid_until - MARGIN <= now:
                self._token = self._bought(now)
            return f"Bearer {self._token.text}"

    def forget(self) -> None:
        with self._lock:
            self._token = None

    def _bought(self, now: datetime) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self._assertion(now),
        }
        try:
            answer = requests.post(self._token_url, data=form, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise VendorUnavailable(f"NetSuite's sign-in did not answer: {type(error).__name__}") from error
        try:
            document = answer.json()
            if answer.status_code != 200:
                raise VendorUnavailable(f"NetSuite refused to sign the desk in: {document['error']}")
            lives = timedelta(seconds=int(document["expires_in"]))
            return _Token(str(document["access_token"]), now + lives)
        except (KeyError, TypeError, ValueError) as error:
            raise VendorUnavailable(f"NetSuite's sign-in answered {answer.status_code}, and no token") from error

    def _assertion(self, now: datetime) -> str:
        claims = {
            "iss": self._client_id,
            "scope": ["rest_webservices"],
            "aud": self._token_url,
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIVES).timestamp()),
        }
        return jwt.encode(claims, self._private_key, algorithm="PS256", headers={"kid": self._certificate_id})


class TokenBased:
    """OAuth 1.0a with HMAC-SHA256: every call is signed over its method and whole address, never over JSON."""

    def __init__(
        self, account: str, *, consumer_key: str, consumer_secret: str, token_id: str, token_secret: str
    ) -> None:
        self._client = {
            "client_key": consumer_key,
            "client_secret": consumer_secret,
            "resource_owner_key": token_id,
            "resource_owner_secret": token_secret,
            # The host of a sandbox is 1234567-sb1, its realm 1234567_SB1.
            "realm": account.upper().replace("-", "_"),
            "signature_method": SIGNATURE_HMAC_SHA256,
        }

    def authorization(self, method: Method, url: str, **fixed: str) -> str:
        """`fixed` sets nonce and timestamp, which are new for every call otherwise."""
        _, headers, _ = Client(**self._client, **fixed).sign(url, http_method=method)
        return str(headers["Authorization"])

    def forget(self) -> None:
        """There is nothing to forget: the next call is signed anew."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    valid_until: datetime
