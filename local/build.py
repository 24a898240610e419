"""Packs every function and layer of template.yaml for the local stack, and only what has changed."""

import compileall
import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

RECIPE = "1"  # change it when the way of building changes
FUNCTION, LAYER = "AWS::Serverless::Function", "AWS::Serverless::LayerVersion"
SOURCE_PROPERTY = {FUNCTION: "CodeUri", LAYER: "ContentUri"}
# The Lambda runtime brings these, and so does the Python that runs the functions here.
IN_THE_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")

Template = dict[str, Any]


class BuildFailed(Exception):
    """The package of a function or layer cannot be made; says which and why."""


def read_template(path: Path) -> Template:
    """The template with CloudFormation's short forms (`!Ref`) written out (`{"Ref": …}`)."""
    loaded: Template = yaml.load(path.read_text(), Loader=_TemplateLoader)
    return loaded


def build(template: Template, root: Path, into: Path) -> dict[str, Path]:
    """Make the folder of each function and layer, by its name; one whose sources did not change is kept.

    A function holds its folder and the dependency group of its name; a layer with Python code holds the code;
    a layer without holds the project's dependencies. All is compiled, so that a cold start is an import.
    """
    groups = tomllib.loads((root / "pyproject.toml").read_text()).get("dependency-groups", {})
    into.mkdir(parents=True, exist_ok=True)

    def package(item: tuple[str, tuple[str, Path]]) -> tuple[str, Path]:
        name, (kind, source) = item
        export = _export_arguments(kind, source, groups)
        return name, _package(name, source, export, root, into)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(pool.map(package, _sources(template, root).items()))


def mounted(template: Template, folders: dict[str, Path], placeholder: dict[str, str]) -> Template:
    """The template whose functions import from the built folders; what is uploaded is a placeholder.

    MiniStack unpacks the code and all layers of a function anew for every worker, which takes seconds; a
    worker whose PYTHONPATH names the folders starts as fast as it can import. The order is that of Lambda:
    the function's own packages shadow the layers.
    """
    resources = dict(template["Resources"])
    layers = [str(folder) for name, folder in folders.items() if resources[name]["Type"] == LAYER]
    for name, folder in folders.items():
        kind, properties = resources[name]["Type"], resources[name]["Properties"]
        properties = {**properties, SOURCE_PROPERTY[kind]: placeholder}
        if kind == FUNCTION:
            variables = properties.get("Environment", {}).get("Variables", {})
            path = os.pathsep.join([str(folder), *layers])
            properties["Environment"] = {"Variables": {**variables, "PYTHONPATH": path}}
        resources[name] = {**resources[name], "Properties": properties}
    return {**template, "Resources": resources}


def _sources(template: Template, root: Path) -> dict[str, tuple[str, Path]]:
    return {
        name: (resource["Type"], root / resource["Properties"][SOURCE_PROPERTY[resource["Type"]]])
        for name, resource in template["Resources"].items()
        if resource["Type"] in SOURCE_PROPERTY
    }


def _export_arguments(kind: str, source: Path, groups: dict[str, Any]) -> list[str]:
    if kind == LAYER:
        return [] if _has_code(source) else ["--no-default-groups"]
    return ["--only-group", source.name] if source.name in groups else []


def _package(name: str, source: Path, export: list[str], root: Path, into: Path) -> Path:
    if not export and not _has_code(source):
        raise BuildFailed(f"{name}: no Python code in {source.relative_to(root)}")
    folder, stamp = into / name, into / f"{name}.sha256"
    digest = _digest(source, export, root)
    if stamp.exists() and stamp.read_text() == digest:
        return folder
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if _has_code(source):
        ignored = shutil.ignore_patterns("__pycache__", "requirements.txt")
        shutil.copytree(source, folder, ignore=ignored, dirs_exist_ok=True)
    if export:
        _install(name, export, root, folder)
    else:
        _compile(name, folder)
    stamp.write_text(digest)
    return folder


def _digest(source: Path, export: list[str], root: Path) -> str:
    """Names everything that the package is made of."""
    digest = hashlib.sha256(f"{RECIPE} {sys.version} {export}".encode())
    inputs = [*_files(source), *([root / "uv.lock", root / "pyproject.toml"] if export else [])]
    for path in inputs:
        digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _has_code(folder: Path) -> bool:
    return any(path.suffix == ".py" for path in _files(folder))


def _install(name: str, export: list[str], root: Path, target: Path) -> None:
    left_out = [word for package in IN_THE_RUNTIME for word in ("--no-emit-package", package)]
    flags = ["--frozen", "--no-hashes", "--no-annotate", "--no-header", "--no-emit-project"]
    wanted = _uv(name, ["export", *flags, *export, *left_out], cwd=root)
    where = ["--python", sys.executable, "--target", str(target)]
    how = ["--requirements", "-", "--no-deps", "--compile-bytecode"]
    _uv(name, ["pip", "install", *how, *where], cwd=root, text=wanted)


def _uv(name: str, arguments: list[str], *, cwd: Path, text: str = "") -> str:
    beside = Path(sys.executable).with_name("uv")
    command = [str(beside) if beside.exists() else "uv", "--quiet", *arguments]
    environment = os.environ | {"PYC_INVALIDATION_MODE": "UNCHECKED_HASH"}
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, input=text, capture_output=True, text=True)
    except FileNotFoundError as missing:
        raise BuildFailed("uv is missing: run `make setup`, or install it from PyPI") from missing
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise BuildFailed(f"{name}: uv {arguments[0]} said: {reason}")
    return done.stdout


def _compile(name: str, target: Path) -> None:
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(target, quiet=1, invalidation_mode=mode):
        raise BuildFailed(f"{name}: a module does not compile")


class _TemplateLoader(yaml.CSafeLoader):
    """YAML with the tags of CloudFormation."""


def _long_form(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_TemplateLoader.add_multi_constructor("!", _long_form)
_TemplateLoader.yaml_implicit_resolvers = {
    # Versions such as 2010-09-09 are strings to CloudFormation, not dates.
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
