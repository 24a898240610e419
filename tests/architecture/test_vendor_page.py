"""docs/vendors.md says what the code does: every operation of every adapter, every vendor, every constant."""

from __future__ import annotations

import importlib
import inspect

import pytest

from dealdesk.adapters.docusign import DocusignSignatures
from dealdesk.adapters.dropbox_sign import DropboxSignSignatures
from dealdesk.adapters.hubspot import HubspotCrm
from dealdesk.adapters.hubspot_approvals import HubspotApprovals
from dealdesk.adapters.n8n import N8nNotifier
from dealdesk.adapters.netsuite import NetsuiteLedger
from dealdesk.adapters.paypal import PaypalPayments
from dealdesk.adapters.quickbooks import QuickbooksLedger
from dealdesk.adapters.salesforce import SalesforceCrm
from dealdesk.adapters.sap import SapLedger
from dealdesk.adapters.stripe import StripePayments
from dealdesk.ports import Crm, Ledger, Notifier, Payments, Signatures
from tests.architecture.sources import CORE
from tests.conform.documented import TITLES, constants, limits, rows_of

ADAPTERS: dict[str, tuple[type, ...]] = {
    "salesforce": (SalesforceCrm,),
    "hubspot": (HubspotCrm, HubspotApprovals),
    "docusign": (DocusignSignatures,),
    "dropbox_sign": (DropboxSignSignatures,),
    "stripe": (StripePayments,),
    "paypal": (PaypalPayments,),
    "quickbooks": (QuickbooksLedger,),
    "netsuite": (NetsuiteLedger,),
    "sap": (SapLedger,),
    "n8n": (N8nNotifier,),
}
PORTS = (Crm, Signatures, Payments, Ledger, Notifier)


def operations(of: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(of, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize("vendor", TITLES)
def test_every_operation_of_an_adapter_has_a_row_and_no_row_is_of_another(vendor: str) -> None:
    done = set[str]().union(*map(operations, ADAPTERS[vendor]))

    assert set(rows_of(vendor)) == done


@pytest.mark.parametrize("vendor", TITLES)
def test_a_row_says_request_repetition_and_doubt(vendor: str) -> None:
    assert {len([cell for cell in cells if cell]) for cells in rows_of(vendor).values()} == {3}


def test_every_vendor_has_its_limits_and_its_polling_rule() -> None:
    assert {title: len([cell for cell in cells if cell]) for title, cells in limits().items()} == dict.fromkeys(
        TITLES.values(), 3
    )


def test_every_adapter_of_a_vendors_port_is_on_the_page() -> None:
    wanted = [operations(port) for port in PORTS]
    modules = [
        importlib.import_module(f"dealdesk.adapters.{file.stem}") for file in (CORE / "dealdesk/adapters").glob("*.py")
    ]

    filled = {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and any(port <= operations(kind) for port in wanted)
    }

    assert filled == {kinds[0] for kinds in ADAPTERS.values()}


@pytest.mark.parametrize(("module", "name", "value"), constants())
def test_a_constant_on_the_page_has_this_value_in_the_code(module: str, name: str, value: str) -> None:
    assert repr(getattr(importlib.import_module(f"dealdesk.adapters.{module}"), name)) == value


def test_every_call_of_a_vendor_has_a_limit_of_time_that_the_page_tells() -> None:
    told = {module for module, name, _ in constants() if name == "TIMEOUT_SECONDS"}
    titled = {"salesforce", "hubspot_calls", "docusign_login", "dropbox_sign", "stripe", "paypal", "quickbooks"}

    assert told == titled | {"netsuite_rest", "sap_session"}
