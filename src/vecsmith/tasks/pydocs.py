"""The built-in task: find the body of a docstring by its summary.

The docstrings are read from the source files of the installed standard library, NumPy and SciPy, which are not
imported. The task is small technical English and needs no download. It is not a public benchmark, because its texts
change with the versions of the packages.
"""

import ast
import hashlib
import inspect
import json
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from vecsmith.errors import VecsmithError
from vecsmith.files import cache_folder, fingerprint, sha256_of, write_text
from vecsmith.plugins import Loader
from vecsmith.tasks.base import TASKS, Task, Texts

PACKAGES = ("numpy", "scipy")
"""Packages that are read in addition to the standard library."""

SPLITS = ("train", "train", "train", "dev", "test")
"""The hash of a document's id selects the split of its query from this list."""

# tests, vendored code, and tables that only look like documentation
SKIPPED = {
    *("test", "tests", "conftest"),
    *("_vendor", "_vendored", "vendored", "_external", "externals", "_lib"),
    *("encodings", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "turtledemo"),
}

MIN_SUMMARY_WORDS, MAX_SUMMARY_WORDS, MIN_BODY_WORDS = 3, 40, 8
"""Limits of the number of words of a query (summary) and of a document (body)."""

# a doctest and its output; a version note with its indented lines; the name of another directive; an underline
_NOISE = re.compile(
    r"^[ \t]*>>>.*(?:\n.*\S.*)*"
    r"|^([ \t]*)\.\. +(?:version\w+|deprecated):+.*(?:\n\1[ \t]+\S.*)*"
    r"|^[ \t]*\.\. +[\w-]+::"
    r"|^[^\w\n]+$"
    r"|%\(\w+\)s",
    re.MULTILINE,
)
_ROLE = re.compile(r":[\w:]+:`[~!]?([^`]+)`|`")
_FIELD = re.compile(r"^[ \t]*[:@](?:param|type|returns?|rtype|raises)\b:?", re.MULTILINE)
# a signature, a grammar rule or a single word before the summary
_USAGE = re.compile(r"(?:.* = )?[\w.]+\([^()]*\)(?: *[-=]+> .*| \[.*)?\n|\S+ = .*\n|\S+\n")
_SENTENCE_END = re.compile(r"(?<=[\w)\]'\"]{2}[.!?])\s+(?=[A-Z'\"(*])|(?<=\w:)\n")
_NO_SENTENCE = re.compile(r"[^\w'\"(]|\W{2}|_|\w+ ?: |\d+\. |Copyright ")
_WORD = re.compile(r"[^\W\d_]{2,}")


def load_pydocs(packages: Sequence[str] = ()) -> Task:
    """Build the built-in task.

    A query is the summary of a docstring. Its relevant document is the rest of the docstring, without doctests and
    markup. A docstring is left out if its summary or body is missing, is not a sentence or occurs twice, or if the body
    repeats the summary. Every split searches the whole corpus.

    Parameters
    ----------
    packages : sequence of str, optional
        Further installed packages to read, by import name or distribution name, such as ``"sklearn"``.

    Returns
    -------
    Task
        The task, with the splits ``"train"`` (60 %), ``"dev"`` and ``"test"`` (20 % each), chosen by a hash of the
        document's id. The id is the qualified name of the documented object; the id of its query ends in ``:summary``.

    Raises
    ------
    VecsmithError
        If a package is not installed as Python source.
    """
    providers = packages_distributions()
    sources = {name: _find(name, providers) for name in (*PACKAGES, *packages)}
    files = list(_files("", Path(sysconfig.get_path("stdlib"))))
    for module, path, _ in sources.values():
        files += _files(module, path)
    pairs = _read(sorted(files))
    name = ":".join(["pydocs", *filter(None, [",".join(packages)])])
    qrels: dict[str, dict[str, dict[str, int]]] = {split: {} for split in SPLITS}
    for id_ in pairs:
        qrels[_split(id_)][f"{id_}:summary"] = {id_: 1}
    return Task(
        name=name,
        corpus=Texts(list(pairs), [body for _, body in pairs.values()], f"the corpus of {name}"),
        queries=Texts([f"{id_}:summary" for id_ in pairs], [text for text, _ in pairs.values()], f"queries of {name}"),
        qrels=qrels,
        provenance={"python": platform.python_version(), **{package: found[2] for package, found in sources.items()}},
    )


def _find(name: str, providers: Mapping[str, list[str]]) -> tuple[str, Path, str]:
    """Return the module, the folder or file, and the version of an installed package."""
    module = name if name in providers else next((key for key, value in providers.items() if name in value), "")
    spec = find_spec(module) if module else None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise VecsmithError(
            f"pydocs cannot find Python source of the package {name!r}; install it with pip, or leave it out."
        )
    path = Path(spec.origin)
    return module, path.parent if path.stem == "__init__" else path, version(providers[module][0])


