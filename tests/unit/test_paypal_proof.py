"""A message is PayPal's when PayPal's own certificate signed it for our webhook, and lately."""

from __future__ import annotations

import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from dealdesk.adapters.paypal_certificates import HOSTS, PaypalCertificates
from dealdesk.edge import paypal_proof
from dealdesk.errors import SignatureRefused, Unavailable
from local.twins.paypal_signing import Signer, new_signer
from tests.unit import paypal_example as example

NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
WEBHOOK, BODY = "5GP028458E2496506", b'{"id": "WH-1", "resource": {"note": "Z\xc3\xb6e"}}'
URL = "https://api.paypal.com/v1/notifications/certs/CERT-1"


@cache
def signer(common_name: str = "messageverificationcerts.paypal.com") -> Signer:
    return new_signer(common_name)


def signed(
    body: bytes = BODY, sent: datetime = NOW, webhook_id: str = WEBHOOK, by: Signer | None = None
) -> dict[str, str]:
    moment = sent.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "paypal-transmission-id": "t-1",
        "paypal-transmission-time": moment,
        "paypal-transmission-sig": (by or signer()).sign("t-1", moment, webhook_id, body),
        "paypal-cert-url": URL,
        "paypal-auth-algo": "SHA256withRSA",
    }


def verify(headers: dict[str, str], body: bytes = BODY, webhook_id: str = WEBHOOK, by: Signer | None = None) -> None:
    paypal_proof.verify(headers, body, webhook_id, lambda _: (by or signer()).pem, NOW)


def verify_example(body: bytes = example.BODY, now: datetime = example.NOW, **headers: str) -> None:
    given = {**example.HEADERS, **headers}
    paypal_proof.verify(given, body, example.WEBHOOK_ID, lambda _: example.PEM, now)


def test_paypals_own_published_message_is_genuine() -> None:
    verify_example()


def test_the_published_message_is_refused_with_the_clock_of_today() -> None:
    with pytest.raises(SignatureRefused, match="too old"):
        verify_example(now=NOW)


@pytest.mark.parametrize(
    "body",
    [example.BODY + b" ", example.BODY.replace(b"20.00", b"20.01"), example.BODY.replace(b'":"', b'": "')],
    ids=["a space", "another amount", "serialised anew"],
)
def test_the_signature_covers_the_raw_bytes(body: bytes) -> None:
    with pytest.raises(SignatureRefused, match="does not match"):
        verify_example(body)


def test_another_body_with_the_same_crc_passes_which_is_why_a_message_is_only_a_hint() -> None:
    forged = with_crc_of(BODY, b'{"id": "WH-2", "resource": {"note": "forged"}}')

    verify(signed(), forged)

    assert forged != BODY


def with_crc_of(wanted: bytes, body: bytes) -> bytes:
    """`body` and four bytes that give it the CRC32 of `wanted`: the table of the CRC, walked backwards."""
    table = [_column(number) for number in range(256)]
    state, target = zlib.crc32(body) ^ 0xFFFFFFFF, zlib.crc32(wanted) ^ 0xFFFFFFFF
    indexes = []
    for _ in range(4):
        index = next(i for i, row in enumerate(table) if row >> 24 == target >> 24)
        indexes.append(index)
        target = ((target ^ table[index]) << 8) & 0xFFFFFFFF
    patch = bytearray()
    for index in reversed(indexes):
        patch.append((state ^ index) & 0xFF)
        state = table[index] ^ (state >> 8)
    return body + bytes(patch)


def _column(number: int) -> int:
    for _ in range(8):
        number = (number >> 1) ^ (0xEDB88320 if number & 1 else 0)
    return number


@pytest.mark.parametrize("name", paypal_proof.HEADERS)
def test_a_message_without_one_of_its_headers_is_refused(name: str) -> None:
    headers = {key: value for key, value in signed().items() if key != f"paypal-{name}"}

    with pytest.raises(SignatureRefused, match=f"PAYPAL-{name.upper()} missing"):
        verify(headers)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (NOW - timedelta(days=3, hours=1, seconds=1), "too old"),
        (NOW + timedelta(minutes=5, seconds=1), "from the future"),
    ],
)
def test_a_message_that_is_older_than_paypal_sends_again_or_of_the_future_is_refused(
    sent: datetime, words: str
) -> None:
    with pytest.raises(SignatureRefused, match=words):
        verify(signed(sent=sent))


@pytest.mark.parametrize("sent", [NOW - timedelta(days=3), NOW, NOW + timedelta(minutes=5)])
def test_a_message_is_taken_for_as_long_as_paypal_sends_again(sent: datetime) -> None:
    verify(signed(sent=sent))


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-24T20:00:00", "2026-11-24|20:00:00Z", "9" * 40, ""])
def test_a_time_that_is_none_is_refused(moment: str) -> None:
    with pytest.raises(SignatureRefused):
        verify({**signed(), "paypal-transmission-time": moment})


def test_a_message_to_another_webhook_is_refused() -> None:
    with pytest.raises(SignatureRefused, match="does not match"):
        verify(signed(webhook_id="4JH86294D6297924G"))


