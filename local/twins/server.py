"""A twin stands in for a vendor on one machine: keeps state, refuses as the vendor does, fails on request."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from local.twins.webhooks import Delivery as Delivery
from local.twins.webhooks import WebhookSender as WebhookSender

Json = dict[str, Any]
Endpoint = Callable[..., Response]
Action = Callable[[Json], Json]

ADMIN = "/_twin/"
BODY_CHARS_KEPT = 2_000
HEADERS_NOT_KEPT = {"authorization", "cookie"}


class Refused(Exception):
    """The vendor's no; the twin puts it into the vendor's own error shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One call the vendor saw; `path` carries the query, status 0 says it was closed unanswered."""

    at: str
    method: str
    path: str
    status: int
    body: str
    headers: dict[str, str]


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` calls whose "METHOD path?query" contains `match`, once `after` of them went
    well. The first fault in the list that a call matches decides on it, so that a list is a script.

    `slow` does the work and answers as it would, only after `seconds`.
    `status` answers without doing the work, `timeout` sleeps and answers 504 without doing the work,
    `drop_answer` does the work and loses the answer: `status` after `seconds`; status 0 closes the line.
    `garble` does the work and answers 200 with a web page. `GET /_twin/failures` counts by `message` what went wrong.
    """

    match: str
    kind: Literal["slow", "status", "timeout", "drop_answer", "garble"]
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    after: int = 0
    seconds: float = 0
    code: str = "TWIN_FAULT"
    message: str = "the twin was told to fail"


