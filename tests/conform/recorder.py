"""A pytest plugin: writes down every request that a twin gets, whole, one a line, where RECORD_REQUESTS says."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from werkzeug.wrappers import Request, Response

from local.twins.server import HEADERS_NOT_KEPT, Twin

RECORD_REQUESTS = "RECORD_REQUESTS"
OF_THE_LINE = HEADERS_NOT_KEPT | {"host", "connection", "content-length", "accept-encoding"}

_visit = Twin._visit


@dataclass(frozen=True)
class Sent:
    """A request as it left the desk; `path` carries the query."""

    vendor: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str


def recorded(file: Path) -> list[Sent]:
    """Every different request once, in the order in which they were first made."""
    return list(dict.fromkeys(msgspec.json.decode(line, type=Sent) for line in file.read_bytes().splitlines()))


def _record(twin: Twin, request: Request) -> Response | None:
    path = request.path + (f"?{request.query_string.decode()}" if request.query_string else "")
    headers = tuple((name, value) for name, value in request.headers if name.lower() not in OF_THE_LINE)
    sent = Sent(twin.name, request.method, path, headers, request.get_data(as_text=True))
    with twin.lock, Path(os.environ[RECORD_REQUESTS]).open("ab") as file:
        file.write(msgspec.json.encode(asdict(sent)) + b"\n")
    return _visit(twin, request)


def pytest_configure() -> None:
    Twin._visit = _record  # type: ignore[method-assign, assignment]
