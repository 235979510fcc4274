"""Checkpoints on disk, from which an interrupted training resumes."""

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
from vecsmith.files import cache_folder, fingerprint, replacing_folder
from vecsmith.manifests import read_manifest, write_manifest

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

FORMAT_VERSION = 1
KIND = "training"
MANIFEST, TENSORS = "state.json", "tensors.safetensors"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Progress:
    """Progress of a training at its last check.

    Attributes
    ----------
    step : int
        Number of steps done.
    loss, lowest : float
        The last validation loss, and the lowest one.
    checks_without_improvement : int
        Number of checks since the lowest.
    """

    step: int
    loss: float
    lowest: float
    checks_without_improvement: int = 0

    def checked(self, step: int, loss: float) -> "Progress":
        """Return the progress after a check of the validation loss at `step`."""
        if loss < self.lowest:
            return Progress(step, loss, loss)
        return Progress(step, loss, self.lowest, self.checks_without_improvement + 1)


class Checkpoint:
    """A cache folder with the parameters, optimizer state and random generator of a training.

    The name of the folder is a hash of everything that the training depends on, so only the same training resumes.

    Parameters
    ----------
    rng : Generator
        The random generator that the training draws from.
    arrays : iterable of ndarray
        The initial parameters and the data.
    settings : object
        Everything else, JSON-serializable. The versions of vecsmith, NumPy and torch are added.
    """

    def __init__(self, rng: np.random.Generator, arrays: Iterable[NDArray[Any]], settings: object) -> None:
        hashes = [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
        versions = [version(name) for name in ("vecsmith", "numpy", "torch")]
        self.folder = cache_folder() / "training" / fingerprint([hashes, settings, versions])
        self.rng = rng

    def save(self, optimizer: "Optimizer", best: Mapping[str, Floats], progress: Progress) -> None:
        """Write the checkpoint atomically."""
        arrays = {f"best.{name}": array for name, array in best.items()}
        for number, tensor in enumerate(_trained(optimizer)):
            arrays[f"parameter.{number}"] = tensor.detach().numpy()
            for name, moment in optimizer.state[tensor].items():
                arrays[f"optimizer.{number}.{name}"] = moment.numpy()
        content = {"reached": asdict(progress), "generator": self.rng.bit_generator.state}
        # the training goes on if a checkpoint cannot be written, for example on a full disk
        with suppress(OSError), replacing_folder(self.folder) as beside:
            (beside / TENSORS).write_bytes(save(arrays))
            write_manifest(beside / MANIFEST, KIND, FORMAT_VERSION, content, [TENSORS])

    def restore(self, optimizer: "Optimizer") -> tuple[dict[str, Floats], Progress] | None:
        """Restore parameters, optimizer state and random generator; return the best parameters and the progress.

        Without a checkpoint, or with a damaged one, nothing changes and None is returned.
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
            moments = {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}
            state[number] = {name: torch.from_numpy(array) for name, array in moments.items()}
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        self.rng.bit_generator.state = content["generator"]
        best = {name.removeprefix("best."): array for name, array in arrays.items() if name.startswith("best.")}
        return best, Progress(**content["reached"])

    def remove(self) -> None:
        """Remove the checkpoint."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _trained(optimizer: "Optimizer") -> list["Tensor"]:
    """Return the tensors that an optimizer updates, in the order in which it numbers them."""
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]
