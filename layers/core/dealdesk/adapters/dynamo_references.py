"""Which deal money belongs to, by the id that the payment provider knows it by: what is told later names no deal."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.adapters.claims import Item, busy, key_of, new_item
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event, PaymentPartiallyPaid, PaymentSucceeded, PaymentUnmatched
from dealdesk.edge import aws

REFERENCE = "REFERENCE"
Arrived = PaymentSucceeded | PaymentPartiallyPaid | PaymentUnmatched


class DynamoReferences:
    """The `References` port. The rows are written with the events that bring the money (`DynamoDeals.save`)."""

    def __init__(self, table_name: str) -> None:
        self._table = table_name
        self._dynamodb = aws.client("dynamodb")

    def deal_of(self, vendor: str, reference: str) -> str | None:
        key = key_of(_key(vendor, reference), REFERENCE)
        try:
            answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise busy(error) from error
        return str(answer["Item"]["deal_id"]["S"]) if "Item" in answer else None


def reference_items(deal: Deal, events: Sequence[Event]) -> list[Item]:
    """A row for each sum that arrives with these events, after which the deal is `deal`."""
    vendors = {payment.id: payment.provider for payment in deal.payments}
    arrived = [e for e in events if isinstance(e, Arrived) and e.vendor_reference]
    keys = dict.fromkeys(_key(vendors[event.payment_id], event.vendor_reference) for event in arrived)
    return [new_item(pk=key, sk=REFERENCE, deal_id=deal.id) for key in keys]


def _key(vendor: str, reference: str) -> str:
    return f"{REFERENCE}#{vendor}#{reference}"
