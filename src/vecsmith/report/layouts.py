"""Layouts of vectors in the plane, as places with integer coordinates."""

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.errors import require, unknown

METHODS = ("pca", "umap")
LARGEST = 9999
"""Largest coordinate of a place."""

Place = tuple[int, int]


def check_map_method(method: str) -> None:
    """Check the name of a layout, and that its package is installed.

    Raises
    ------
    VecsmithError
        If the layout is unknown, or umap-learn is missing.
    """
    if method not in METHODS:
        raise unknown("map", method, METHODS)
    if method == "umap":
        require("umap", "report")


def layout(method: str, X: Floats, others: Floats, seed: int) -> tuple[list[Place], list[Place]]:
    """Return the places of unit vectors, and of other unit vectors of the same space.

    Parameters
    ----------
    method : {"pca", "umap"}
        ``pca``: the first two principal components of `X`. ``umap``: a UMAP layout of all vectors (McInnes, Healy and
        Melville 2018).
    X, others : ndarray of shape (n, d) and (m, d), float32
        The vectors.
    seed : int
        Seed of UMAP.

    Returns
    -------
    places, other_places : list of (int, int)
        Coordinates from 0 to 9,999; the aspect ratio of the layout is kept.

    Raises
    ------
    VecsmithError
        If umap-learn is not installed.
    """
    coordinates = _umap(X, others, seed) if method == "umap" else _principal_components(X, others)
    low, size = coordinates.min(axis=0), float(np.ptp(coordinates, axis=0).max()) or 1.0
    scaled = np.rint((coordinates - low) / size * LARGEST).astype(int)
    places = [(int(x), int(y)) for x, y in scaled]
    return places[: len(X)], places[len(X) :]


def _principal_components(X: Floats, others: Floats) -> Floats:
    mean = X.mean(axis=0)
    axes = np.linalg.eigh((X - mean).T @ (X - mean))[1][:, :-3:-1]
    # the sign of an eigenvector is arbitrary
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    return np.asarray((np.vstack([X, others]) - mean) @ axes)


def _umap(X: Floats, others: Floats, seed: int) -> Floats:
    umap = require("umap", "report")
    fitted = umap.UMAP(metric="cosine", random_state=seed, n_jobs=1).fit_transform(np.vstack([X, others]))
    return np.asarray(fitted)
