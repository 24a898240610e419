"""How the desk signs in to S/4HANA: as a communication user, or as an OAuth client."""

from __future__ import annotations

import base64
import threading
import time

import requests

from dealdesk.adapters import sap_answers
from dealdesk.errors import VendorUnavailable

TIMEOUT_SECONDS = (3.05, 8)
MARGIN_SECONDS = 60


class SapUser:
    """Basic authentication of a communication user; there is nothing to renew."""

    def __init__(self, user: str, password: str) -> None:
        self._header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def __call__(self, _renew: bool) -> str:
        return self._header


class SapClient:
    """OAuth 2.0 client credentials; a token is kept until it is about to end, or is asked for anew."""

    def __init__(self, token_url: str, client_id: str, client_secret: str) -> None:
        self._token_url = token_url
        self._credentials = (client_id, client_secret)
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def __call__(self, renew: bool) -> str:
        with self._lock:
            if renew or time.monotonic() >= self._good_until:
                self._fetch()
            return f"Bearer {self._token}"

    def _fetch(self) -> None:
        try:
            response = requests.post(
                self._token_url,
                auth=self._credentials,
                data={"grant_type": "client_credentials"},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise VendorUnavailable(f"SAP's token service did not answer: {type(error).__name__}") from error
        if not response.ok:
            raise VendorUnavailable(f"SAP's token service refused: {response.status_code}")
        answer = sap_answers.document(response)
        try:
            self._token = str(answer["access_token"])
            self._good_until = time.monotonic() + int(answer["expires_in"]) - MARGIN_SECONDS
        except (KeyError, TypeError, ValueError) as error:
            raise VendorUnavailable("SAP's token service answered without a token") from error
