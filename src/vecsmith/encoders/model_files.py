"""Files of a model of the sentence-transformers library: their folder, and their fixed revision."""

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError, require
from vecsmith.files import fingerprint, sha256_of

CONFIG_FILES = ["modules.json", "config.json", "config_sentence_transformers.json", "*/config.json"]
LOADING_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError, SyntaxError)
"""Errors that incomplete files and a model's own code raise."""


class ModelFiles:
    """The files of a model on the Hugging Face hub or in a folder, of which only small ones are read.

    Parameters
    ----------
    name : str
        A name on the hub, or a folder.
    organization : str
        Organization on the hub of a name without one.

    Attributes
    ----------
    name : str
        The folder, or the name on the hub with its organization.
    """

    def __init__(self, name: str, organization: str) -> None:
        self._is_on_hub = not Path(name).is_dir()
        self.name = f"{organization}/{name}" if self._is_on_hub and "/" not in name else name

    @cached_property
    def revision(self) -> str:
        """The commit on the hub, or a hash of the files of a folder."""
        if self._is_on_hub:
            return self._folder.name  # …/snapshots/COMMIT
        files = sorted(file.relative_to(self._folder).as_posix() for file in self._folder.rglob("*") if file.is_file())
        return fingerprint([[file, sha256_of(self._folder / file)] for file in files if not _is_hidden(file)])

    @property
    def hub_revision(self) -> str | None:
        """The commit to load from the hub; None for a folder."""
        return self.revision if self._is_on_hub else None

    def read(self, name: str) -> Any:
        """Return the content of a JSON file; an empty dictionary if it is missing.

        Raises
        ------
        VecsmithError
            If the file is not JSON, or there is no such model.
        """
        path = self._folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise VecsmithError(f"{path} is not JSON ({error}); download the model again.") from error

    @cached_property
    def _folder(self) -> Path:
        """Folder with the model's configuration; in the cache of the hub it may lack the weights."""
        folder = self._snapshot() if self._is_on_hub else Path(self.name)
        if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
            raise VecsmithError(f"{self.name} is not a model: it has neither a modules.json nor a config.json.")
        return folder

    def _snapshot(self) -> Path:
        hub = require("huggingface_hub", "models")
        try:
            cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
            return Path(hub.snapshot_download(self.name, cache_dir=cache, allow_patterns=CONFIG_FILES))
        except (OSError, ValueError) as error:
            raise VecsmithError(
                f"The model {self.name} is not a local folder and cannot be loaded from the Hugging Face hub "
                f"({first_line(error)}); check the name and the network, or give a local folder."
            ) from error


def first_line(error: Exception) -> str:
    """Return the first line of the message of an exception, or the name of its class."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
