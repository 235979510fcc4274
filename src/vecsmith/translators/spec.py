"""Translator specs: parsing, registration and loading."""

import importlib
import pkgutil
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from vecsmith.errors import VecsmithError, unknown
from vecsmith.manifests import is_of_kind, read_manifest
from vecsmith.plugins import load_entry_points
from vecsmith.translators.base import FORMAT_VERSION, KIND, TRANSLATORS, Translator

# importing a module registers its translators
for _module in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _module.name != "spec":
        importlib.import_module(f"vecsmith.translators.{_module.name}")


def translator(spec: str, seed: int = 0) -> Translator:
    """Return an unfitted translator for a spec such as ``"linear"`` or ``"mlp1x8:cosine"``.

    Parameters
    ----------
    spec : str
        One of `TRANSLATORS`, with parameters.
    seed : int
        Seed of `Translator.fit`.

    Raises
    ------
    VecsmithError
        If there is no such translator; the message suggests the most similar name.
    """
    load_entry_points("vecsmith.translators")
    for method in TRANSLATORS.values():
        if match := re.fullmatch(method.pattern, spec):
            given = {name: text for name, text in match.groupdict().items() if text is not None}
            made = method(**{name: int(text) if text.isdigit() else text for name, text in given.items()})
            made.spec, made.seed = spec, seed
            return made
    raise unknown("translator", spec, TRANSLATORS)


def is_translator(path: str | Path) -> bool:
    """Whether the ``config.json`` of a folder is that of a translator."""
    return is_of_kind(Path(path) / "config.json", KIND)


def load_translator(path: str | Path) -> Translator:
    """Load a translator that `Translator.save` wrote; no code in the files is executed.

    Raises
    ------
    VecsmithError
        If the folder contains no translator, is damaged, or has a newer format version.
    """
    folder = Path(path)
    config = read_manifest(folder / "config.json", KIND, FORMAT_VERSION)
    try:
        return translator(config["spec"], config["seed"]).restore(config, load_file(folder / "weights.safetensors"))
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise VecsmithError(f"{folder} is not a valid translator ({error}); save it again.") from error
