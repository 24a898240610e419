"""`python -m tests.conform`: asks the vendors' own OpenAPI files, and Stripe's own mock, about all that the desk sends.

The contract suites run with a recorder in every twin; each request that an adapter made is then sent to steady with the
vendor's file. Ends with 1 when a request is refused, or when docs/vendors.md tells of other requests than were made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import urllib3

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "core")]  # as pytest's `pythonpath` does

from tests.conform import servers, stripe_mock  # noqa: E402
from tests.conform.documented import requests_of  # noqa: E402
from tests.conform.findings import APIS, Api, Finding, ask, matched, of_steady, unexplained, without_a_file  # noqa: E402
from tests.conform.recorder import RECORD_REQUESTS, Sent, recorded  # noqa: E402
from tests.conform.strict import strict_copy  # noqa: E402

LOCAL = ROOT / ".local"
SPECS = ROOT / os.environ.get("SPECS", "../shared/vendors/specs")
UNKNOWN_FIELD, NO_FIELD = "E3009", "no_such_field"
SUITES = (
    "tests/contract/test_payments_port.py",
    "tests/contract/test_paypal_payments.py",
    "tests/contract/test_stripe_payments.py",
    "tests/contract/test_signatures_port.py",
    "tests/contract/test_docusign_adapter.py",
    "tests/contract/test_dropbox_sign_adapter.py",
)


def main() -> int:
    (LOCAL / "conform").mkdir(parents=True, exist_ok=True)
    requests = _record(LOCAL / "conform" / "requests.jsonl")
    try:
        wrong = [*_by_the_files(requests), *_by_stripe_mock(requests)]
    except servers.NotInstalled as error:
        print(f"conform: {error}", file=sys.stderr)
        return 1
    for line in wrong:
        print(f"conform: {line}", file=sys.stderr)
    return int(bool(wrong))


def _record(file: Path) -> list[Sent]:
    file.write_bytes(b"")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conform.recorder", "-n", "0", *SUITES]
    subprocess.run(command, cwd=ROOT, env=os.environ | {RECORD_REQUESTS: str(file)}, check=True)
    return recorded(file)


def _by_the_files(requests: list[Sent]) -> list[str]:
    if missing := [api.file for api in APIS if not (SPECS / api.file).exists()]:
        print(f"conform: skipped, the vendors' OpenAPI files are not at {SPECS} (SPECS=folder): {', '.join(missing)}")
        return []
    if not shutil.which("npm"):
        print("conform: skipped, steady comes by npm, and there is no Node on this machine")
        return []
    program = servers.install_steady(LOCAL)
    findings, made, unasked = list(without_a_file(requests)), set[tuple[str, str]](), list[str]()
    for api in APIS:
        ours = [sent for sent in requests if api.describes(sent)]
        if not any(sent.body for sent in ours):
            unasked.append(f"no suite sends anything to {api.vendor} that {api.file} describes")
            continue
        spec = strict_copy(SPECS / api.file, LOCAL / "conform" / api.file)
        with servers.steady(program, spec, spec.with_suffix(".log")) as url:
            _ask(api, url, ours, findings, made)
        print(f"conform: {len(ours)} different requests to {api.vendor} read by its {api.file}")
    return unasked + unexplained(findings) + _undocumented(made)


def _ask(api: Api, url: str, ours: list[Sent], findings: list[Finding], made: set[tuple[str, str]]) -> None:
    http = urllib3.PoolManager()
    for sent in ours:
        headers = ask(http, url, sent, api.strip).headers
        findings += of_steady(sent, headers)
        made.add((api.vendor, matched(sent, headers)))
    # A file that refuses nothing proves nothing.
    wrong = _with_a_field_too_many(max(ours, key=lambda sent: len(sent.body)))
    found = list(of_steady(wrong, ask(http, url, wrong, api.strip).headers))
    assert any(finding.code == UNKNOWN_FIELD for finding in found), f"{api.file} lets everything through"


def _with_a_field_too_many(sent: Sent) -> Sent:
    added = f"{sent.body[:-1]},{json.dumps(NO_FIELD)}:1}}" if sent.body.startswith("{") else f"{sent.body}&{NO_FIELD}=1"
    return replace(sent, body=added)


def _undocumented(made: set[tuple[str, str]]) -> list[str]:
    told = {(api.vendor, request) for api in APIS for request in requests_of(api.vendor) if _has_a_file(api, request)}
    return [
        *(f"{vendor}: {request} is made, and not in docs/vendors.md" for vendor, request in sorted(made - told)),
        *(
            f"{vendor}: {request} is in docs/vendors.md, and no suite makes it"
            for vendor, request in sorted(told - made)
        ),
    ]


def _has_a_file(of: Api, request: str) -> bool:
    path = request.partition(" ")[2]
    return any(path.startswith(api.under.removeprefix(api.strip)) for api in APIS if api.vendor == of.vendor)


def _by_stripe_mock(requests: list[Sent]) -> list[str]:
    if not shutil.which("go"):
        print("conform: stripe-mock skipped, it is built by Go, which is not on this machine")
        return []
    program = servers.install_stripe_mock(LOCAL)
    with servers.stripe_mock(program, LOCAL / "conform" / "stripe-mock.log") as url:
        refused = [*stripe_mock.replayed(url, requests), *stripe_mock.driven(url)]
    print("conform: the same requests to stripe, and its adapter, answered by stripe-mock")
    return refused


if __name__ == "__main__":
    sys.exit(main())
