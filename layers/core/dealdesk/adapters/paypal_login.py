"""PayPal's door: access tokens by client credentials, and what each of its refusals means for the desk."""

from __future__ import annotations

import time

import msgspec
import requests

from dealdesk.errors import VendorRefused, VendorUnavailable

TIMEOUT_SECONDS = (3.05, 8)
MARGIN_SECONDS = 120
# Another request for the same thing is under way: what it does is not known yet.
IN_DOUBT = frozenset({"ORDER_COMPLETION_IN_PROGRESS", "PREVIOUS_REQUEST_IN_PROGRESS"})


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int


class _Detail(msgspec.Struct):
    issue: str = ""
    description: str = ""


class _Problem(msgspec.Struct):
    name: str = ""
    message: str = ""
    details: list[_Detail] = []


class PaypalLogin:
    """Keeps one token until shortly before it ends."""

    def __init__(self, http: requests.Session, url: str, client_id: str, client_secret: str) -> None:
        self._http = http
        self._url = f"{url}/v1/oauth2/token"
        self._credentials = (client_id, client_secret)
        self._token = ""
        self._ends = 0.0

    def token(self) -> str:
        """A valid token. Raises `VendorUnavailable`: wrong credentials are changed by a person, and the work waits."""
        if not self._token or time.monotonic() >= self._ends:
            started = time.monotonic()
            answer = self._ask()
            self._token, self._ends = answer.access_token, started + answer.expires_in - MARGIN_SECONDS
        return self._token

    def forget(self) -> None:
        self._token = ""

    def _ask(self) -> _Token:
        try:
            response = self._http.post(
                self._url,
                auth=self._credentials,
                data={"grant_type": "client_credentials"},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            response.raise_for_status()
            return msgspec.json.decode(response.content, type=_Token)
        except requests.HTTPError as error:
            raise VendorUnavailable(
                f"PayPal gave no access token: {error.response.status_code}",
                retry_after_seconds=_retry_after(error.response),
            ) from error
        except (requests.RequestException, msgspec.DecodeError) as error:
            raise VendorUnavailable(f"PayPal's sign-in did not answer: {type(error).__name__}") from error


def translated(response: requests.Response) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of PayPal means for the desk."""
    status = response.status_code
    issues, said = _problem_of(response)
    if status in (401, 403, 408, 409, 429) or status >= 500 or IN_DOUBT & issues:
        return VendorUnavailable(
            f"PayPal did not answer: {status} {said}".rstrip(), retry_after_seconds=_retry_after(response)
        )
    return VendorRefused(f"PayPal refused: {said or status}"[:300])


def _problem_of(response: requests.Response) -> tuple[frozenset[str], str]:
    """The issues, and one line for people with PayPal's debug id, which its support asks for."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    issues = frozenset([problem.name, *(detail.issue for detail in problem.details)]) - {""}
    words = [detail.issue or detail.description for detail in problem.details] or [problem.name]
    debug_id = response.headers.get("Paypal-Debug-Id", "")
    return issues, " ".join([*words, f"(debug id {debug_id})" if debug_id else ""]).strip()


def _retry_after(response: requests.Response) -> int | None:
    after = response.headers.get("Retry-After", "")
    return int(after) if after.isascii() and after.isdigit() else None
