"""The table: MiniStack's engine in this process, behind botocore, with what it never does but DynamoDB may do."""

from __future__ import annotations

import io
import json
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from ministack.services import dynamodb

from tests.prove.calls import Calls
from tests.table import TABLE, shape_of_table

DONE, NOT_DONE = "loses the answer", "never arrives"
ANY = ("dies before", "dies after", "is throttled", DONE, NOT_DONE, "fails inside", "fails inside, done")
# Source: DynamoDB API reference, TransactWriteItems and BatchGetItem; what MiniStack 1.5.33 never answers.
OF_OPERATION = {
    "TransactWriteItems": (*ANY, "conflicts", "conflicts", "conflicts at the claim", "is throttled inside"),
    "BatchGetItem": (*ANY, "puts the read off"),
}


class Table:
    """Takes the place of botocore's HTTP session."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.stream: list[dict[str, Any]] = []
        dynamodb.reset()
        streams = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        wanted = {"TableName": TABLE, "BillingMode": "PAY_PER_REQUEST", "StreamSpecification": streams}
        self._ask("CreateTable", wanted | shape_of_table())

    def send(self, request: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        fault = self.calls.begin(f"table {operation}", OF_OPERATION.get(operation, ANY), milliseconds=4)
        if fault == NOT_DONE:
            raise ConnectTimeoutError(endpoint_url=request.url)
        if fault is None or fault in ("dies after", DONE, "fails inside, done"):
            status, answer = self._do(operation, body)
            fault = self.calls.end(fault)
        else:
            status, answer = _refusal(fault, json.loads(body))
        if fault == DONE:
            raise ReadTimeoutError(endpoint_url=request.url)
        if fault == "fails inside, done":
            status, answer = _refusal("fails inside", {})
        return AWSResponse(request.url, status, {"content-type": "application/x-amz-json-1.0"}, _Raw(answer))

    def items(self, pk: str, prefix: str = "") -> list[dict[str, Any]]:
        """What stands in the table, without any fault."""
        kept: Any = dynamodb._tables.get(TABLE)
        rows = kept["items"].get(pk, {})
        return [rows[sk] for sk in sorted(rows) if sk.startswith(prefix)]

    def put(self, row: dict[str, Any]) -> None:
        """Writes a row past every check, and past the stream."""
        kept: Any = dynamodb._tables.get(TABLE)
        kept["items"].setdefault(row["pk"]["S"], {})[row["sk"]["S"]] = row

    def partitions(self) -> list[str]:
        kept: Any = dynamodb._tables.get(TABLE)
        return sorted(kept["items"])

    def _do(self, operation: str, body: bytes) -> tuple[int, bytes]:
        status, answer = self._run(operation, body)
        written = dynamodb._stream_records.get(TABLE)
        if written:
            self.stream.extend(written)
            written.clear()
        return status, answer

    def _ask(self, operation: str, document: dict[str, Any]) -> None:
        status, answer = self._run(operation, json.dumps(document).encode())
        assert status == 200, answer

    @staticmethod
    def _run(operation: str, body: bytes) -> tuple[int, bytes]:
        asked = dynamodb.handle_request("POST", "/", {"x-amz-target": f"DynamoDB_20120810.{operation}"}, body, {})
        try:
            asked.send(None)
        except StopIteration as done:
            status, _, answer = done.value
            return status, answer if isinstance(answer, bytes) else answer.encode()
        raise AssertionError("the engine waits for something")


class _Raw(io.BytesIO):
    """As urllib3's answer is read by botocore."""

    def stream(self) -> Any:
        yield self.read()


def _refusal(fault: str, asked: dict[str, Any]) -> tuple[int, bytes]:
    """The answer to a call that was not carried out."""
    match fault:
        case "is throttled":
            return _error(400, "ThrottlingException", "Rate of requests exceeds the allowed throughput.")
        case "fails inside":
            return _error(500, "InternalServerError", "The request processing has failed.")
        case "puts the read off":
            return 200, json.dumps({"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}).encode()
        case _:
            return _cancelled(fault, len(asked["TransactItems"]))


def _cancelled(fault: str, number: int) -> tuple[int, bytes]:
    code = "ThrottlingError" if fault == "is throttled inside" else "TransactionConflict"
    struck = 0 if fault == "conflicts at the claim" else number - 1
    reasons: list[dict[str, str]] = [{"Code": "None"} for _ in range(number)]
    reasons[struck] = {"Code": code, "Message": "Transaction is ongoing for the item"}
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return _error(400, "TransactionCanceledException", message, CancellationReasons=reasons)


def _error(status: int, code: str, message: str, **more: Any) -> tuple[int, bytes]:
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    return status, json.dumps({"__type": kind, "message": message, "Message": message, **more}).encode()
