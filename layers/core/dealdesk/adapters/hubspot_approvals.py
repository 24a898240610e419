"""Which approvals a webhook of HubSpot is about: its messages name records by number and say nothing else of them.

One call for a whole message, by urllib3: the webhook has five seconds to answer and no time for a vendor's library.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import urllib3

from dealdesk.errors import VendorRefused, VendorUnavailable

TIMEOUT = urllib3.Timeout(connect=1, read=2)


class ApprovalRecord(msgspec.Struct):
    """An approval as the desk wrote it; both are None on a record that somebody made by hand."""

    approval_key: str | None = None
    deal_id: str | None = None


class _Found(msgspec.Struct):
    id: str
    properties: ApprovalRecord


class _Page(msgspec.Struct):
    results: list[_Found]


class HubspotApprovals:
    """Reads by record id, which HubSpot answers at once with what was written last."""

    def __init__(self, url: str, *, access_token: str, approval_type: str) -> None:
        self._url = f"{url.rstrip('/')}/crm/v3/objects/{approval_type}/batch/read"
        self._headers = {"Authorization": f"Bearer {access_token}", "Content-Type": "application/json"}
        self._pool = urllib3.PoolManager(retries=False)

    def read(self, record_ids: Sequence[str]) -> dict[str, ApprovalRecord]:
        """The approvals of up to 100 records; those that are gone are left out."""
        if not record_ids:
            return {}
        asked = {
            "properties": ["approval_key", "deal_id"],
            "propertiesWithHistory": [],
            "inputs": [{"id": record_id} for record_id in record_ids],
        }
        try:
            answer = self._pool.request(
                "POST", self._url, body=msgspec.json.encode(asked), headers=self._headers, timeout=TIMEOUT
            )
        except urllib3.exceptions.HTTPError as error:
            raise VendorUnavailable(f"HubSpot did not answer: {type(error).__name__}") from error
        if answer.status in (400, 404):
            raise VendorRefused(f"HubSpot refused to read approvals with {answer.status}")
        if not 200 <= answer.status < 300:
            raise VendorUnavailable(f"HubSpot answered {answer.status}")
        try:
            page = msgspec.json.decode(answer.data, type=_Page)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise VendorUnavailable(f"HubSpot gave no answer that can be read: {error}") from error
        return {found.id: found.properties for found in page.results}
