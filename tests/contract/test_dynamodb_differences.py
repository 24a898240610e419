"""What each emulator does where DynamoDB is documented to do something: the table in docs/guides/dynamodb.md.

A new version of an emulator that answers otherwise fails here, and the guide has to say so.
"""

from __future__ import annotations

import os
import re
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.table import ROOT, TABLE

GUIDE = (ROOT / "docs/guides/dynamodb.md").read_text()
EMULATOR = Path(os.environ.get("DEALDESK_DYNAMODB", "ministack")).name
KB = 1024
FAILED, INVALID, DONE = "ConditionalCheckFailed", "ValidationException", "done"


@pytest.fixture
def dynamodb(table_name: str) -> Any:
    """A client that tries once, so that every answer is the emulator's first."""
    return boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32))


def key(pk: str, sk: str = "x") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def text(size: int, of: str = "a") -> dict[str, Any]:
    """An attribute of so many bytes in UTF-8."""
    return {"v": {"S": of * (size // len(of.encode()))}}


def put(pk: str, sk: str = "x", *, new: bool = False, **fields: Any) -> dict[str, Any]:
    unless = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return {"Put": {"TableName": TABLE, "Item": key(pk, sk) | fields} | (unless if new else {})}


def update(pk: str, expression: str, **values: Any) -> dict[str, Any]:
    named = {f":{name}": value for name, value in values.items()}
    asked = {"UpdateExpression": expression, "ExpressionAttributeValues": named}
    return {"Update": {"TableName": TABLE, "Key": key(pk)} | asked}


def answer_to(dynamodb: Any, *actions: dict[str, Any], **more: Any) -> str:
    """`done`, the error, or the reasons of a cancellation, with a `+` where it shows the item that is there."""
    try:
        dynamodb.transact_write_items(TransactItems=actions, **more)
    except ClientError as error:
        reasons = error.response.get("CancellationReasons")
        code = error.response["Error"]["Code"]
        return ", ".join(r["Code"] + "+" * ("Item" in r) for r in reasons) if reasons else str(code)
    return DONE


def at_once(count: int, act: Callable[[int], str]) -> str:
    """Every answer that one of so many threads got."""
    start = threading.Barrier(count)

    def one(number: int) -> str:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return " or ".join(sorted(set(pool.map(one, range(count)))))


# -- the questions, by the name that they have in the guide


def meet(dynamodb: Any) -> str:
    answers = at_once(
        32, lambda n: answer_to(dynamodb, update("hot", "ADD hits :one", one={"N": "1"}), put(f"beside-{n}"))
    )
    assert dynamodb.get_item(TableName=TABLE, Key=key("hot"))["Item"]["hits"] == {"N": "32"}
    return answers


def sent_again_while_it_runs(dynamodb: Any) -> str:
    token, large = str(uuid.uuid4()), [put("d-1", str(number), **text(300 * KB)) for number in range(8)]
    return at_once(16, lambda _: answer_to(dynamodb, put("claim", new=True), *large, ClientRequestToken=token))


def sent_again_when_finished(dynamodb: Any) -> str:
    token = str(uuid.uuid4())
    return [answer_to(dynamodb, put("claim", new=True), ClientRequestToken=token) for _ in "12"][1]


def token_with_another_request(dynamodb: Any) -> str:
    token = str(uuid.uuid4())
    return [answer_to(dynamodb, put(pk), ClientRequestToken=token) for pk in ("d-1", "d-2")][1]


def conditions_fail(dynamodb: Any) -> str:
    answer_to(dynamodb, put("d-1"), put("d-3"))
    return answer_to(dynamodb, put("d-1", new=True), put("d-2"), put("d-3", new=True))


def too_large_a_put(dynamodb: Any) -> str:
    return answer_to(dynamodb, put("d-1"), put("d-2", **text(401 * KB)))


def too_large_by_an_update(dynamodb: Any) -> str:
    answer_to(dynamodb, put("d-2", **text(300 * KB)))
    return answer_to(dynamodb, put("d-1"), update("d-2", "SET more = :more", more=text(110 * KB)["v"]))


def just_fits(dynamodb: Any) -> str:
    names_and_key = len("pk" + "d-1" + "sk" + "x" + "v")
    room = 400 * KB - names_and_key
    filled = text(room, "é")["v"]["S"] + "a" * (room % 2)
    return ", ".join(answer_to(dynamodb, put("d-1", v={"S": filled + more})) for more in ("", "a"))


def more_than_four_mb(dynamodb: Any) -> str:
    return answer_to(dynamodb, *(put("d-1", str(number), **text(380 * KB)) for number in range(12)))


def less_than_four_mb_with_accents(dynamodb: Any) -> str:
    return answer_to(dynamodb, *(put("d-1", str(number), **text(380 * KB, "é")) for number in range(10)))


def too_many_or_twice(dynamodb: Any) -> str:
    many = answer_to(dynamodb, *(put("d-1", str(number)) for number in range(101)))
    return ", ".join([many, answer_to(dynamodb, put("d-1"), put("d-1"))])


def large_batch_of_reads(dynamodb: Any) -> str:
    """How many of 60 came, and whether the rest is to be read as consistently."""
    for first in range(0, 60, 10):
        answer_to(dynamodb, *(put("d-1", str(number), **text(350 * KB)) for number in range(first, first + 10)))
    wanted = {"Keys": [key("d-1", str(number)) for number in range(60)], "ConsistentRead": True}
    answer = dynamodb.batch_get_item(RequestItems={TABLE: wanted})
    rest = answer["UnprocessedKeys"].get(TABLE, {"Keys": []})
    return f"{len(answer['Responses'][TABLE])} and {len(rest['Keys'])}" + ", consistent" * ("ConsistentRead" in rest)


def query_during_a_transaction(dynamodb: Any) -> str:
    """How many transactions wrote what one Query sees."""

    def write(generation: int) -> str:
        return answer_to(dynamodb, *(put("d-1", str(n), g={"N": str(generation)}, **text(20 * KB)) for n in range(20)))

    def read() -> int:
        found = dynamodb.query(
            TableName=TABLE,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "d-1"}},
        )
        return len({row["g"]["N"] for row in found["Items"]})

    write(0)
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(write, generation) for generation in range(1, 21)]
        reads = [pool.submit(read) for _ in range(60)]
        assert {done.result() for done in writes} == {DONE}
        return str(max(seen.result() for seen in reads))


