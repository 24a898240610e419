"""Calls to NetSuite's REST services: signed, few at once, and every failure translated in one place."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import requests

from dealdesk.adapters.netsuite_auth import Method, SignIn
from dealdesk.errors import VendorRefused, VendorUnavailable

TIMEOUT_SECONDS = (3.05, 10)
RECORDS = "/services/rest/record/v1"
QUERY = "/services/rest/query/v1/suiteql"
# Somebody is at it, or has just been: what was read may be old, and another call may do.
TRY_AGAIN = re.compile(r"CONCUR|REQUEST_LIMIT|REQUEST_BLOCKED|RCRD_HAS_BEEN_CHANGED")
WAIT_SECONDS = 10

# Amounts go out as JSON numbers with exactly the digits that they have; no float is made on the way.
_JSON = msgspec.json.Encoder(decimal_format="number")


class NetsuiteRest:
    """`calls_at_once` is the desk's share of the account's limit, which all integrations use up together."""

    def __init__(self, url: str, sign_in: SignIn, *, calls_at_once: int = 1) -> None:
        self._url = url.rstrip("/")
        self._sign_in = sign_in
        self._free = threading.BoundedSemaphore(calls_at_once)
        self._http = requests.Session()

    def read(self, path: str) -> dict[str, Any] | None:
        """The record; None only when NetSuite says that there is none."""
        response = self._answer("GET", RECORDS + path)
        if response.status_code == 404:
            return None
        record = _document(response)
        if "id" not in record:
            raise VendorUnavailable("NetSuite answered with something that is no record")
        return record

    def write(self, method: Method, path: str, body: Mapping[str, object]) -> None:
        """NetSuite says done without a word; any other answer leaves it in doubt."""
        response = self._answer(method, RECORDS + path, body)
        if response.status_code == 404:
            raise translated(response)
        if response.status_code != 204:
            raise VendorUnavailable(f"NetSuite answered {response.status_code} where it should say 204")

    def query(self, suiteql: str) -> list[dict[str, Any]]:
        response = self._answer("POST", f"{QUERY}?limit=1000", {"q": suiteql})
        rows = _document(response).get("items")
        if not isinstance(rows, list):
            raise VendorUnavailable("NetSuite answered a query with something that is no result")
        return rows

    def _answer(self, method: Method, path: str, body: Mapping[str, object] | None = None) -> requests.Response:
        """What NetSuite says when it is no failure but a 404. A 401 is met once by a new sign-in."""
        response = self._send(method, path, body)
        if response.status_code == 401:
            self._sign_in.forget()
            response = self._send(method, path, body)
        if not response.ok and response.status_code != 404:
            raise translated(response)
        return response

    def _send(self, method: Method, path: str, body: Mapping[str, object] | None) -> requests.Response:
        def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = self._sign_in.authorization(method, str(request.url))
            return request

        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if path.startswith(QUERY):
            headers["Prefer"] = "transient"
        try:
            with self._free:
                return self._http.request(
                    method,
                    self._url + path,
                    data=None if body is None else _JSON.encode(body),
                    headers=headers,
                    auth=signed,
                    timeout=TIMEOUT_SECONDS,
                )
        except requests.RequestException as error:
            raise VendorUnavailable(f"NetSuite did not answer: {type(error).__name__}") from error


def translated(response: requests.Response) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of NetSuite means for the desk.

    A 401 that comes again is no proof of bad credentials: an account at its limit answers so too.
    """
    status = response.status_code
    codes, details = [], []
    try:
        for error in response.json()["o:errorDetails"]:
            codes.append(str(error.get("o:errorCode")))
            details.append(str(error.get("detail")))
    except (ValueError, KeyError, TypeError, AttributeError):
        details.append(f"status {status}")
    busy = status == 429 or any(TRY_AGAIN.search(code) for code in codes)
    if busy or status in (401, 403, 408) or status >= 500:
        after = response.headers.get("Retry-After", "")
        wait = int(after) if after.isdigit() else None
        return VendorUnavailable(
            f"NetSuite did not answer: {status} {' '.join(codes)}".rstrip(),
            retry_after_seconds=wait or (WAIT_SECONDS if busy else None),
        )
    return VendorRefused(f"NetSuite refused: {' '.join(codes)} {'; '.join(details)}"[:300])


def _document(response: requests.Response) -> dict[str, Any]:
    try:
        document = response.json(parse_float=Decimal)
    except requests.JSONDecodeError as error:
        raise VendorUnavailable("NetSuite answered with something that is no JSON") from error
    if not isinstance(document, dict):
        raise VendorUnavailable("NetSuite answered with something else than what it was asked for")
    return document


def quoted(text: str) -> str:
    """A string of SuiteQL."""
    return "'" + text.replace("'", "''") + "'"
