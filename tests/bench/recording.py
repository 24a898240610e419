"""One real message for each webhook function, taken from a whole journey, with what the table answered to it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from botocore.httpsession import URLLib3Session

from local import aws
from local.processes import stop
from local.twins.dropbox_sign_callbacks import as_form, callback
from tests.bench.figures import WEBHOOKS
from tests.journeys.people import everybody_acts, submit
from tests.journeys.world import API, Mail, World
from tests.table import make_table

READ, WRITE = "BatchGetItem", "TransactWriteItems"


@dataclass
class Recording:
    """`table` holds each call that the function made of the table, in order: operation, request, answer."""

    function: str
    now: str
    environment: dict[str, str]
    secrets: dict[str, str]
    event: dict[str, Any] = field(default_factory=dict)
    table: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return [operation for operation, _, _ in self.table] == [READ, WRITE]


def record(into: Path) -> list[Path]:
    """Runs a deal to its end and writes a JSON file for each webhook function's first accepted message."""
    into.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Recording] = {}
    with table(), World() as world:
        letters = [_one_notification(submit(world))]
        while len(kept) < len(WEBHOOKS):
            for letter in letters:
                seen = _post(world, letter)
                if seen.accepted:
                    kept.setdefault(seen.function, seen)
            world.settle()
            everybody_acts(world)
            mail = world.take_mail()
            if not mail:
                break
            letters = [*_hints(world), *mail]
    if missing := set(WEBHOOKS) - set(kept):
        raise RuntimeError(f"the journey brought no accepted message for {', '.join(sorted(missing))}")
    return [_written(kept[name], into) for name in WEBHOOKS]


def _hints(world: World) -> list[Mail]:
    """What Dropbox Sign would have called about the contracts that are out; here DocuSign has them signed."""
    key, hints = world.secrets["dropbox_sign"]["api_key"], []
    for envelope in world.twins["docusign"].state()["envelopes"]:
        metadata = {field["name"]: field["value"] for field in envelope["customFields"]["textCustomFields"]}
        request = {"signature_request_id": envelope["envelopeId"], "metadata": metadata}
        told = callback(key, "signature_request_all_signed", world.now(), request=request)
        hints.append(Mail(f"{API}/webhooks/dropbox-sign", *as_form(told)))
    return hints


def _written(recording: Recording, into: Path) -> Path:
    path = into / f"{recording.function}.json"
    path.write_text(json.dumps({name: getattr(recording, name) for name in recording.__dataclass_fields__}))
    return path


def _post(world: World, letter: Mail) -> Recording:
    """Delivers the letter and keeps what went over the wire to the table meanwhile."""
    taken: list[Recording] = []
    invoke, send = world.invoke, URLLib3Session.send

    def kept_invoke(folder: str, event: dict[str, Any]) -> Any:
        resource = next(r for r in world.template.values() if r["Properties"].get("CodeUri") == f"functions/{folder}")
        secrets = {f"dealdesk/test/{name}": json.dumps(content) for name, content in world.secrets.items()}
        environment = world._environment_of(resource)
        taken.append(Recording(folder, world.now().isoformat(), environment, secrets, event))
        return invoke(folder, event)

    def kept_send(self: URLLib3Session, request: Any) -> Any:
        answer = send(self, request)
        target = request.headers.get("X-Amz-Target", b"")
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = request.body if isinstance(request.body, str) else request.body.decode()
        taken[-1].table.append((operation, body, answer.content.decode()))
        return answer

    with patch.object(world, "invoke", kept_invoke), patch.object(URLLib3Session, "send", kept_send):
        world.post(letter)
    return taken[0]


def _one_notification(letter: Mail) -> Mail:
    """A message may carry a hundred notifications; what is measured is one."""
    first, *others = re.findall(rb"<Notification>.*?</Notification>", letter.body, re.DOTALL)
    body = letter.body
    for other in others:
        body = body.replace(other, b"")
    assert first in body
    return Mail(letter.url, body, letter.headers)


@contextmanager
def table() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        port = aws.free_port()
        url = f"http://127.0.0.1:{port}"
        log = Path(folder) / "log"
        process = aws.start_ministack(port, folder=Path(folder) / "work", log=log, enforce_iam=False)
        names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": url}
        try:
            aws.wait_for("MiniStack", lambda: aws.answers(f"{url}/_ministack/health"), process, wait_seconds=30)
            with patch.dict(os.environ, names | {"AWS_REGION": aws.REGION, "AWS_DEFAULT_REGION": aws.REGION}):
                make_table()
                yield
        finally:
            stop([process])
