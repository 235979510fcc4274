"""Commands that make and apply codecs."""

from pathlib import Path
from typing import Annotated

import typer

from vecsmith.cli.app import app, say


@app.command()
def fit(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="The codec, such as trellis48B.")],
    vectors: Annotated[
        Path, typer.Option(metavar="SET", help="An embedding set, or a file of vectors (.npy, .npz, .parquet).")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")],
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seeds everything random.")] = 0,
) -> None:
    """Fit a codec to vectors and save it.

    \b
    vecsmith fit trellis48B --vectors corpus.npy --out my-codec
    """
    from vecsmith.codecs import Codec
    from vecsmith.embeddings import EmbeddingSet, normalise, read_vectors

    codec = Codec(spec, seed)
    embedded = EmbeddingSet.open(vectors) if vectors.is_dir() else EmbeddingSet(*read_vectors(vectors))
    codec.fit(normalise(embedded.vectors)).save(out)
    say(f"Wrote {codec!r}, {codec.bytes_per_vector} bytes per vector, to {out}")
