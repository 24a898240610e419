"""A session with S/4HANA: CSRF tokens that belong to its cookies, and creations that may be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import requests

from dealdesk.adapters.sap_answers import (
    NOT_REPEATING,
    REPEATING,
    Row,
    complete,
    csrf_required,
    document,
    problems,
    translated,
)
from dealdesk.errors import VendorUnavailable

TIMEOUT_SECONDS = (3.05, 12)
MAX_PAGES = 100
JSON = "application/json"
# V2 sends decimals as text; V4 sends JSON numbers, unless it is asked like this.
V4_JSON = "application/json;IEEE754Compatible=true"


class SapSession:
    """`authorization` gives the header's value; asked with True it must be a new one."""

    def __init__(self, url: str, *, authorization: Callable[[bool], str], client: str = "") -> None:
        self._url = url.rstrip("/")
        self._authorization = authorization
        self._http = requests.Session()
        self._http.headers.update({"Accept": JSON, "Accept-Language": "en"})
        if client:
            self._http.headers["sap-client"] = client
        self._tokens: dict[str, str] = {}

    def rows(self, service: str, entities: str, *, where: str, select: str) -> list[Row]:
        """All rows of a V2 entity set that match, over as many pages as SAP makes of them."""
        found: list[Row] = []
        params: dict[str, str] | None = {"$filter": where, "$select": select, "$format": "json"}
        url = f"{self._url}{service}/{entities}"
        for _ in range(MAX_PAGES):
            answer = document(self._send("GET", url, params=params)).get("d")
            if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
                raise VendorUnavailable(f"SAP answered without rows of {entities}")
            found += [complete(row, select.split(",")) for row in answer["results"]]
            # The link of the next page names SAP's own host, which a gateway in front of it may hide.
            _, _, rest = str(answer.get("__next") or "").partition(f"{service}/")
            if not rest:
                return found
            url, params = f"{self._url}{service}/{rest}", None
        raise VendorUnavailable(f"SAP has more than {MAX_PAGES} pages of {entities}")

    def read(self, service: str, path: str) -> Row:
        """A V4 entity."""
        return document(self._send("GET", f"{self._url}{service}/{path}", headers={"Accept": V4_JSON}))

    def act(self, service: str, path: str, body: Row, *, etag: str = "") -> Row:
        """A V4 action; with an `etag` only on that version of its document."""
        headers = {"Accept": V4_JSON, "Content-Type": JSON, **({"If-Match": etag} if etag else {})}
        return document(self._post(service, path, msgspec.json.encode(body), headers))

    def create(self, service: str, entities: str, body: Row, *, fact: str) -> Row:
        """A new V2 entity; after an unclear answer the same creation for the same fact has the same RequestID.

        https://help.sap.com/saphelp_gateway20sp12/helpdata/en/67/8b5dcd6a5c41789b27b46eb34a6a86/content.htm
        """
        content = msgspec.json.encode(body)
        plain = {"Content-Type": JSON}
        repeatable = {
            "RequestID": hashlib.sha256(b"\0".join((fact.encode(), content))).hexdigest()[:32].upper(),
            "RepeatabilityCreation": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        }
        response = self._post(service, entities, content, {**plain, **repeatable})
        if _refused_as_repeatable(response):
            response = self._post(service, entities, content, plain)
        return document(response)

    def _post(self, service: str, path: str, content: bytes, headers: dict[str, str]) -> requests.Response:
        url = f"{self._url}{service}/{path}"
        response = self._send("POST", url, content=content, headers={**headers, "X-CSRF-Token": self._token(service)})
        if csrf_required(response):
            self._tokens.clear()
            token = {"X-CSRF-Token": self._token(service)}
            response = self._send("POST", url, content=content, headers={**headers, **token})
        return response

    def _token(self, service: str) -> str:
        """The service's token in this session; SAP looks at the cookies that it came with."""
        if service not in self._tokens:
            # Without the slash at its end SAP redirects, and the token is lost on the way.
            response = self._send("GET", f"{self._url}{service}/", headers={"X-CSRF-Token": "Fetch"})
            if not response.ok:
                raise translated(response)
            token = response.headers.get("X-CSRF-Token", "")
            if not token:
                raise VendorUnavailable("SAP gave no CSRF token")
            self._tokens[service] = token
        return self._tokens[service]

    def _send(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        response = self._send_once(method, url, params, content, headers, renew=False)
        if response.status_code == 401:
            response = self._send_once(method, url, params, content, headers, renew=True)
        return response

    def _send_once(
        self,
        method: str,
        url: str,
        params: dict[str, str] | None,
        content: bytes | None,
        headers: dict[str, str] | None,
        *,
        renew: bool,
    ) -> requests.Response:
        signed = {**(headers or {}), "Authorization": self._authorization(renew)}
        try:
            return self._http.request(
                method, url, params=params, data=content, headers=signed, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise VendorUnavailable(f"SAP did not answer: {type(error).__name__}") from error


def _refused_as_repeatable(response: requests.Response) -> bool:
    """Whether the same creation may be sent once more, without the headers that make it repeatable.

    SAP refuses those headers where an administrator has not set them up, and where he has, it repeats a refusal
    for hours, also after its cause has gone. Refused is not done, so neither can make a second document.
    """
    if response.status_code != 400:
        return False
    about_repeating = [code for code in problems(response)[0] if code.startswith(REPEATING)]
    if about_repeating:
        return about_repeating == [NOT_REPEATING]
    return "RepeatabilityResult" in response.headers
