"""Versions of the code and of the packages that a measurement depends on."""

import os
import platform
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import faiss

from vecsmith.files import fingerprint, sha256_of

PROCESSORS = Path("/proc/cpuinfo")
"""Linux's description of the processors, because `platform.processor` is empty there."""


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


@cache
def machine() -> str:
    """Return the processor and the operating system, such as ``AMD EPYC, Linux 6.1 x86_64``."""
    processor = platform.processor()
    with suppress(OSError):
        names = re.findall(r"^model name\s*:\s*(.+)$", PROCESSORS.read_text(encoding="utf-8"), re.MULTILINE)
        processor = names[0].strip() if names else processor
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{processor}, {system}" if processor else system
