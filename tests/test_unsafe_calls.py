"""Nothing in the package runs what a file says: no unpickling, no evaluation, no shell, no unsafe loader."""

import ast
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))
MODULES = frozenset(
    [
        "pickle",
        "cPickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "joblib",
        "shelve",
        "marshal",
        "code",
        "runpy",
        "torch",
    ]
)
CALLS = frozenset(
    ["eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "tempfile.mktemp"]
)  # fmt: skip
METHODS = frozenset(
    ["read_pickle", "to_pickle", "loads_pickle", "enable_unsafe_deserialization", "load_model"]
)
OURS = "roadlift.model"  # whose load_model reads ONNX


def unsafe_calls(text: str) -> list[str]:
    """Return what of a module's text is unsafe, with its line."""
    tree = ast.parse(text)
    names = _imported(tree)
    found = [f"line {line}: import {name}" for name, line in _imports(tree) if name.split(".")[0] in MODULES]
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    found += [f"line {call.lineno}: {fault}" for call in calls if (fault := _fault(call, names))]
    return found


def _imports(tree: ast.Module) -> list[tuple[str, int]]:
    plain = [(a.name, n.lineno) for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    return plain + [(n.module or "", n.lineno) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]


def _imported(tree: ast.Module) -> dict[str, str]:
    """Name in the module -> where it comes from."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
    return names


def _fault(call: ast.Call, names: dict[str, str]) -> str | None:
    written = ast.unparse(call.func)
    first, _, rest = written.partition(".")
    full = names.get(first, first) + (f".{rest}" if rest else "")
    truths = {word.arg for word in call.keywords if getattr(word.value, "value", None) is True}
    wrong = {word.arg for word in call.keywords if getattr(word.value, "value", None) is False}
    if full in CALLS:
        return full
    if full.rpartition(".")[2] in METHODS and not full.startswith(OURS):
        return full
    if truths & {"allow_pickle", "shell"} or "safe_mode" in wrong:
        return f"{full} with {ast.unparse(call)[-60:]}"
    return None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_a_module_is_safe(path):
    assert unsafe_calls(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "import torch",
        "eval('1')",
        "import yaml\nyaml.load(x)",
        "from yaml import load\nload(x)",
        "import numpy as np\nnp.load(x, allow_pickle=True)",
        "import subprocess\nsubprocess.run(x, shell=True)",
        "import keras\nkeras.models.load_model(x)",
        "from keras.models import load_model\nload_model(x)",
        "import pandas as pd\npd.read_pickle(x)",
        "import os\nos.system(x)",
        "f(safe_mode=False)",
    ],
)
def test_what_is_unsafe_is_found(text):
    assert len(unsafe_calls(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import pickletools",
        "np.load(x)",
        "from roadlift.model import load_model\nload_model(x)",
        "re.compile(x)",
    ],
)
def test_what_is_safe_is_not(text):
    assert unsafe_calls(text) == []