Asked = tuple[Callable[[Any], str], dict[str, str]]


def everywhere(answer: str, **but: str) -> dict[str, str]:
    return dict.fromkeys(("ministack", "moto", "dynoxide"), answer) | but


ANSWERS: dict[str, Asked] = {
    "two transactions meet on an item": (meet, everywhere(DONE)),
    "a transaction is sent again while it runs": (
        sent_again_while_it_runs,
        everywhere(DONE, moto=f"{FAILED}+, {', '.join(['None'] * 8)} or {DONE}"),
    ),
    "a finished transaction is sent again with its token": (
        sent_again_when_finished,
        everywhere(DONE, moto=f"{FAILED}+"),
    ),
    "a token with another request": (
        token_with_another_request,
        everywhere("IdempotentParameterMismatchException", moto=DONE),
    ),
    "a condition fails": (conditions_fail, everywhere(f"{FAILED}+, None, {FAILED}+")),
    "a Put of more than 400 KB in a transaction": (too_large_a_put, everywhere(INVALID)),
    "an Update that makes an item too large": (
        too_large_by_an_update,
        everywhere("None, ValidationError", moto=INVALID),
    ),
    "an item of 400 KB, and one of a byte more": (
        just_fits,
        everywhere(f"{DONE}, {INVALID}", moto=f"{INVALID}, {INVALID}"),
    ),
    "more than 4 MB of items": (more_than_four_mb, everywhere(INVALID, moto=DONE)),
    "3.7 MB of items that say `é`": (less_than_four_mb_with_accents, everywhere(DONE, ministack=INVALID)),
    "more than 100 actions; two actions on one item": (too_many_or_twice, everywhere(f"{INVALID}, {INVALID}")),
    "a batch of reads past 16 MB": (
        large_batch_of_reads,
        {"ministack": "60 and 0", "moto": "46 and 14", "dynoxide": "46 and 14, consistent"},
    ),
    "a Query during a transaction": (query_during_a_transaction, everywhere("1")),
}


@pytest.mark.skipif(EMULATOR not in everywhere(""), reason="the guide has no column for what answers here")
@pytest.mark.parametrize(("ask", "answers"), ANSWERS.values(), ids=ANSWERS)
def test_the_emulator_answers_as_the_guide_says(
    dynamodb: Any, ask: Callable[[Any], str], answers: dict[str, str]
) -> None:
    assert ask(dynamodb) == answers[EMULATOR]


@pytest.mark.parametrize("question", ANSWERS)
def test_the_guide_has_a_row_for_it(question: str) -> None:
    assert f"\n| {question} |" in GUIDE


def test_the_guide_names_the_versions_that_it_speaks_of() -> None:
    pinned = dict(re.findall(r"^(\w+) := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    seen = (version("ministack"), version("moto"), pinned["DYNOXIDE_VERSION"])

    assert "Seen with MiniStack {}, moto {} and dynoxide-rs {},".format(*seen) in GUIDE
    assert set(re.findall(r"dynoxide-(\d[\d.]*\d)/", GUIDE)) == {pinned["DYNOXIDE_VERSION"]}
