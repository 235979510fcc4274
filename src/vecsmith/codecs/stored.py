"""Codecs read back from their folders."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from vecsmith.codecs.base import Stage
from vecsmith.codecs.codec import FORMAT_VERSION, KIND, Codec
from vecsmith.codecs.fuse import Fuse
from vecsmith.errors import VecsmithError
from vecsmith.files import read_manifest


def is_codec(spec: str | Path) -> bool:
    """Whether a spec is the folder of a fitted codec."""
    return (Path(spec) / "config.json").is_file()


def load_codec(path: str | Path) -> Codec:
    """Load a codec that `Codec.save` wrote; no code in the files is executed.

    Raises
    ------
    VecsmithError
        If the folder holds no codec, is damaged, or comes from a newer version of the format.
    """
    folder = Path(path)
    config = read_manifest(folder / "config.json", KIND, FORMAT_VERSION)
    try:
        codec = Codec(config["spec"], config["seed"])
        codec.blocks = {str(name): int(width) for name, width in config.get("blocks", {}).items()}
        if isinstance(codec.stages[0], Fuse):
            codec.stages[0].take(codec.blocks)
        weights = load_file(folder / "weights.safetensors")
        for position, (stage, d) in enumerate(zip(codec.stages, config["input_dimensions"], strict=True)):
            stage.input_dimensions_ = d
            for name, shape in stage.state.items():
                setattr(stage, name, _checked(weights[f"{position}.{name}"], shape, stage))
        return codec
    except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise VecsmithError(f"{folder} is not a valid codec ({error}); save it again.") from error


def _checked(array: NDArray[Any], shape: tuple[str, ...], stage: Stage) -> NDArray[Any]:
    sizes = {"d": stage.input_dimensions_, "k": stage.output_dimensions}
    if array.ndim != len(shape) or any(
        sizes.get(name, size) != size for name, size in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"{stage.usage} has weights of shape {array.shape} where {shape} belongs")
    return array
