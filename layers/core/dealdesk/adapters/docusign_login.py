"""Signs in at DocuSign by JWT grant, and finds the account's own base address."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import urllib3
from docusign_esign import ApiClient, EnvelopesApi
from docusign_esign.client.api_exception import ApiException

from dealdesk.errors import VendorRefused, VendorUnavailable

TIMEOUT_SECONDS = (3.05, 8)
TOKEN_SECONDS = 3600
SCOPES = ("signature", "impersonation")


class _Client(ApiClient):  # type: ignore[misc]
    """The library writes https and no timeout into its sign-in; this sends it where the settings say, with one."""

    def __init__(self, oauth_url: str) -> None:
        super().__init__()
        self._oauth_url = oauth_url.rstrip("/")
        self.oauth_host_name = urlsplit(oauth_url).netloc
        self.rest_client.pool_manager.connection_pool_kw["retries"] = False

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        prefix = f"https://{self.oauth_host_name}"
        there = self._oauth_url + url.removeprefix(prefix) if url.startswith(prefix) else url
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or TIMEOUT_SECONDS
        return super().request(method, there, **kwargs)


class Login:
    """Signed in once for most of the token's hour."""

    def __init__(
        self, oauth_url: str, *, integration_key: str, user_id: str, account_id: str, private_key: bytes
    ) -> None:
        self._oauth_url = oauth_url
        self._integration_key = integration_key
        self._user_id = user_id
        self._account_id = account_id
        self._private_key = private_key
        self._signed_in_until = 0.0
        self._api: EnvelopesApi | None = None

    def envelopes(self) -> EnvelopesApi:
        """Raises `VendorUnavailable`, and `VendorRefused` for an account that the user has no access to."""
        if self._api is not None and time.time() < self._signed_in_until:
            return self._api
        try:
            self._api = self._signed_in()
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            # A rejected sign-in may be a clock, a rotation or a missing consent: nothing about the deal is wrong.
            raise VendorUnavailable(f"DocuSign refused the sign-in: {message_of(error)}") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise VendorUnavailable(f"DocuSign's sign-in answered with something unreadable: {error!r}") from error
        self._signed_in_until = time.time() + TOKEN_SECONDS * 0.9
        return self._api

    def forget(self) -> None:
        self._signed_in_until = 0.0

    def _signed_in(self) -> EnvelopesApi:
        client = _Client(self._oauth_url)
        token = client.request_jwt_user_token(
            self._integration_key,
            self._user_id,
            client.oauth_host_name,
            self._private_key,
            TOKEN_SECONDS,
            SCOPES,
        )
        accounts = client.get_user_info(token.access_token).accounts
        base = next((a.base_uri for a in accounts if a.account_id == self._account_id), None)
        if base is None:
            raise VendorRefused(f"the DocuSign user has no access to account {self._account_id}")
        client.host = f"{base}/restapi"
        return EnvelopesApi(client)


def message_of(error: Exception) -> str:
    body = getattr(error, "body", None) or b""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    return text[:300]
