"""Translator specs: parsing, registration and loading."""

import re
from pathlib import Path

from vecsmith.errors import VecsmithError, unknown
from vecsmith.fitted_files import CONFIG, read_fitted
from vecsmith.manifests import is_of_kind
from vecsmith.translators.base import FORMAT_VERSION, KIND, TRANSLATORS, Translator


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
    for method in TRANSLATORS.values():
        if match := re.fullmatch(method.pattern, spec):
            parameters = {name: text for name, text in match.groupdict().items() if text is not None}
            unfitted = method(**{name: int(text) if text.isdigit() else text for name, text in parameters.items()})
            unfitted.spec, unfitted.seed = spec, seed
            return unfitted
    raise unknown("translator", spec, TRANSLATORS)


def is_translator(path: str | Path) -> bool:
    """Return whether a folder has the ``config.json`` of a translator."""
    return is_of_kind(Path(path) / CONFIG, KIND)


def load_translator(path: str | Path) -> Translator:
    """Load a translator that `Translator.save` wrote; no code in the files is executed.

    Raises
    ------
    VecsmithError
        If the folder contains no translator, is damaged, or has a newer format version.
    """
    folder = Path(path)
    config, weights = read_fitted(folder, KIND, FORMAT_VERSION)
    try:
        return translator(config["spec"], config["seed"]).restore(config, weights)
    except (KeyError, TypeError, ValueError) as error:
        raise VecsmithError(f"{folder} is not a valid translator ({error}); save it again.") from error
