"""docs/decisions/0020 names the libraries that the adapters really use, at the versions that are locked."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.architecture.sources import CORE, FUNCTIONS, ROOT, imports, reach, third_party

PAGE = (ROOT / "docs/decisions/0020-a-vendors-library-or-a-thin-client.md").read_text()
LIBRARIES = {
    "simple_salesforce": "simple-salesforce",
    "hubspot": "hubspot-api-client",
    "docusign_esign": "docusign-esign",
    "stripe": "stripe",
}
ROWS = {
    "Salesforce": "salesforce",
    "HubSpot": "hubspot",
    "DocuSign": "docusign",
    "Stripe": "stripe",
    "Dropbox Sign": "dropbox_sign",
    "PayPal": "paypal",
    "QuickBooks": "quickbooks",
    "NetSuite": "netsuite",
    "SAP S/4HANA": "sap",
    "n8n": "n8n",
}
# What every function has, and what the AWS side of a vendor's adapter needs.
OF_THE_LAYER = {"msgspec", "pynamodb", "botocore"}
SPOKEN_OF = {"jwt": "PyJWT", "cryptography": "cryptography"}


def row_of(title: str) -> list[str]:
    found = next(line for line in PAGE.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.mark.parametrize(("title", "adapter"), ROWS.items())
def test_the_table_names_what_the_adapter_imports(title: str, adapter: str) -> None:
    files = (CORE / "dealdesk/adapters").glob(f"{adapter}*.py")
    used = set[str]().union(*(third_party(imports(file)) for file in files)) - OF_THE_LAYER
    names = {SPOKEN_OF.get(name, LIBRARIES.get(name, name)) for name in used}

    missing = {name for name in names if name not in row_of(title)[1] and name not in ("requests", "urllib3")}

    assert missing == set()
    assert "requests" not in row_of(title)[1] or "requests" in names


@pytest.mark.parametrize("library", LIBRARIES.values())
def test_the_table_names_the_version_that_is_locked(library: str) -> None:
    locked = {one["name"]: one["version"] for one in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}

    assert re.findall(rf"\b{library} (\d[\d.]*\d)", PAGE)[0] == locked[library]


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name.startswith("receive_")])
def test_no_library_of_a_vendor_is_on_a_webhooks_path(function: str) -> None:
    reached = set[str]().union(*(third_party(imports(file)) for file in reach(function)))

    assert reached & LIBRARIES.keys() == set()