def json_answer(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; decimals go out as JSON numbers."""
    body = json.dumps(payload, default=float, ensure_ascii=False)
    return Response(body, status, dict(headers or {}), content_type="application/json;charset=UTF-8")


@cache
def _routes(rules: tuple[tuple[str, str], ...]) -> Map:
    """Twins of one vendor have the same: to compile them takes longer than all else that a new twin needs."""
    made = [Rule(rule, methods=[method], endpoint=f"{method} {rule}") for method, rule in rules]
    return Map(made, strict_slashes=False)


class Twin:
    """The common half of every twin; a subclass adds routes, actions, `state`, `clear` and `vendor_error`."""

    name: str

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.requests: list[RecordedRequest] = []
        self.faults: list[Fault] = []
        self.failures: Counter[str] = Counter()
        self.webhooks = WebhookSender()
        self.url = ""
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._rules: list[tuple[str, str]] = []
        self._endpoints: dict[str, Endpoint] = {}
        self._actions: dict[str, Action] = {}

    def route(self, method: str, rule: str, endpoint: Endpoint) -> None:
        """Answer `method rule` with `endpoint(request, **params)`, run under the lock."""
        self._endpoints[f"{method} {rule}"] = endpoint
        self._rules.append((method, rule))

    def action(self, name: str, act: Action) -> None:
        """Offer what a person does at the vendor as `POST /_twin/act/{name}`."""
        self._actions[name] = act

    def act(self, name: str, body: Json) -> Json:
        """Do what a person does at the vendor; `Refused` for an unknown action or incomplete body."""
        if name not in self._actions:
            raise Refused(404, "UNKNOWN_ACTION", f"no action {name}; there are {sorted(self._actions)}")
        with self.lock:
            try:
                return self._actions[name](body)
            except KeyError as missing:
                raise Refused(400, "MISSING", f"{name} needs or does not know {missing}") from missing

    def state(self) -> Json:
        """A summary of the vendor's objects."""
        return {}

    def clear(self) -> None:
        """Put the vendor's objects back to what they were before the first call."""

    def reset(self) -> None:
        """Back to the first day: no records, faults or queued webhooks, and the objects as first loaded."""
        with self.lock:
            self.clear()
            self.requests.clear()
            self.faults.clear()
            self.failures.clear()
        self.webhooks.reset()

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        """The vendor's error shape."""
        return json_answer({"error": {"code": code, "message": message}}, status)

    def refusal(self, refused: Refused) -> Response:
        """Answer a refusal; a twin whose refusals carry more than a code and a message says more here."""
        return self.vendor_error(refused.status, refused.code, refused.message)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        request = Request(environ)
        request.get_data(cache=True)
        answer = self._operate(request) if request.path.startswith(ADMIN) else self._visit(request)
        if answer is None:
            raise ConnectionAbortedError("the twin was told to close the connection")
        return answer(environ, start_response)

    def _visit(self, request: Request) -> Response | None:
        """Answer the product as the vendor would; None closes the connection."""
        path = request.path + (f"?{request.query_string.decode()}" if request.query_string else "")
        fault = self._take_fault(f"{request.method} {path}")
        answer = self._dispatch(request) if fault is None else self._fail(request, fault)
        kept = {name: value for name, value in request.headers if name.lower() not in HEADERS_NOT_KEPT}
        body = request.get_data(as_text=True)[:BODY_CHARS_KEPT]
        at = self.clock().isoformat(timespec="milliseconds")
        status = 0 if answer is None else answer.status_code
        self.requests.append(RecordedRequest(at, request.method, path, status, body, kept))
        return answer

    def _take_fault(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.match in line and fault.after:
                    fault.after -= 1
                    return None
                if fault.match in line:
                    fault.times -= 1
                    self.failures[fault.message] += 1
                    self.faults = [fault for fault in self.faults if fault.times > 0]
                    return fault
        return None

    def _fail(self, request: Request, fault: Fault) -> Response | None:
        done = self._dispatch(request) if fault.kind in ("slow", "drop_answer", "garble") else None
        time.sleep(fault.seconds)
        if fault.kind == "slow":
            return done
        if fault.kind == "garble":
            return Response("<html>Please stand by</html>", content_type="text/html")
        if fault.kind == "drop_answer" and fault.status == 0:
            return None
        status = 504 if fault.kind == "timeout" else fault.status
        answer = self.vendor_error(status, fault.code, fault.message)
        answer.headers.update(fault.headers)
        return answer

    def _dispatch(self, request: Request) -> Response:
        try:
            key, params = _routes(tuple(self._rules)).bind_to_environ(request.environ).match()
            with self.lock:
                return self._endpoints[key](request, **params)
        except Refused as refused:
            return self.refusal(refused)
        except HTTPException as error:
            return self.vendor_error(error.code or 500, error.name.upper().replace(" ", "_"), str(error.description))

    def _operate(self, request: Request) -> Response:
        """Answer the operator of the twin, who is not the vendor and leaves no record."""
        verb, _, name = request.path.removeprefix(ADMIN).partition("/")
        try:
            with self.lock:
                return json_answer(self._operation(request.method, verb, name, request))
        except Refused as refused:
            return json_answer({"error": refused.message}, refused.status)
        except (TypeError, ValueError) as error:
            return json_answer({"error": str(error)}, 400)

    def _operation(self, method: str, verb: str, name: str, request: Request) -> object:
        body = json.loads(request.get_data() or b"{}")
        match method, verb:
            case "GET", "requests":
                return [asdict(record) for record in list(self.requests)]
            case "GET", "deliveries":
                return [asdict(attempt) for attempt in list(self.webhooks.log)]
            case "GET", "state":
                return self.state()
            case "GET", "failures":
                return self.failures
            case "POST", "faults":
                self.faults = [Fault(**fault) for fault in body]
                return {"faults": len(self.faults)}
            case "POST", "delivery":
                self.webhooks.mode = Delivery(**body)
                return asdict(self.webhooks.mode)
            case "POST", "reset":
                self.reset()
                return {}
            case "POST", "act":
                return self.act(name, body)
        raise Refused(404, "NOT_FOUND", f"{method} {request.path} is no operation of a twin")


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The twin keeps its own record."""

    def connection_dropped(self, *_why: object, **_more: object) -> None:
        self.close_connection = True


class RunningTwin:
    """A twin that listens on loopback in a daemon thread until closed."""

    def __init__(self, twin: Twin, server: BaseWSGIServer) -> None:
        self.twin, self._server = twin, server
        self.url = twin.url = f"http://127.0.0.1:{server.server_port}"
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and sending."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.twin.webhooks.close()


def serve(twin: Twin, port: int = 0) -> RunningTwin:
    """Run the twin on 127.0.0.1; port 0 takes a free one."""
    return RunningTwin(twin, make_server("127.0.0.1", port, twin, threaded=True, request_handler=_QuietHandler))
