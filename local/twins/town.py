"""All the vendors of one town: a twin each, seeded with the records under events/."""

import json
from pathlib import Path
from typing import Any

from local.twins.docusign import DocuSignTwin
from local.twins.n8n import N8nTwin
from local.twins.paypal import PayPalTwin
from local.twins.quickbooks import QuickBooksTwin
from local.twins.salesforce import SalesforceTwin
from local.twins.server import Twin
from local.twins.stripe import StripeTwin

EVENTS = Path(__file__).resolve().parents[2] / "events"


def build_town(api_url: str, vendors: dict[str, dict[str, Any]]) -> dict[str, Twin]:
    """Twins by name, with their webhooks pointed at `api_url`; `vendors` is their half of the secrets."""
    crm, sign, pay, books, n8n = (vendors[name] for name in ("salesforce", "docusign", "stripe", "quickbooks", "n8n"))
    wallet = vendors["paypal"]
    salesforce = SalesforceTwin(
        consumer_key=crm["consumer_key"],
        public_key_pem=crm["public_key"],
        username=crm["username"],
        integration_user_id=crm["integration_user_id"],
        organization_id=crm["organization_ids"][0],
        outbound_url=f"{api_url}/webhooks/salesforce/{crm['path_secret']}",
    )
    salesforce.load(json.loads((EVENTS / "salesforce_records.json").read_text()))
    quickbooks = QuickBooksTwin(
        client_id=books["client_id"],
        client_secret=books["client_secret"],
        realm_id=books["realm_id"],
        refresh_token=books["refresh_token"],
    )
    quickbooks.load(json.loads((EVENTS / "quickbooks_records.json").read_text()))
    docusign = DocuSignTwin(
        integration_key=sign["integration_key"],
        user_id=sign["user_id"],
        account_id=sign["account_id"],
        public_key_pem=sign["public_key"],
        connect_keys=sign["connect_keys"],
        connect_url=f"{api_url}/webhooks/docusign",
        templates={sign["template_id"]: {"name": "Order form", "roles": ["signer"]}},
    )
    stripe = StripeTwin(
        api_key=pay["api_key"],
        webhook_secret=pay["webhook_secrets"][0],
        webhook_url=f"{api_url}/webhooks/stripe",
    )
    paypal = PayPalTwin(
        client_id=wallet["client_id"],
        client_secret=wallet["client_secret"],
        webhook_id=wallet["webhook_id"],
        webhook_url=f"{api_url}/webhooks/paypal",
    )
    receiver = N8nTwin(path=n8n["url_path"], secret=n8n["signing_secret"])
    twins: list[Twin] = [salesforce, docusign, stripe, paypal, quickbooks, receiver]
    return {twin.name: twin for twin in twins}
