"""Reads docs/vendors.md: which operations and requests it tells of, and which constants it quotes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "vendors.md"
TITLES = {
    "salesforce": "Salesforce",
    "hubspot": "HubSpot",
    "docusign": "DocuSign",
    "dropbox_sign": "Dropbox Sign",
    "stripe": "Stripe",
    "paypal": "PayPal",
    "quickbooks": "QuickBooks",
    "netsuite": "NetSuite",
    "sap": "SAP S/4HANA",
    "n8n": "n8n",
}
_CODE = re.compile(r"`([^`]+)`")
_CONSTANT = re.compile(r"`(\w+)\.([A-Z_]+) = ([^`]+)`")


@cache
def rows_of(vendor: str) -> dict[str, list[str]]:
    """The cells of each operation's row, by the operation."""
    section = PAGE.read_text().partition(f"\n## {TITLES[vendor]}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"]
    return {operation.strip("`"): cells for operation, *cells in rows}


def requests_of(vendor: str) -> set[str]:
    return {request for cells in rows_of(vendor).values() for request in _CODE.findall(cells[0])}


def constants() -> list[tuple[str, str, str]]:
    """Module of an adapter, name and value."""
    return _CONSTANT.findall(PAGE.read_text())


def limits() -> dict[str, list[str]]:
    """The cells of the table of limits, by the vendor's title."""
    section = PAGE.read_text().partition("\n## Limits and polling\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    return {title: cells for title, *cells in rows[1:]}
