"""A function ships what it imports and imports what it ships; a webhook function ships no vendor's SDK.

The Python that runs the functions locally has every package installed, which would hide one that is missing on AWS.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

from local.build import IN_THE_RUNTIME
from tests.architecture.sources import CORE, FUNCTIONS, ROOT, function_modules, imports, reach, third_party

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS: dict[str, list[Any]] = PYPROJECT["dependency-groups"]
LAYER = ["--no-default-groups"]
WEBHOOKS = [name for name in FUNCTIONS if name.startswith("receive_")]
# A parser and a cryptographic library, with what that one brings: nobody's SDK.
NO_SDK = {"defusedxml", "cryptography", "cffi", "pycparser"}

# Imports the apps of these folders where a package that is not shipped does not exist; prints what came along.
CHILD = """
import importlib, json, sys
from importlib.abc import MetaPathFinder
shipped, folders = set(json.loads(sys.argv[1])), sys.argv[2:]
def of_python(name):
    return name in sys.stdlib_module_names or name.startswith("_sysconfigdata")
class OnlyShipped(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if "." not in name and name not in shipped and not of_python(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, OnlyShipped())
at_start = set(sys.modules)
for folder in folders:
    sys.path.insert(0, folder)
    importlib.import_module("app")
    del sys.path[0], sys.modules["app"]
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - at_start})))
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def exported(*which: str) -> frozenset[str]:
    """The distributions that the lock gives for a group, or for the layer of dependencies."""
    uv = Path(sys.executable).with_name("uv")
    flags = ["--quiet", "--frozen", "--no-hashes", "--no-annotate", "--no-header", "--no-emit-project"]
    command = [str(uv), "export", *flags, *which]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith((" ", "#", "-"))]
    return frozenset(normal(re.split(r"[ =;\[]", line, maxsplit=1)[0]) for line in lines)


def shipped(function: str) -> frozenset[str]:
    own = exported("--only-group", function) if function in GROUPS else frozenset()
    return own | exported(*LAYER) | frozenset(map(normal, IN_THE_RUNTIME))


@cache
def packages_of(name: str) -> frozenset[str]:
    """The importable packages of a distribution; none when it is not for this platform."""
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return frozenset()
    tops = {file.parts[0] for file in files if file.suffix in (".py", ".so")}
    return frozenset(top.partition(".")[0] for top in tops if not top.endswith(".dist-info"))


def all_packages_of(names: frozenset[str]) -> set[str]:
    return {package for name in names for package in packages_of(name)}


def imported(functions: list[str]) -> frozenset[str]:
    """The packages in memory after importing these apps, which ship the same, with nothing but what they ship."""
    own = {module for name in functions for module in function_modules(name)}
    importable = sorted(all_packages_of(shipped(functions[0])) | {"dealdesk"} | own)
    environment = {"PYTHONPATH": str(CORE), "POWERTOOLS_TRACE_DISABLED": "true", "AWS_REGION": "us-east-1"}
    folders = [str(ROOT / "functions" / name) for name in functions]
    command = [sys.executable, "-c", CHILD, json.dumps(importable), *folders]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_package_that_a_function_may_come_to_import_is_shipped(function: str) -> None:
    own = frozenset(function_modules(function))
    wanted = {package for file in reach(function) for package in third_party(imports(file), own)}

    assert wanted - all_packages_of(shipped(function)) == set()


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) & set(GROUPS)))
def test_a_function_starts_with_what_it_ships_and_needs_all_of_it(function: str) -> None:
    in_group = {normal(re.split(r"[=\[]", requirement, maxsplit=1)[0]) for requirement in GROUPS[function]}

    own = frozenset(function_modules(function))
    lazily = {package for file in reach(function) for package in third_party(imports(file), own)}
    used = imported([function]) | lazily

    assert {name for name in in_group if not packages_of(name) & used} == set()


def test_a_function_without_a_group_starts_with_the_layer_alone() -> None:
    assert "dealdesk" in imported([name for name in FUNCTIONS if name not in GROUPS])


@pytest.mark.parametrize("function", WEBHOOKS)
def test_a_webhook_function_ships_no_vendor_sdk(function: str) -> None:
    assert shipped(function) & sdks() == set()


def sdks() -> frozenset[str]:
    """What the groups of all functions ship above the layer: the vendors' SDKs and what they bring."""
    groups = [exported("--only-group", group) for group in set(FUNCTIONS) & set(GROUPS)]
    return frozenset.union(*groups) - exported(*LAYER) - frozenset(map(normal, IN_THE_RUNTIME)) - NO_SDK


def test_every_group_of_a_function_belongs_to_a_function() -> None:
    shared = {"functions", "local", "test", "lint", "bench"}

    assert set(GROUPS) - shared <= set(FUNCTIONS)
    assert {entry["include-group"] for entry in GROUPS["functions"]} == set(GROUPS) - shared
