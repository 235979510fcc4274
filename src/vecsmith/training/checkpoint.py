"""The state of a training on disk, so that one that was killed goes on where it was."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from vecsmith.errors import VecsmithError, require
from vecsmith.files import cache_folder, fingerprint, read_manifest, replacing_folder, write_manifest

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

FORMAT_VERSION = 1
KIND = "training"
MANIFEST, TENSORS = "state.json", "tensors.safetensors"

Floats = NDArray[np.float32]


@dataclass
class Reached:
    """How far a training is.

    Attributes
    ----------
    step : int
        The next.
    loss, lowest : float
        On held-out vectors: the last, and that of the state kept.
    vain : int
        Checks since then.
    """

    step: int
    loss: float
    lowest: float
    vain: int = 0


class Checkpoint:
    """A folder in the cache, named by all that a training depends on, with its parameters, optimizer and generator.

    Parameters
    ----------
    rng : Generator
        The only one that the training draws from.
    arrays : iterable of ndarray
        The start, and the vectors.
    settings : object
        All else, JSON-serializable; versions are added.
    """

    def __init__(self, rng: np.random.Generator, arrays: Iterable[NDArray[Any]], settings: object) -> None:
        hashes = [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
        versions = [version(name) for name in ("vecsmith", "numpy", "torch")]
        self.folder = cache_folder() / "training" / fingerprint([hashes, settings, versions])
        self.rng = rng

    def save(self, optimizer: "Optimizer", best: Mapping[str, Floats], reached: Reached) -> None:
        """Write the state, in one step."""
        arrays = {f"best.{name}": array for name, array in best.items()}
        for number, tensor in enumerate(_trained(optimizer)):
            arrays[f"parameter.{number}"] = tensor.detach().numpy()
            for name, moment in optimizer.state[tensor].items():
                arrays[f"optimizer.{number}.{name}"] = moment.numpy()
        content = {"reached": asdict(reached), "generator": self.rng.bit_generator.state}
        # a training that cannot be saved, as on a full disk, is a training nevertheless
        with suppress(OSError), replacing_folder(self.folder) as beside:
            (beside / TENSORS).write_bytes(save(arrays))
            write_manifest(beside / MANIFEST, KIND, FORMAT_VERSION, content, [TENSORS])

    def restore(self, optimizer: "Optimizer") -> tuple[dict[str, Floats], Reached] | None:
        """Set parameters, optimizer and generator as they were saved, and return the best parameters and how far it is.

        Without a state, or with a damaged one, nothing changes and None is returned.
        """
        torch = require("torch", "train")
        try:
            content = read_manifest(self.folder / MANIFEST, KIND, FORMAT_VERSION)
            arrays = load((self.folder / TENSORS).read_bytes())
        except (VecsmithError, OSError):
            return None
        state: dict[int, dict[str, Tensor]] = {}
        for number, tensor in enumerate(_trained(optimizer)):
            tensor.data.copy_(torch.from_numpy(arrays[f"parameter.{number}"]))
            prefix = f"optimizer.{number}."
            found = {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}
            state[number] = {name: torch.from_numpy(array) for name, array in found.items()}
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        self.rng.bit_generator.state = content["generator"]
        best = {name.removeprefix("best."): array for name, array in arrays.items() if name.startswith("best.")}
        return best, Reached(**content["reached"])

    def remove(self) -> None:
        """Remove the state, of a training that ended."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _trained(optimizer: "Optimizer") -> list["Tensor"]:
    """Return what an optimizer changes, in the order in which it numbers it."""
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]
