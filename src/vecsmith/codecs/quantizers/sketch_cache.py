"""Cache of sketches: a file per index, so that the next process need not compute them."""

from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from vecsmith.array_types import Codes
from vecsmith.codecs.quantizers.hybrid import Hybrid
from vecsmith.files import cache_folder, fingerprint, replacing

CODES = "codes"


def cache_file(content_hash: str, spec: str, size: int) -> Path:
    """Return the file of the sketches of `size` bytes of codes by the quantizer `spec`.

    The hash identifies the codes and their codec.
    """
    return cache_folder() / "sketches" / f"{fingerprint([content_hash, spec, size])}.safetensors"


def write_sketches(path: Path, sketch: Hybrid, codes: Codes) -> None:
    """Write sketches (n, size) and their quantizer. A cache that cannot be written is no error."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            save_file({CODES: codes, **sketch.arrays()}, temporary)


def read_sketches(path: Path, count: int, size: int, dimensions: int) -> tuple[Hybrid, Codes] | None:
    """Return the quantizer of `dimensions` dimensions and the sketches (count, size); None without a valid file."""
    try:
        arrays = load_file(path)
        codes, sketch = arrays[CODES], Hybrid(size)
        sketch.restore(arrays, dimensions)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return (sketch, codes) if codes.shape == (count, size) else None
