"""All the vendors of one town: a twin each, seeded with the records under events/."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.twins.docusign import DocuSignTwin
from local.twins.dropbox_sign import DropboxSignTwin
from local.twins.hubspot import HubspotTwin
from local.twins.n8n import N8nTwin
from local.twins.netsuite import NetSuiteTwin
from local.twins.netsuite_login import Integration
from local.twins.paypal import PayPalTwin
from local.twins.quickbooks import QuickBooksTwin
from local.twins.salesforce import SalesforceTwin
from local.twins.sap import SapTwin
from local.twins.server import Twin
from local.twins.stripe import StripeTwin

EVENTS = Path(__file__).resolve().parents[2] / "events"

Known = dict[str, Any]


def build_town(api_url: str, vendors: dict[str, Known]) -> dict[str, Twin]:
    """Twins by name, with their webhooks pointed at `api_url`; `vendors` is their half of the secrets."""
    twins = [build(vendors[name], f"{api_url}/webhooks") for name, build in BUILDERS.items()]
    return {twin.name: twin for twin in twins}


def _salesforce(known: Known, webhooks: str) -> Twin:
    twin = SalesforceTwin(
        consumer_key=known["consumer_key"],
        public_key_pem=known["public_key"],
        username=known["username"],
        integration_user_id=known["integration_user_id"],
        organization_id=known["organization_ids"][0],
        outbound_url=f"{webhooks}/salesforce/{known['path_secret']}",
    )
    twin.load(_records("salesforce"))
    return twin


def _hubspot(known: Known, webhooks: str) -> Twin:
    twin = HubspotTwin(
        access_token=known["access_token"],
        client_secret=known["client_secrets"][0],
        portal_id=known["portal_id"],
        app_id=known["app_id"],
        webhook_url=f"{webhooks}/hubspot",
    )
    twin.load(_records("hubspot"))
    return twin


def _docusign(known: Known, webhooks: str) -> Twin:
    return DocuSignTwin(
        integration_key=known["integration_key"],
        user_id=known["user_id"],
        account_id=known["account_id"],
        public_key_pem=known["public_key"],
        connect_keys=known["connect_keys"],
        connect_url=f"{webhooks}/docusign",
        templates={known["template_id"]: {"name": "Order form", "roles": ["signer"]}},
    )


def _dropbox_sign(known: Known, webhooks: str) -> Twin:
    fields = ["deal_total", "payment_terms", "term"]
    template = {"title": "Order form", "roles": ["signer"], "custom_fields": fields}
    return DropboxSignTwin(
        api_key=known["api_key"],
        callback_url=f"{webhooks}/dropbox-sign",
        templates={known["template_id"]: template},
    )


def _stripe(known: Known, webhooks: str) -> Twin:
    return StripeTwin(
        api_key=known["api_key"], webhook_secret=known["webhook_secrets"][0], webhook_url=f"{webhooks}/stripe"
    )


def _paypal(known: Known, webhooks: str) -> Twin:
    return PayPalTwin(
        client_id=known["client_id"],
        client_secret=known["client_secret"],
        webhook_id=known["webhook_id"],
        webhook_url=f"{webhooks}/paypal",
    )


def _quickbooks(known: Known, _webhooks: str) -> Twin:
    twin = QuickBooksTwin(
        client_id=known["client_id"],
        client_secret=known["client_secret"],
        realm_id=known["realm_id"],
        refresh_token=known["refresh_token"],
    )
    twin.load(_records("quickbooks"))
    return twin


def _netsuite(known: Known, _webhooks: str) -> Twin:
    integration = Integration(known["account"], known["client_id"], known["certificate_id"], known["public_key"])
    twin = NetSuiteTwin(integration)
    twin.load(_records("netsuite"))
    return twin


def _sap(known: Known, _webhooks: str) -> Twin:
    area = known["customizing"]
    twin = SapTwin(
        user=known["user"],
        password=known["password"],
        area=(area["sales_organization"], area["distribution_channel"], area["division"]),
        condition_type=area["condition_type"],
    )
    twin.load(_records("sap"))
    return twin


def _n8n(known: Known, _webhooks: str) -> Twin:
    return N8nTwin(path=known["url_path"], secret=known["signing_secret"])


def _records(vendor: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{vendor}_records.json").read_text())
    return loaded


BUILDERS: dict[str, Callable[[Known, str], Twin]] = {
    "salesforce": _salesforce,
    "hubspot": _hubspot,
    "docusign": _docusign,
    "dropbox_sign": _dropbox_sign,
    "stripe": _stripe,
    "paypal": _paypal,
    "quickbooks": _quickbooks,
    "netsuite": _netsuite,
    "sap": _sap,
    "n8n": _n8n,
}
