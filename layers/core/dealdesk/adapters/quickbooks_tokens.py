"""QuickBooks' tokens: the refresh token changes with its use, so one worker at a time may use it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import requests
from pynamodb.exceptions import PutError, PynamoDBException

from dealdesk.adapters import codec
from dealdesk.adapters.rows import bound_to
from dealdesk.errors import TableBusy, VendorUnavailable

TIMEOUT_SECONDS = (3.05, 8)
LEASE = timedelta(seconds=20)
MARGIN = timedelta(minutes=5)
WAIT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Tokens:
    refresh_token: str
    access_token: str = ""
    valid_until: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    leased_until: datetime | None = None


class QuickbooksTokens:
    """One row a realm holds the tokens; the lease is a conditional write on its version."""

    def __init__(
        self,
        table_name: str,
        oauth_url: str,
        *,
        realm_id: str,
        client_id: str,
        client_secret: str,
        first_token: str,
    ) -> None:
        self._row = bound_to(table_name)
        self._key = f"TOKEN#quickbooks#{realm_id}"
        self._url = f"{oauth_url.rstrip('/')}/oauth2/v1/tokens/bearer"
        self._client = (client_id, client_secret)
        self._first_token = first_token
        self._given = ""

    def __call__(self, renew: bool) -> str:
        """A valid access token; to `renew`, another than the last. Raises `VendorUnavailable` when none can be had,
        `TableBusy` when the table does not answer.
        """
        self._given = self._valid(refused=self._given if renew else "")
        return self._given

    def _valid(self, *, refused: str) -> str:
        deadline = time.monotonic() + LEASE.total_seconds()
        while time.monotonic() < deadline:
            tokens, version = self._read()
            now = datetime.now(UTC)
            if tokens.access_token != refused and tokens.valid_until - MARGIN > now:
                return tokens.access_token
            free = tokens.leased_until is None or tokens.leased_until < now
            leased = _Tokens(tokens.refresh_token, tokens.access_token, tokens.valid_until, now + LEASE)
            if free and self._write(leased, seen=version):
                try:
                    return self._refresh(leased, version + 1)
                except VendorUnavailable:
                    self._write(replace(leased, leased_until=None), seen=version + 1)
                    raise
            time.sleep(WAIT_SECONDS)
        raise VendorUnavailable("QuickBooks' tokens are being renewed by another worker")

    def _refresh(self, tokens: _Tokens, version: int) -> str:
        """Asks for new tokens and stores them before the first use: the old refresh token may be dead by then."""
        try:
            answer = requests.post(
                self._url,
                auth=self._client,
                data={"grant_type": "refresh_token", "refresh_token": tokens.refresh_token},
                headers={"Accept": "application/json"},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            raise VendorUnavailable(f"QuickBooks' sign-in did not answer: {type(error).__name__}") from error
        renewed = _renewed(answer)
        if not self._write(renewed, seen=version):
            raise VendorUnavailable("QuickBooks' tokens were renewed by another worker at the same time")
        return renewed.access_token

    def _read(self) -> tuple[_Tokens, int]:
        try:
            row = self._row.get(self._key, "TOKEN", consistent_read=True)
        except self._row.DoesNotExist:
            return _Tokens(self._first_token), 0
        except PynamoDBException as error:
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error
        return codec.parse(str(row.body), _Tokens), int(row.version or 0)

    def _write(self, tokens: _Tokens, *, seen: int) -> bool:
        row = self._row(self._key, "TOKEN", body=codec.dump(tokens), version=seen + 1)
        unmoved = self._row.pk.does_not_exist() if seen == 0 else self._row.version == seen
        try:
            row.save(condition=unmoved)
        except PutError as error:
            if error.cause_response_code == "ConditionalCheckFailedException":
                return False
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error
        return True


def _renewed(answer: requests.Response) -> _Tokens:
    try:
        document = answer.json()
        if answer.status_code != 200:
            raise VendorUnavailable(f"QuickBooks refused to renew the token: {document['error']}")
        lives = timedelta(seconds=int(document["expires_in"]))
        return _Tokens(str(document["refresh_token"]), str(document["access_token"]), datetime.now(UTC) + lives)
    except (KeyError, TypeError, ValueError) as error:
        raise VendorUnavailable(f"QuickBooks' sign-in answered {answer.status_code}, and no token") from error