def _files(module: str, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules below a folder, or the one in a file, with their paths."""
    if path.is_dir():
        for entry in path.iterdir():
            if entry.stem.isidentifier() and entry.stem not in SKIPPED:
                inside = module if entry.name == "__init__.py" else f"{module}.{entry.stem}".lstrip(".")
                yield from _files(inside, entry)
    elif path.suffix == ".py":
        yield module, path


def _read(files: list[tuple[str, Path]]) -> dict[str, tuple[str, str]]:
    """Return the pairs of summary and body in the files, from the cache unless this code or a file has changed."""
    stats = [(module, path.stat().st_size, path.stat().st_mtime_ns) for module, path in files]
    key = fingerprint([sha256_of(Path(__file__)), platform.python_version(), stats])
    cached = cache_folder() / "pydocs" / f"{key}.json"
    with suppress(OSError, ValueError):
        return {name: (summary, body) for name, (summary, body) in json.loads(cached.read_bytes()).items()}
    pairs = _pairs(docstring for module, path in files for docstring in _docstrings(module, path))
    with suppress(OSError):  # the cache only saves time
        write_text(cached, json.dumps(pairs))
    return pairs


def _docstrings(module: str, path: Path) -> Iterator[tuple[str, str]]:
    """Yield the docstrings in a file, each with the qualified name of the documented object."""
    with warnings.catch_warnings(action="ignore"):  # of the parsed source
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # a template, or syntax of another Python version
            return
    yield from _documented(tree, module)


def _documented(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> Iterator[tuple[str, str]]:
    docstring = ast.get_docstring(node)
    if docstring:
        yield name, docstring
    yield from _members(node, name)


def _members(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _documented(child, f"{name}.{child.name}")
            case ast.If() | ast.Try() | ast.With():
                yield from _members(child, name)
            case ast.Expr(value=ast.Call(func=ast.Name(id="add_newdoc"), args=args)):
                yield from _added(args, name)


def _added(args: list[ast.expr], module: str) -> Iterator[tuple[str, str]]:
    """Yield a docstring that NumPy or SciPy adds to a C function by ``add_newdoc(*names, docstring)``."""
    if all(isinstance(arg, ast.Constant | ast.Tuple) for arg in args):
        *names, docstring = (
            str(part.value) for arg in args for part in ast.walk(arg) if isinstance(part, ast.Constant)
        )
        name = ".".join(names)
        yield name if name.startswith("numpy.") else f"{module}.{name}", inspect.cleandoc(docstring)


def _pairs(docstrings: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Return summary and body by qualified name, without docstrings that are unsuitable as query or document."""
    pairs: dict[str, tuple[str, str]] = {}
    seen: set[str] = set()
    for name, docstring in docstrings:
        summary, body = _summary_and_body(docstring)
        repeated = summary.lower().rstrip(".:!?") in body.lower()
        keys = {name, f"summary {summary.lower()}", f"body {body.lower()}"}
        if _is_query(summary) and _words(body) >= MIN_BODY_WORDS and not repeated and not keys & seen:
            pairs[name] = summary, body
        seen |= keys
    return pairs


def _summary_and_body(docstring: str) -> tuple[str, str]:
    docstring = docstring.encode(errors="ignore").decode()  # removes lone surrogates such as "\\ud800"
    text = _ROLE.sub(r"\1", _NOISE.sub("", _FIELD.sub("", docstring))).lstrip() + "\n"
    while usage := _USAGE.match(text):
        text = text[usage.end() :].lstrip()
    first, _, rest = text.partition("\n\n")
    summary, *more = _SENTENCE_END.split(first, maxsplit=1)
    return " ".join(summary.split()), " ".join(" ".join([*more, rest]).split())


def _words(text: str) -> int:
    return len(_WORD.findall(text))


def _is_query(summary: str) -> bool:
    return (
        MIN_SUMMARY_WORDS <= _words(summary)
        and len(summary.split()) <= MAX_SUMMARY_WORDS
        and not _NO_SENTENCE.match(summary)
    )


def _split(id_: str) -> str:
    return SPLITS[int(hashlib.sha256(id_.encode()).hexdigest(), 16) % len(SPLITS)]


TASKS["pydocs"] = Loader(
    "pydocs[:PACKAGE,…]",
    "built in: find the docstring that a summary belongs to, in the standard library, NumPy and SciPy",
    lambda packages: load_pydocs([name for name in packages.split(",") if name]),
)
