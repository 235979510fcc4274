"""Versions of the code and of the packages that a measurement depends on."""

import os
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import faiss

from vecsmith.files import fingerprint, sha256_of


@cache
def code_hash() -> str:
    """Return a hash of this package's source code, which may change without a new version number."""
    package = Path(__file__).parents[1]
    return fingerprint({str(path.relative_to(package)): sha256_of(path) for path in sorted(package.rglob("*.py"))})


def versions() -> dict[str, str]:
    """Return the versions of the packages that a measurement depends on, and the number of threads."""
    packages = package_versions(("vecsmith", "numpy", "faiss-cpu", "pytrec-eval-terrier"))
    threads = f"{faiss.omp_get_max_threads()} of {os.cpu_count()}"
    return {**packages, "python": platform.python_version(), "threads": threads}


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed packages."""
    return {name: version(name) for name in names}
