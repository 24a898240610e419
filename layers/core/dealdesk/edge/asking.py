"""One function asks another and waits: for what only that one may know, and what must not be kept on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dealdesk import errors
from dealdesk.edge import aws, telemetry


def ask(function: str, question: dict[str, Any]) -> dict[str, Any]:
    """The answer of the function with this name. Raises what it refused with, and `Unavailable` without an answer."""
    try:
        said = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(question).encode())
        answer: dict[str, Any] = json.loads(said["Payload"].read())
    except Exception as error:
        telemetry.logger.exception("function did not answer", extra={"function": function})
        raise errors.Unavailable("this part of the desk does not answer now") from error
    if said.get("FunctionError"):
        telemetry.warned("function failed", function=function)
        raise errors.Unavailable("this part of the desk does not answer now")
    if "refused" in answer:
        kind = getattr(errors, answer["refused"])
        raise kind(answer["detail"])
    return answer


def answer_directly(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `ask` gets: the work's result, or why it was refused. A defect stays an error of the function."""
    try:
        return work()
    except errors.Refusal as refusal:
        telemetry.warned("question refused", reason=type(refusal).__name__, detail=str(refusal)[:300])
        return {"refused": type(refusal).__name__, "detail": str(refusal)}
