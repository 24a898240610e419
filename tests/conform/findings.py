"""What a vendor's file or server has against the requests of the desk, and what of it is known and allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import urllib3

from tests.conform.recorder import Sent

NO_FILE = "no file"


@dataclass(frozen=True)
class Api:
    """One OpenAPI file, and the paths that it describes: those below `under`, which the file leaves out if `strip`."""

    vendor: str
    file: str
    under: str
    strip: str = ""

    def describes(self, sent: Sent) -> bool:
        return sent.vendor == self.vendor and sent.path.startswith(self.under)


APIS = (
    Api("stripe", "stripe.openapi.json", "/v1/"),
    Api("docusign", "docusign_esign_v21.openapi.json", "/restapi/", strip="/restapi"),
    Api("dropbox_sign", "dropbox_sign.openapi.json", "/v3/", strip="/v3"),
    Api("paypal", "paypal_orders_v2.openapi.json", "/v2/checkout/"),
    Api("paypal", "paypal_payments_v2.openapi.json", "/v2/payments/"),
)


@dataclass(frozen=True)
class Finding:
    vendor: str
    request: str
    code: str
    where: str
    said: str

    def __str__(self) -> str:
        return f"{self.vendor}: {self.request}: {self.where} {self.said} ({self.code})"


@dataclass(frozen=True)
class Allowed:
    """A finding that is right as it is; `request` may hold `*`. One that matches nothing any more is an error."""

    vendor: str
    request: str
    code: str
    where: str
    why: str

    def covers(self, finding: Finding) -> bool:
        same = (self.vendor, self.code, self.where) == (finding.vendor, finding.code, finding.where)
        return same and fnmatchcase(finding.request, self.request)


ALLOWED = (
    Allowed(
        "stripe",
        "GET /v1/checkout/sessions",
        "E3015",
        "query.created[gte]",
        "newer than the file, which is of 2023-08-16; stripe-mock knows it",
    ),
    Allowed(
        "stripe", "GET /v1/disputes", "E2001", "/v1/disputes", "left out of the trimmed file; stripe-mock knows it"
    ),
    Allowed("docusign", "POST /oauth/token", NO_FILE, "", "the sign-in is another host's, with no file of its own"),
    Allowed("docusign", "GET /oauth/userinfo", NO_FILE, "", "part of the sign-in"),
    Allowed("docusign", "GET /signing/*", NO_FILE, "", "the page on which a signer signs: the test is the browser"),
    Allowed(
        "paypal", "GET /v1/customer/disputes*", NO_FILE, "", "disputes have a file of their own, which is not here"
    ),
    Allowed("paypal", "POST /v1/oauth2/token", NO_FILE, "", "the sign-in has no file of its own"),
    Allowed(
        "dropbox_sign",
        "POST /signature_request/send_with_template",
        "E4001",
        "body.signers.0.email_address",
        "a test sends to an address that is none, to see the vendor's refusal",
    ),
)


def without_a_file(requests: Sequence[Sent]) -> Iterator[Finding]:
    for sent in requests:
        if any(sent.vendor == api.vendor for api in APIS) and not any(api.describes(sent) for api in APIS):
            path = sent.path.partition("?")[0]
            yield Finding(sent.vendor, f"{sent.method} {path}", NO_FILE, "", "is in none of the vendor's files")


def ask(http: urllib3.PoolManager, url: str, sent: Sent, strip: str, **more: str) -> urllib3.BaseHTTPResponse:
    headers = dict(sent.headers) | more
    body = sent.body.encode() or None
    return http.request(sent.method, url + sent.path.removeprefix(strip), headers=headers, body=body, retries=False)


def of_steady(sent: Sent, headers: Mapping[str, str]) -> Iterator[Finding]:
    """Everything that steady notes, also what it calls a warning: a parameter that the vendor does not know is one."""
    request = matched(sent, headers)
    for number in range(1, int(headers["x-steady-error-count"]) + 1):
        code, path, said = (headers.get(f"x-steady-error-{number}-{part}", "") for part in ("code", "path", "message"))
        yield Finding(sent.vendor, request, code, path, said)


def matched(sent: Sent, headers: Mapping[str, str]) -> str:
    """The request as the vendor's file writes it."""
    return f"{sent.method} {headers.get('x-steady-matched-path') or sent.path.partition('?')[0]}"


def unexplained(findings: Sequence[Finding]) -> list[str]:
    """What must be repaired: findings that nothing allows, and allowances that allow nothing."""
    open_findings = [f for f in dict.fromkeys(findings) if not any(allowed.covers(f) for allowed in ALLOWED)]
    idle = [allowed for allowed in ALLOWED if not any(allowed.covers(finding) for finding in findings)]
    return [
        *(str(finding) for finding in open_findings),
        *(f"{a.vendor}: {a.request} {a.where}: no longer needed in ALLOWED ({a.why})" for a in idle),
    ]
