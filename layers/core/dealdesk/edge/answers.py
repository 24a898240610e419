"""One table: what REST answers and what a queue does for each thing that the desk refuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from dealdesk import errors


class OnQueue(StrEnum):
    RETRY = "retry"
    DROP = "drop"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    title: str
    on_queue: OnQueue


REPLIES: dict[type[Exception], Reply] = {
    errors.Refusal: Reply(400, "Refused", OnQueue.DEAD_LETTER),
    errors.NotFound: Reply(404, "Not found", OnQueue.DEAD_LETTER),
    errors.DealUnknown: Reply(404, "No such deal", OnQueue.RETRY),
    errors.PolicyUnknown: Reply(404, "No such policy", OnQueue.DEAD_LETTER),
    errors.Forbidden: Reply(403, "Not allowed", OnQueue.DROP),
    errors.ApproverNotEntitled: Reply(403, "Approver not entitled", OnQueue.DROP),
    errors.ApproverConflicted: Reply(403, "Approver has an interest in the deal", OnQueue.DROP),
    errors.PublisherIsAuthor: Reply(403, "Author and publisher are one person", OnQueue.DROP),
    errors.Conflict: Reply(409, "Not possible now", OnQueue.DROP),
    errors.VersionMoved: Reply(409, "Somebody moved first", OnQueue.RETRY),
    errors.TermsChanged: Reply(409, "Terms changed since you looked", OnQueue.DROP),
    errors.WrongStage: Reply(409, "Not possible at this stage", OnQueue.DROP),
    errors.CertificateInvalid: Reply(409, "Not covered by an approval", OnQueue.DROP),
    errors.CauseReused: Reply(409, "Same key, other request", OnQueue.DEAD_LETTER),
    errors.LeaseHeld: Reply(409, "In progress", OnQueue.RETRY),
    errors.Malformed: Reply(422, "Cannot be read", OnQueue.DEAD_LETTER),
    errors.WrongContentType: Reply(415, "Wrong content type", OnQueue.DEAD_LETTER),
    errors.PreconditionMissing: Reply(428, "Precondition required", OnQueue.DEAD_LETTER),
    errors.TooLarge: Reply(413, "Too large", OnQueue.DEAD_LETTER),
    errors.PolicyHasErrors: Reply(422, "The policy has errors", OnQueue.DEAD_LETTER),
    errors.SignatureRefused: Reply(401, "Signature refused", OnQueue.DEAD_LETTER),
    errors.Unavailable: Reply(503, "Try again", OnQueue.RETRY),
    errors.TableBusy: Reply(503, "Try again", OnQueue.RETRY),
    errors.VendorUnavailable: Reply(503, "A vendor does not answer", OnQueue.RETRY),
    errors.VendorRefused: Reply(502, "Refused by the vendor", OnQueue.DEAD_LETTER),
    errors.AlreadyHandled: Reply(200, "Handled before", OnQueue.DROP),
}

PROBLEM = "application/problem+json"


def reply_to(error: Exception) -> Reply | None:
    """The row of the table for this error; None for a defect, which is a 500 and a retry."""
    return REPLIES.get(type(error))


def problem(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """An RFC 9457 problem document as an API Gateway answer."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return answer(status, document, PROBLEM)


def problem_of(error: Exception, *, to_vendor: bool = False) -> dict[str, Any]:
    """The problem document of a refusal; anything else is a 500 that tells nothing of the inside."""
    row = reply_to(error)
    if row is None:
        return problem(500, "Internal error", "The desk failed; nothing was changed by this request.")
    more = {"errors": [{"pointer": pointer, "detail": detail} for pointer, detail in _problems(error)]}
    status = status_to_vendor(row) if to_vendor else row.status
    return problem(status, row.title, str(error), **(more if more["errors"] else {}))


def status_to_vendor(row: Reply) -> int:
    """What a webhook answers: a vendor that is to send the message again must not read a 4xx, after which some of
    them (HubSpot) never do."""
    return 503 if row.on_queue is OnQueue.RETRY and row.status < 500 else row.status


def _problems(error: Exception) -> Iterable[tuple[str, str]]:
    if isinstance(error, errors.PolicyHasErrors):
        return error.problems
    pointer = getattr(error, "pointer", None)
    return [(pointer, str(error))] if pointer else []


def answer(status: int, document: dict[str, Any], content_type: str = "application/json") -> dict[str, Any]:
    return text(status, written(document), content_type)


def written(document: object) -> str:
    """The document as the text of an answer; a decision with its reasons is long enough for the encoder to count."""
    return msgspec.json.encode(document).decode()


def text(status: int, body: str, content_type: str) -> dict[str, Any]:
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = "5"
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}
