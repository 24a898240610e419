"""The vendors: twins called in this process in place of urllib3's connections, and what can happen on the way."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from http.client import HTTPMessage
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.util import Retry

from local.twins.server import Fault, Twin
from tests.prove.calls import Calls

DOMAIN = ".twin.test"
TIMES_OUT_SECONDS = 8
LANDS_AFTER_SECONDS = 40
REFUSED, LOST, LATE = "cannot be reached", "loses its answer", "works on after the timeout"
NOT_DONE, CUT = "times out, not done", "closes the line, done"
KINDS = (
    "dies before",
    "dies after",
    REFUSED,
    NOT_DONE,
    LOST,
    LOST,
    CUT,
    "answers 500, not done",
    "answers 503, done",
    "answers 429",
    "answers nonsense, done",
)
OUTAGE = timedelta(hours=4)
# Where it hurts most, faults are most likely.
EFFECTS = re.compile(
    r"(/envelopes|/send_with_template|/checkout/(sessions|orders)|/capture|/refunds?|/invoice(/eid:[^/]*)?|/creditmemo"
    r"|/!transform/creditMemo|/A_SalesOrder|/A_CreditMemoRequest|CreateFromSDDocument)$"
)
# Where a request that lands late does no harm: our key protects it, and where there are no keys (DocuSign, Dropbox
# Sign) nobody sends again before it must have landed. A CRM is only told how things are.
MAY_LAND_LATE = ("stripe", "paypal", "quickbooks", "netsuite", "sap", "docusign", "dropbox_sign")
AS_THE_TWIN_FAILS = {
    "answers 500, not done": Fault("", "status", 500),
    "answers 503, done": Fault("", "drop_answer", 503),
    "answers 429": Fault("", "status", 429, headers={"Retry-After": "20"}),
    "answers nonsense, done": Fault("", "garble"),
}


class Vendors:
    """`late` are requests that a vendor is still working on after the desk has given up on the answer."""

    def __init__(self, calls: Calls, twins: Mapping[str, Twin]) -> None:
        self.calls, self.twins = calls, twins
        self.late: list[tuple[datetime, Twin, dict[str, Any]]] = []
        self._down_until: dict[str, datetime] = {}
        for name, twin in twins.items():
            twin.url = f"http://{name.replace('_', '-')}{DOMAIN}"

    def urlopen(self, pool: Any, method: str, url: str, body: Any = None, headers: Any = None, **how: Any) -> Any:
        """As `urllib3.HTTPConnectionPool.urlopen`, with the retries that the caller asked it for."""
        asked = how.get("retries")
        retries = pool.retries if asked is None else asked
        if not isinstance(retries, Retry):
            retries = Retry.from_int(retries, redirect=how.get("redirect", True), default=pool.retries)
        while True:
            try:
                return self._ask_once(pool, method, url, body, headers, how)
            except HTTPError as error:
                retries = retries.increment(method, url, error=error, _pool=pool)

    def _ask_once(self, pool: Any, method: str, url: str, body: Any, headers: Any, how: Mapping[str, Any]) -> Any:
        twin = self.twins[pool.host.removesuffix(DOMAIN).replace("-", "_")]
        environ = _environ(pool.host, method, url, body, headers or pool.headers or {})
        writes = method in ("POST", "PUT")
        kinds = (*KINDS, LATE, LATE, LATE) if writes and twin.name in MAY_LAND_LATE else KINDS
        effect = writes and EFFECTS.search(urlsplit(url).path) is not None
        fault = self.calls.begin(f"{twin.name} {method} {_route(url)}", kinds, milliseconds=150, likely=effect)
        if fault == REFUSED or self._is_down(twin.name):
            raise NewConnectionError(pool, "the line is dead")
        if fault == LATE:
            self.late.append((self.calls.now() + timedelta(seconds=LANDS_AFTER_SECONDS), twin, environ))
        if fault in (LATE, NOT_DONE):
            self._time_out(pool)
        answer = _ask(twin, environ, AS_THE_TWIN_FAILS.get(fault or ""))
        fault = self.calls.end(fault)
        if fault == LOST:
            self._time_out(pool)
        if fault == CUT:
            raise ProtocolError("Connection aborted.", ConnectionResetError("by the vendor"))
        return _as_urllib3(answer, method, how)

    def finish_late(self) -> None:
        landed, self.late = self.late[0], self.late[1:]
        _ask(landed[1], landed[2], None)

    def recover(self) -> None:
        """Whoever was down is back."""
        self._down_until.clear()

    def _is_down(self, name: str) -> bool:
        fate, now = self.calls.fate, self.calls.now()
        if fate.strikes(f"{name} as a whole", ("is down for hours",), odds=fate.outage_odds):
            self._down_until[name] = now + OUTAGE
        return name in self._down_until and now < self._down_until[name]

    def _time_out(self, pool: Any) -> None:
        self.calls.take(seconds=TIMES_OUT_SECONDS)
        raise ReadTimeoutError(pool, "", f"read timed out after {TIMES_OUT_SECONDS} s")


def _ask(twin: Twin, environ: dict[str, Any], fault: Fault | None) -> tuple[int, list[tuple[str, str]], bytes]:
    told: list[Any] = []
    if fault:
        twin.faults = [Fault("", fault.kind, fault.status, dict(fault.headers))]

    def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        told.extend((int(status.split()[0]), headers))

    body = b"".join(twin(environ, start))
    return told[0], told[1], body


def _environ(host: str, method: str, url: str, body: Any, headers: Mapping[str, Any]) -> dict[str, Any]:
    asked = urlsplit(url)
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(asked.path).decode("latin-1"),
        "QUERY_STRING": asked.query,
        "SERVER_NAME": host,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": host,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(content)),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        text = value if isinstance(value, str) else bytes(value).decode()
        if key == "CONTENT_TYPE":
            environ[key] = text
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING", "HOST"):
            environ[f"HTTP_{key}"] = text
    return environ


def _as_urllib3(answer: tuple[int, list[tuple[str, str]], bytes], method: str, how: Mapping[str, Any]) -> Any:
    status, headers, body = answer
    return urllib3.HTTPResponse(
        body=io.BytesIO(body),
        headers=HTTPHeaderDict(headers),
        status=status,
        version=11,
        reason="",
        preload_content=how.get("preload_content", True),
        decode_content=how.get("decode_content", True),
        request_method=method,
        original_response=_WithCookies(headers),  # type: ignore[arg-type]
    )


class _WithCookies:
    """As http.client's answer is read by `requests`, which takes cookies from there and from nowhere else."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        self.msg = HTTPMessage()
        for name, value in headers:
            self.msg[name] = value

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing is open."""


def _route(url: str) -> str:
    """The path without what is different in each run."""
    return re.sub(r"/[^/]*\d[^/]*", "/*", urlsplit(url).path.replace("/v1/", "/v/").replace("/v3/", "/v/"))
