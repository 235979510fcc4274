"""Loading of saved codecs."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from vecsmith.codecs.codec import FORMAT_VERSION, KIND, Codec
from vecsmith.codecs.reducers.fuse import Fuse
from vecsmith.errors import VecsmithError
from vecsmith.manifests import read_manifest


def is_codec(spec: str | Path) -> bool:
    """Return whether `spec` is the folder of a saved codec."""
    return (Path(spec) / "config.json").is_file()


def load_codec(path: str | Path) -> Codec:
    """Load a codec saved by `Codec.save`, without executing code from its files.

    Raises
    ------
    VecsmithError
        If the folder holds no codec, is damaged, or has a newer format version.
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
            own = f"{position}."
            stage.restore({n.removeprefix(own): array for n, array in weights.items() if n.startswith(own)}, d)
        return codec
    except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise VecsmithError(f"{folder} is not a valid codec ({error}); save it again.") from error
