"""The certificates that PayPal signs its messages with: fetched from PayPal alone, and kept."""

from __future__ import annotations

import re

import urllib3

from dealdesk.errors import SignatureRefused, VendorUnavailable

HOSTS = ("api.paypal.com", "api.sandbox.paypal.com", "api-m.paypal.com", "api-m.sandbox.paypal.com")
TIMEOUT = urllib3.Timeout(connect=2, read=3)
LARGEST_BYTES = 64 * 1024
MOST_KEPT = 16
BEGINS = b"-----BEGIN CERTIFICATE-----"
_URL = re.compile(r"(https?://[^/?#@\s]+)/v1/notifications/certs/[A-Za-z0-9-]{1,80}")


class PaypalCertificates:
    """Whoever sends a message chooses the URL in it, so only PayPal's hosts and the API that we use are asked."""

    def __init__(self, api_url: str) -> None:
        self._origins = {api_url.rstrip("/"), *(f"https://{host}" for host in HOSTS)}
        self._kept: dict[str, bytes] = {}
        self._pool = urllib3.PoolManager(retries=False, cert_reqs="CERT_REQUIRED")

    def __call__(self, url: str) -> bytes:
        """The PEM behind `url`. Raises `SignatureRefused` for any other address and for what is not there, and
        `VendorUnavailable` for an answer that is no certificate: PayPal was disturbed, and sends the message again.
        """
        allowed = _URL.fullmatch(url)
        if allowed is None or allowed[1] not in self._origins:
            raise SignatureRefused("PAYPAL-CERT-URL is no address of PayPal's certificates")
        if url not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[url] = self._fetch(url)
        return self._kept[url]

    def _fetch(self, url: str) -> bytes:
        try:
            answer = self._pool.request("GET", url, timeout=TIMEOUT, redirect=False, preload_content=False)
            try:
                pem = answer.read(LARGEST_BYTES + 1)
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise VendorUnavailable(f"PayPal's certificate could not be fetched: {type(error).__name__}") from error
        if answer.status == 429 or answer.status >= 500:
            raise VendorUnavailable(f"PayPal's certificate could not be fetched: {answer.status}")
        if answer.status != 200 or len(pem) > LARGEST_BYTES:
            raise SignatureRefused(f"PAYPAL-CERT-URL has no certificate: {answer.status}")
        if BEGINS not in pem:
            raise VendorUnavailable("PayPal answered with something that is no certificate")
        return bytes(pem)
