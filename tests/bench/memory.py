"""Whether a process stays as large as it is while a hundred thousand different messages go through its handlers.

Webhooks and a queue worker take turns in one process. Each message is new and signed, and the table answers what was
recorded in a journey, so that what grows is what the functions keep. Run as a script in a process of its own, with
the folder of the recordings, it prints what it found as JSON.
"""

from __future__ import annotations

import base64
import gc
import io
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "core")]

from botocore.httpsession import URLLib3Session  # noqa: E402

from local.aws import REGION  # noqa: E402
from local.twins.docusign_connect import connect_headers  # noqa: E402
from local.twins.dropbox_sign_callbacks import as_form, callback  # noqa: E402
from local.twins.salesforce_schema import long_id  # noqa: E402
from local.twins.stripe import stripe_signature  # noqa: E402
from tests.bench.figures import WEBHOOKS, Figure  # noqa: E402
from tests.bench.reactions import parked  # noqa: E402
from tests.bench.warm import Wire  # noqa: E402
from tests.journeys.people import PASSES  # noqa: E402
from tests.journeys.world import load  # noqa: E402

MESSAGES, WARM_UP = 100_000, 5_000
LIMIT = 1.05
Json = dict[str, Any]


def measure(recordings: Path) -> list[Figure]:
    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "POWERTOOLS_TRACE_DISABLED": "true"}
    environment = os.environ | names | {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    command = [sys.executable, __file__, str(recordings)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])  # before it, the log lines of the functions
    return [
        Figure("memory.messages", MESSAGES, "messages"),
        *(
            Figure(f"memory.{name}", after, unit, "after warm-up", after / before, LIMIT)
            for name, unit in (("resident", "MB"), ("objects", "objects"))
            for before, after in [found[name]]
        ),
    ]


def main(folder: str) -> None:
    recorded = [json.loads((Path(folder) / f"{name}.json").read_text()) for name in WEBHOOKS]
    turns = [_webhook(given) for given in recorded] + [_worker(recorded[1])]
    with redirect_stdout(io.TextIOWrapper(open(os.devnull, "wb"))):  # metrics
        steps = (turn(number) for number, turn in enumerate(cycle(turns)))
        for _ in islice(steps, WARM_UP):
            pass
        before = _size()
        for _ in islice(steps, MESSAGES):
            pass
        after = _size()
    print(json.dumps({name: [before[name], after[name]] for name in before}))


def _size() -> dict[str, float]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"resident": pages * resource.getpagesize() / 1e6, "objects": len(gc.get_objects())}


def _webhook(given: Json) -> Callable[[int], None]:
    """Hands the function its recorded message as the vendor would send it the next time."""
    renew, play = NEXT[given["function"]], _player(given)

    def turn(number: int) -> None:
        answer = play(given["event"] | renew(given, number))
        assert answer["statusCode"] == 200, answer

    return turn


def _worker(given: Json) -> Callable[[int], None]:
    """A queue's function, with the deal that the recording has."""
    play = _player(given | {"function": "retry_parked"})

    def turn(number: int) -> None:
        answer = play(parked(f"memory-{number}", PASSES))
        assert answer == {"batchItemFailures": []}, answer

    return turn


def _player(given: Json) -> Callable[[Json], Any]:
    """Calls the function at the time of its recording, with the table that it saw then."""
    from dealdesk.edge import aws, clock

    os.environ.update(given["environment"] | {"QUEUE_URL": "ParkedQueue"})
    kept, moment = given["secrets"], datetime.fromisoformat(given["now"])
    aws.clients["secretsmanager"] = SimpleNamespace(get_secret_value=lambda SecretId: {"SecretString": kept[SecretId]})
    module, wire = load(given["function"]), Wire(given["table"][0][2])

    def play(event: Json) -> Any:
        clock.now = lambda: moment
        URLLib3Session.send = lambda session, request: wire.send(session, request)
        wire.calls.clear()
        return module.handler(event, SimpleNamespace(aws_request_id="bench"))

    return play


# -- the same news once more, as another message


def _stripe(given: Json, number: int) -> Json:
    body = re.sub(r'"id": "evt_\w+"', f'"id": "evt_{number:024x}"', given["event"]["body"], count=1)
    key, at = _secret(given, "stripe")["webhook_secrets"][0], int(datetime.fromisoformat(given["now"]).timestamp())
    return _sent(given, body, {"Stripe-Signature": stripe_signature(key, at, body.encode())})


def _docusign(given: Json, number: int) -> Json:
    body = re.sub(r'("generatedDateTime": "[^."]*)[^"]*"', rf'\g<1>.{number:07d}Z"', given["event"]["body"])
    keys = _secret(given, "docusign")["connect_keys"]
    return _sent(given, body, connect_headers(keys, given["event"]["headers"]["X-DocuSign-AccountId"], body.encode()))


def _salesforce(given: Json, number: int) -> Json:
    note = long_id(f"04l7F{number:010d}")
    return _sent(given, re.sub(r"<Id>04l\w+</Id>", f"<Id>{note}</Id>", given["event"]["body"]), {})


def _dropbox_sign(given: Json, number: int) -> Json:
    """The hash covers time and type alone; the signer makes it another message."""
    form = base64.b64decode(given["event"]["body"])
    told = json.loads(form[form.index(b"{") : form.rindex(b"}") + 1])
    key, now = _secret(given, "dropbox_sign")["callback_keys"][0], datetime.fromisoformat(given["now"])
    request = told["signature_request"]
    body, headers = as_form(callback(key, told["event"]["event_type"], now, request=request, signature_id=str(number)))
    return {"body": base64.b64encode(body).decode(), "headers": headers}


def _sent(given: Json, body: str, headers: Json) -> Json:
    return {"body": body, "headers": given["event"]["headers"] | headers}


def _secret(given: Json, vendor: str) -> Json:
    loaded: Json = json.loads(given["secrets"][f"dealdesk/test/{vendor}"])
    return loaded


NEXT: dict[str, Callable[[Json, int], Json]] = {
    "receive_salesforce": _salesforce,
    "receive_stripe": _stripe,
    "receive_docusign": _docusign,
    "receive_dropbox_sign": _dropbox_sign,
}


if __name__ == "__main__":
    main(sys.argv[1])
