"""Imports run in one direction: folders import from folders to their left, and modules never in a circle."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import vecsmith

PACKAGE = Path(vecsmith.__file__).parent
FOLDERS = [
    "embeddings",
    "tasks",
    "encoders",
    "training",
    "codecs",
    "translators",
    "index",
    "stores",
    "retrievers",
    "evaluation",
    "advise",
    "tune",
    "distributed",
    "report",
    "studies",
    "integrations",
    "cli",
]
"""Folders from left to right. Modules in the root folder, such as ``files.py``, are to the left of all of them."""
ALLOWED: dict[tuple[str, str], str] = {}
"""Imports to the right, by importing and imported module, with the reason for each."""


@cache
def modules() -> dict[str, Path]:
    """Return the path of every module of the package, by its name."""
    names = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(["vecsmith", *(part for part in parts if part != "__init__")])] = path
    return names


def imports(path: Path, while_loading: bool = False) -> Iterator[str]:
    """Yield the modules of this package that a file imports, inside functions too.

    Parameters
    ----------
    path : Path
        The file.
    while_loading : bool
        Yield only imports that run while the module is loaded, without those of functions and for type checkers.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(_loaded_nodes(tree)) if while_loading else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "vecsmith")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vecsmith":
            assert node.module is not None
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules() else node.module


def _loaded_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _loaded_nodes(child)


def place(module: str) -> int:
    """Return the place of a module's folder in the order; −1 for modules in the root folder."""
    parts = module.split(".")
    return FOLDERS.index(parts[1]) if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else -1


def test_every_folder_has_a_place() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders <= set(FOLDERS)


def test_imports_run_from_left_to_right() -> None:
    # the package itself exports names of all folders
    wrong = {
        (name, imported)
        for name, path in modules().items()
        if name not in ("vecsmith", "vecsmith.__main__")
        for imported in imports(path)
        if place(imported) > place(name)
    }
    assert wrong == set(ALLOWED)


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {name: set(imports(path, while_loading=True)) - {name} for name, path in modules().items()}
    # raises CycleError, which names the modules of a circle
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)
