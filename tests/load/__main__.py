"""`python -m tests.load`: hundreds of deals at once on a local system of its own, then storms; writes .local/load.json.

Ends with 1 when a deal was not finished exactly once, a storm left what it should not, or an answer was a 5xx.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "core")]  # as pytest's `pythonpath` does
os.environ["DEALDESK_LOCAL"] = ".local/load"  # a system of `make up` is left alone
os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")

from rich.console import Console  # noqa: E402

from local import aws, build, stack  # noqa: E402
from local.stack import Stack  # noqa: E402
from tests.load import report  # noqa: E402
from tests.load.answers import Answers, of_webhooks, percentile  # noqa: E402
from tests.load.crowd import Crowd  # noqa: E402
from tests.load.outcome import faults  # noqa: E402
from tests.load.report import Figure, Load  # noqa: E402
from tests.load.storm import until_quiet  # noqa: E402
from tests.load.storms import Storms  # noqa: E402
from tests.load.table import attempts  # noqa: E402
from tests.load.watch import Watch, machine  # noqa: E402

RESULT = ROOT / ".local" / "load.json"
VENDORS = ("salesforce", "hubspot", "docusign", "dropbox_sign", "stripe", "paypal", "quickbooks")
# For each function, before anything is sent: a start of Python is not what is measured here (make bench: cold.*).
WARM_WORKERS = 4
PATIENCE_SECONDS = 900.0


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a killed run stops what it started
    given, console = _arguments(), Console(width=None if sys.stdout.isatty() else 140, emoji=False)
    with _own_system(console) as running:
        load, crowd = _deals(running, given.deals, console)
        storms = Storms(running, load.in_storms)
        for storm, size in (
            (storms.duplicates, given.duplicates),
            (storms.notifications, given.notifications),
            (storms.slow_vendors, given.slow),
            (storms.hot_deal, given.hot),
        ):
            if size:
                load.storms.append(storm(size))
                console.print(f"  {load.storms[-1].name}: {load.storms[-1].seconds:.0f} s")
        load.faults += faults(running, crowd.deals | storms.crowd.deals)
        load.figures.append(Figure("load.peak_mb", machine(running).megabytes, "MB"))
    report.show(load, console)
    RESULT.write_text(json.dumps(load.as_json(), indent=1) + "\n")
    console.print(f"written to {RESULT.relative_to(ROOT)}")
    return int(bool(load.wrong))


def _arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="make load", description=__doc__)
    asked.add_argument("--deals", type=int, default=200)
    asked.add_argument("--duplicates", type=int, default=10_000)
    asked.add_argument("--notifications", type=int, default=5_000)
    asked.add_argument("--slow", type=int, default=16, help="deals while three vendors are slow")
    asked.add_argument("--hot", type=int, default=320, help="requests to the hot deal")
    return asked.parse_args()


@contextmanager
def _own_system(console: Console) -> Iterator[Stack]:
    """A local system that no other run uses, with its workers started."""
    stack.stop()
    try:
        running = stack.start(lambda step: console.print(f"  {step}"))
        template, token = build.read_template(ROOT / "template.yaml"), running.token("warm-up", "rep")
        with ThreadPoolExecutor(WARM_WORKERS) as pool:
            for one in [
                pool.submit(aws.warm_up, running.aws_endpoint_url, template, token) for _ in range(WARM_WORKERS)
            ]:
                one.result()
        yield running
    finally:
        stack.stop()


def _deals(running: Stack, count: int, console: Console) -> tuple[Load, Crowd]:
    """All deals from their quotes to their posted invoices."""
    crowd, before = Crowd(running, Answers()), machine(running)
    began = time.monotonic()
    with Watch(running) as watch:
        crowd.arrive(count)
        console.print(f"  {count} quotes are in after {time.monotonic() - began:.0f} s")
        stages = crowd.work(PATIENCE_SECONDS)
        seconds = time.monotonic() - began
        until_quiet(running)
    closed = sum(stages.get(deal_id) == "closed" for deal_id in crowd.deals)
    console.print(f"  {closed} of {count} deals are closed after {seconds:.0f} s")
    spent = machine(running).cpu_seconds - before.cpu_seconds
    by_rest = list(crowd.answers.seen)
    for answered in of_webhooks(running, VENDORS):
        crowd.answers.add(answered)
    by_webhook = crowd.answers.seen[len(by_rest) :]
    figures = [
        Figure("load.deals", count, "deals"),
        Figure("load.closed", closed, "deals"),
        Figure("load.seconds", seconds, "s"),
        Figure("load.deals_per_minute", closed / seconds * 60, "deals/min"),
        Figure("load.rest_p95", percentile(sorted(one.milliseconds for one in by_rest), 95), "ms"),
        Figure("load.webhooks_p95", percentile(sorted(one.milliseconds for one in by_webhook), 95), "ms"),
        Figure("load.errors_4xx", sum(400 <= one.status < 500 for one in crowd.answers.seen), "answers"),
        Figure("load.errors_5xx", crowd.answers.failures(), "answers"),
        Figure("load.deepest_queues", max((look.depth for look in watch.looks), default=0), "messages"),
        Figure("load.oldest_message", max((look.oldest_seconds for look in watch.looks), default=0), "s"),
        Figure("load.messages_again", sum(times - 1 for times in watch.receives.values() if times > 1), "receives"),
        Figure("load.vendor_calls_again", attempts(running), "calls"),
        Figure("load.machine_seconds", spent, "CPU s"),
        Figure("load.machine_seconds_a_deal", spent / count, "CPU s"),
    ]
    return Load(figures, watch.looks, crowd.answers, Answers()), crowd


if __name__ == "__main__":
    sys.exit(main())
