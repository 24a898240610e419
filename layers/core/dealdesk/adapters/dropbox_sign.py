"""Dropbox Sign by a thin client: a signature request from a template, with our deal and intent in its metadata."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec
import requests

from dealdesk.adapters.contract_texts import contract_texts
from dealdesk.contracts.dropbox_sign import (
    DEAL_FIELD,
    INTENT_FIELD,
    ManyRequests,
    OneRequest,
    SignatureRequest,
    state_of,
)
from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import EnvelopeStatus
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import EnvelopeState, Person

TIMEOUT_SECONDS = (3.05, 8)
SIGNER_ROLE = "signer"
TITLE_LIMIT = 255
PAGE_SIZE, MOST_PAGES = 100, 20
# Lists may lag behind ("there may be a minor delay after creation"): after doubt, this long before they are asked.
LISTED_AFTER_SECONDS = 60
REMINDED_SECONDS = 3600
CLOCKS_APART = timedelta(minutes=5)
GONE = 410

Document = TypeVar("Document")


class DropboxSignSignatures:
    """The `Signatures` port. Dropbox Sign has no idempotency key: `look_up` reads the list after any doubt."""

    def __init__(self, url: str, *, api_key: str, template_id: str, test_mode: bool) -> None:
        self._base = f"{url.rstrip('/')}/v3/signature_request"
        self._template_id = template_id
        self._test_mode = test_mode
        self._http = requests.Session()
        self._http.auth = (api_key, "")

    def send(self, key: str, deal: Deal, signer: Person) -> str:
        try:
            answer = self._call("POST", "/send_with_template", body=self._definition(key, deal, signer))
            return _read(answer, OneRequest).signature_request.signature_request_id
        except VendorUnavailable as doubt:
            wait_seconds = max(LISTED_AFTER_SECONDS, doubt.retry_after_seconds or 0)
            raise VendorUnavailable(str(doubt), retry_after_seconds=wait_seconds) from doubt

    def look_up(self, key: str, opened_at: datetime) -> EnvelopeState | None:
        """The request that carries this intent's key, from the plain list: searches run on an index that lags.

        Raises `VendorUnavailable` instead of a None that it cannot be sure of.
        """
        oldest = (opened_at - CLOCKS_APART).timestamp()
        for page in range(1, MOST_PAGES + 1):
            params = {"page": str(page), "page_size": str(PAGE_SIZE)}
            found = _read(self._call("GET", "/list", params=params), ManyRequests)
            ours = next((request for request in found.signature_requests if request.key == key), None)
            if ours:
                return state_of(ours)
            if page >= found.list_info.num_pages or _all_older(found.signature_requests, oldest):
                return None
        raise VendorUnavailable(
            f"Dropbox Sign lists more than {MOST_PAGES * PAGE_SIZE} requests; {key} may be among them"
        )

    def status(self, envelope_id: str) -> EnvelopeState:
        """A request that is gone was cancelled: Dropbox Sign shows nothing of it any more, also not our key."""
        response = self._send("GET", f"/{envelope_id}")
        if response.status_code == GONE:
            return EnvelopeState(envelope_id, EnvelopeStatus.VOIDED, "", "cancelled at Dropbox Sign", _moment(response))
        if not response.ok:
            raise translated(response)
        return state_of(_read(response, OneRequest).signature_request)

    def void(self, envelope_id: str, reason: str) -> None:
        """Asks for the cancellation, which happens later: only `status` tells when. Dropbox Sign takes no reason."""
        try:
            self._call("POST", f"/cancel/{envelope_id}")
        except VendorRefused:
            if self.status(envelope_id).status is EnvelopeStatus.SENT:
                raise

    def resend(self, envelope_id: str, signer: Person) -> None:
        """A reminder. Dropbox Sign sends none within an hour of the last: then the signer has just had one."""
        try:
            self._call("POST", f"/remind/{envelope_id}", body={"email_address": signer.email, "name": signer.name})
        except VendorRefused:
            request = _read(self._call("GET", f"/{envelope_id}"), OneRequest).signature_request
            if state_of(request).status is not EnvelopeStatus.SENT or not _just_reminded(request, signer):
                raise

    def recipient_view(self, envelope_id: str, signer: Person, return_url: str) -> str:
        """Always refused: only a request that was made for embedding has a page, it sends no e-mail, and its page opens
        by Dropbox Sign's own script alone.
        """
        raise VendorRefused("Dropbox Sign has no signing page for a contract that it has sent by e-mail; send it again")

    def _definition(self, key: str, deal: Deal, signer: Person) -> dict[str, object]:
        assert deal.quote is not None
        quote = deal.quote
        name = quote.name[: TITLE_LIMIT - len(key) - 3]
        return {
            "template_ids": [self._template_id],
            "title": f"{name} [{key}]",
            "subject": f"Please sign: {quote.name}"[:TITLE_LIMIT],
            "signers": [{"role": SIGNER_ROLE, "name": signer.name, "email_address": signer.email}],
            "custom_fields": [{"name": name, "value": value} for name, value in contract_texts(quote).items()],
            "metadata": {DEAL_FIELD: deal.id, INTENT_FIELD: key},
            "allow_decline": True,
            "test_mode": self._test_mode,
        }

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> requests.Response:
        response = self._send(method, path, params, body)
        if not response.ok:
            raise translated(response)
        return response

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> requests.Response:
        try:
            return self._http.request(method, self._base + path, params=params, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise VendorUnavailable(f"Dropbox Sign did not answer: {type(error).__name__}") from error


def translated(response: requests.Response) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of Dropbox Sign means for the desk."""
    status = response.status_code
    # A rejected key, an unpaid plan or a twin of this call that is still under way: nothing about the deal is wrong.
    if status in (401, 402, 403, 408, 409, 429) or status >= 500:
        return VendorUnavailable(f"Dropbox Sign did not answer: {status}", retry_after_seconds=_wait_seconds(response))
    try:
        error = response.json()["error"]
        detail = f"{error['error_name']}: {error['error_msg']}"
    except (ValueError, KeyError, TypeError):
        detail = f"status {status}"
    return VendorRefused(f"Dropbox Sign refused: {detail}"[:300])


def _read(response: requests.Response, document: type[Document]) -> Document:
    try:
        return msgspec.json.decode(response.content, type=document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VendorUnavailable(f"Dropbox Sign answered with something unreadable: {error}") from error


def _all_older(page: list[SignatureRequest], oldest: float) -> bool:
    """Whether no later page can hold a newer request: the list is expected newest first, and seen to be so."""
    times = [request.created_at for request in page]
    return bool(times) and times == sorted(times, reverse=True) and times[-1] < oldest


def _just_reminded(request: SignatureRequest, signer: Person) -> bool:
    theirs = [signature for signature in request.signatures if signature.signer_email_address == signer.email]
    reminded = max((signature.last_reminded_at or 0 for signature in theirs), default=0)
    return time.time() - reminded < REMINDED_SECONDS


def _wait_seconds(response: requests.Response) -> int | None:
    """From Retry-After, or else from the moment at which the limit is lifted, by the vendor's own clock."""
    after, reset = response.headers.get("Retry-After", ""), response.headers.get("X-Ratelimit-Reset", "")
    if after.isdigit():
        return int(after)
    if response.status_code == 429 and reset.isdigit():
        return max(1, int(reset) - int(_moment(response).timestamp()))
    return None


def _moment(response: requests.Response) -> datetime:
    """When the vendor gave this answer."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.fromtimestamp(0, UTC)