def test_without_a_webhook_id_nothing_is_genuine_and_paypal_is_asked_to_come_again() -> None:
    with pytest.raises(Unavailable, match="no PayPal webhook id"):
        verify(signed(webhook_id=""), webhook_id="")


@pytest.mark.parametrize("signature", ["%%%", "", "AAAA", "é"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(SignatureRefused):
        verify({**signed(), "paypal-transmission-sig": signature})


@pytest.mark.parametrize("algorithm", ["SHA1withRSA", "none", "sha256withrsa"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    with pytest.raises(SignatureRefused, match="signs with"):
        verify({**signed(), "paypal-auth-algo": algorithm})


@pytest.mark.parametrize("name", ["messageverificationcerts.paypal.com.evil.example", "paypal.com", "evilpaypal.com"])
def test_a_certificate_that_is_not_paypals_is_refused(name: str) -> None:
    other = signer(name)

    with pytest.raises(SignatureRefused, match="not PayPal's"):
        verify(signed(by=other), by=other)


@pytest.mark.parametrize("since", [NOW + timedelta(seconds=1), NOW - timedelta(days=31)])
def test_a_certificate_outside_its_time_is_refused(since: datetime) -> None:
    other = new_signer(since=since, lives=timedelta(days=30))

    with pytest.raises(SignatureRefused, match="not valid at this time"):
        verify(signed(by=other), by=other)


def test_a_certificate_that_its_chain_did_not_issue_is_refused() -> None:
    own, foreign = signer(), signer("other.paypal.com")
    leaf, issuer = _parts(own.pem)[0], _parts(foreign.pem)[1]
    mixed = Signer(own.key, leaf + issuer)

    with pytest.raises(SignatureRefused, match="no chain"):
        verify(signed(by=mixed), by=mixed)


def _parts(pem: bytes) -> list[bytes]:
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in pem.split(end) if part]


@pytest.mark.parametrize("pem", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(SignatureRefused, match="no chain"):
        verify(signed(), by=Signer(signer().key, pem))


# -- where a certificate may come from

REFUSED = [
    "http://api.paypal.com/v1/notifications/certs/CERT-1",
    "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
    "https://evil.example/v1/notifications/certs/CERT-1",
    "https://evil.example/?https://api.paypal.com/v1/notifications/certs/CERT-1",
    "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
    "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
    "https://api.paypal.com/v1/notifications/certs/../../oauth2/token",
    "https://api.paypal.com/v1/notifications/certs/CERT-1?to=evil",
    "https://www.paypal.com/v1/notifications/certs/CERT-1",
    "https://169.254.169.254/v1/notifications/certs/CERT-1",
    "file:///etc/passwd",
    "",
]


PEM = b"-----BEGIN CERTIFICATE-----\n..."


class _Pool:
    """Counts what would have gone out."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.answers: list[tuple[int, bytes]] = []

    def request(self, _method: str, url: str, *, redirect: bool, **_: object) -> _Pool:
        self.asked.append((url, redirect))
        self.status, self.body = self.answers.pop(0) if self.answers else (200, PEM)
        return self

    def read(self, _most: int) -> bytes:
        return self.body

    def release_conn(self) -> None:
        pass


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> tuple[PaypalCertificates, _Pool]:
    certificates, pool = PaypalCertificates("https://api-m.paypal.com"), _Pool()
    monkeypatch.setattr(certificates, "_pool", pool)
    return certificates, pool


@pytest.mark.parametrize("url", REFUSED)
def test_no_address_but_paypals_is_ever_asked_for_a_certificate(
    fetched: tuple[PaypalCertificates, _Pool], url: str
) -> None:
    certificates, pool = fetched

    with pytest.raises(SignatureRefused, match="no address of PayPal's"):
        certificates(url)

    assert pool.asked == []


@pytest.mark.parametrize("host", HOSTS)
def test_a_certificate_is_fetched_once_and_never_by_a_redirect(
    fetched: tuple[PaypalCertificates, _Pool], host: str
) -> None:
    certificates, pool = fetched
    url = f"https://{host}/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"

    assert [certificates(url), certificates(url)] == [PEM, PEM]
    assert pool.asked == [(url, False)]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((302, b""), SignatureRefused),
        ((404, b""), SignatureRefused),
        ((200, b"x" * 65_537), SignatureRefused),
        ((500, b""), Unavailable),
        ((429, b""), Unavailable),
        ((200, b"<html>Please stand by</html>"), Unavailable),
    ],
    ids=["redirect", "not found", "large", "broken", "busy", "nonsense"],
)
def test_what_is_no_certificate_is_not_kept(
    fetched: tuple[PaypalCertificates, _Pool], answer: tuple[int, bytes], error: type[Exception]
) -> None:
    certificates, pool = fetched
    pool.answers.append(answer)

    with pytest.raises(error):
        certificates(URL)

    assert certificates(URL) == PEM


def test_the_proofs_of_other_vendors_do_not_pay_for_the_cryptography_of_this_one() -> None:
    program = "import sys; from dealdesk.edge import paypal_proof; sys.exit('cryptography' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], check=False, env={"PYTHONPATH": ":".join(sys.path)})

    assert done.returncode == 0
