"""n8n's twin: one active workflow whose webhook takes the desk's signed events and knows repetitions."""

import hmac
import json
from hashlib import sha256

from werkzeug.wrappers import Request, Response

from local.twins.server import Json, Twin, json_answer

WRONG = "Authorization data is wrong!"


def n8n_signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the workflow computes over the raw body: hex of HMAC-SHA256."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()


class N8nTwin(Twin):
    """`events` has everything that was taken, repetitions too, in the order of arrival."""

    name = "n8n"

    def __init__(self, *, path: str, secret: str) -> None:
        super().__init__()
        self.path, self.secret = path, secret
        self.events: list[Json] = []
        self.route("POST", "/webhook/<path:path>", self._receive)
        self.route("GET", "/healthz", lambda _request: json_answer({"status": "ok"}))

    def clear(self) -> None:
        self.events.clear()

    def state(self) -> Json:
        """`conflicting` are keys that came with different bodies."""
        bodies: dict[str, set[str]] = {}
        for event in self.events:
            bodies.setdefault(event["key"], set()).add(json.dumps(event["body"], sort_keys=True))
        return {
            "received": len(self.events),
            "distinct": len(bodies),
            "conflicting": sorted(key for key, seen in bodies.items() if len(seen) > 1),
            "events": self.events,
        }

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        return json_answer({"code": status, "message": message or code}, status)

    def _receive(self, request: Request, path: str) -> Response:
        if path != self.path:
            return json_answer(
                {
                    "code": 404,
                    "message": f'The requested webhook "POST {path}" is not registered.',
                    "hint": "The workflow must be active for a production URL to run successfully.",
                },
                404,
            )
        key = request.headers.get("X-Idempotency-Key", "")
        if not key or not self._is_signed(request):
            return Response(WRONG, 403, content_type="text/plain; charset=utf-8")
        try:
            body = json.loads(request.get_data())
        except ValueError:
            return json_answer({"code": 422, "message": "Failed to parse request body"}, 422)
        self.events.append({"key": key, "body": body, "repeated": any(key == event["key"] for event in self.events)})
        return json_answer({"message": "Workflow was started"})

    def _is_signed(self, request: Request) -> bool:
        timestamp = request.headers.get("X-DealDesk-Timestamp", "")
        given = request.headers.get("X-DealDesk-Signature", "")
        expected = n8n_signature(self.secret, timestamp, request.get_data())
        return timestamp.isdigit() and hmac.compare_digest(expected.encode(), given.encode())
