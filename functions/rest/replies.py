"""Every answer of REST: JSON, or a problem document that says what was wrong, where, and what would be right."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from dealdesk.edge import answers, telemetry, webhooks
from dealdesk.errors import Malformed, NotFound, Refusal

LONGEST_PATH = 512
DEEPEST = 32
# A caller's own text comes back in a problem document only so far.
ECHOED = 200


def guarded(app: APIGatewayRestResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Resolves the request; a body that cannot be read is refused before any route sees it."""
    try:
        _require_readable(event)
    except Refusal as refusal:
        telemetry.warned("request refused", reason=type(refusal).__name__, detail=str(refusal)[:300])
        return answers.problem_of(refusal)
    return app.resolve(event, context)


def install(app: APIGatewayRestResolver) -> None:
    """Makes every exception of a route a problem document."""

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
    def invalid(error: RequestValidationError) -> Response[Any]:
        problems = [
            {"pointer": _pointer(item["loc"])[:ECHOED], "detail": str(item["msg"])[:ECHOED]} for item in error.errors()
        ]
        telemetry.warned("request refused", reason="RequestValidationError", problems=len(problems))
        detail = "; ".join(f"{problem['pointer']}: {problem['detail']}" for problem in problems[:5])
        return _response(answers.problem(422, "Cannot be read", detail, errors=problems[:50]))

    @app.exception_handler(Refusal)  # type: ignore[untyped-decorator]
    def refused(error: Refusal) -> Response[Any]:
        telemetry.warned("request refused", reason=type(error).__name__, detail=str(error)[:300])
        return _response(answers.problem_of(error))

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]
    def failed(error: Exception) -> Response[Any]:
        telemetry.logger.exception("request failed")
        return _response(answers.problem_of(error))

    @app.not_found
    def nowhere(_: Exception) -> Response[Any]:
        return _response(answers.problem(404, "No such route", "See /openapi.json for the routes."))


def as_response(status: int, document: dict[str, Any], etag: int | None = None) -> Response[Any]:
    headers = {"Cache-Control": "no-store"} | ({"ETag": f'"{etag}"'} if etag is not None else {})
    return Response(int(status), "application/json", document, headers=headers)


def _response(proxy: dict[str, Any]) -> Response[Any]:
    headers = {name: value for name, value in proxy["headers"].items() if name != "Content-Type"}
    return Response(proxy["statusCode"], proxy["headers"]["Content-Type"], proxy["body"], headers=headers)


def _require_readable(event: dict[str, Any]) -> None:
    """JSON as everybody reads it: no lone surrogates, no NaN, no number that a 64-bit reader would lose."""
    if len(event.get("path") or "") > LONGEST_PATH:
        raise NotFound("nothing has so long a name")
    if not event.get("body"):
        return
    body = webhooks.body_of(event)
    content_type = webhooks.headers_of(event).get("content-type", "application/json")
    if not content_type.partition(";")[0].strip().lower().endswith("json"):
        webhooks.require_content_type({"content-type": content_type}, "application/json")
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False).encode()
        if _deeper_than(DEEPEST, document):
            raise RecursionError
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    except UnicodeError:
        raise Malformed("the body holds text that is no valid Unicode") from None
    except ValueError as error:
        raise Malformed(f"the body is no JSON: {error}") from None


def _deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(levels - 1, each) for each in inner)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _pointer(location: tuple[Any, ...]) -> str:
    parts = [str(part) for part in location]
    return "/" + "/".join(parts[1:]) if parts and parts[0] == "body" else "/".join(parts[1:] or parts)
