"""functions → edge, contracts, adapters, usecases → ports → domain → standard library."""

from __future__ import annotations

import pytest

from tests.architecture.sources import FUNCTIONS, ROOT, core_modules, function_modules, imports, third_party

# What each layer may import of the desk besides itself; longest prefix counts.
MAY_IMPORT = {
    "errors": (),
    "domain": ("errors",),
    "ports": ("domain",),
    "policies": ("domain",),
    "usecases": ("ports", "domain", "errors"),
    "contracts": ("ports", "domain", "errors"),
    "edge": ("contracts", "ports", "domain", "errors"),
    # An adapter may sign as the border does and share its AWS clients; it never sees a handler.
    "adapters": ("contracts", "ports", "domain", "errors", "policies", "edge.aws", "edge.proofs"),
}
PACKAGES = {
    "contracts": {"pydantic", "msgspec", "defusedxml"},
    "edge": {"aws_lambda_powertools", "botocore", "cryptography", "msgspec"},
    "adapters": {
        "botocore",
        "docusign_esign",
        "jwt",
        "hubspot",
        "msgspec",
        "oauthlib",
        "pynamodb",
        "requests",
        "simple_salesforce",
        "stripe",
        "urllib3",
    },
}
# Where a port meets its adapter.
WIRING = {"app", "desk"}


def layer_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "errors"


@pytest.mark.parametrize("module", sorted(core_modules()))
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    layer = layer_of(module)
    allowed = tuple(f"dealdesk.{name}" for name in (layer, *MAY_IMPORT[layer]))

    found = {name for name in imports(core_modules()[module]) if name.startswith("dealdesk")}

    assert {name for name in found if not f"{name}.".startswith(tuple(f"{prefix}." for prefix in allowed))} == set()


@pytest.mark.parametrize("module", sorted(core_modules()))
def test_a_layer_imports_only_the_packages_that_it_may(module: str) -> None:
    assert third_party(imports(core_modules()[module])) <= PACKAGES.get(layer_of(module), set())


@pytest.mark.parametrize("module", sorted(core_modules()))
def test_nothing_imports_a_function(module: str) -> None:
    functions = {"functions", "app", *(name for folder in FUNCTIONS for name in function_modules(folder))}

    assert third_party(imports(core_modules()[module])) & functions == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_the_wiring_of_a_function_sees_an_adapter(function: str) -> None:
    for name, file in function_modules(function).items():
        adapters = {found for found in imports(file) if found.startswith("dealdesk.adapters")}
        assert not adapters or name in WIRING, f"{name}.py imports {adapters}"


def test_nothing_that_is_deployed_imports_the_commands_of_operators() -> None:
    deployed = [*core_modules().values(), *(file for name in FUNCTIONS for file in function_modules(name).values())]

    assert {file for file in deployed if "operate" in third_party(imports(file))} == set()


def test_an_operator_of_a_real_account_needs_nothing_of_the_local_system_but_by_asking_for_it() -> None:
    files = (ROOT / "operate").glob("*.py")

    assert {file.name for file in files if "local" in third_party(imports(file))} == {"installation.py"}
