"""Use an installed vecsmith as a user does: `make wheel` runs this in an environment with nothing but the wheel."""

import subprocess
import sys
import tempfile
from importlib.metadata import files, version
from importlib.resources import files as resources
from pathlib import Path

import numpy as np

import vecsmith

DATA = ["py.typed", "codecs/quantizers/trellis_tables.safetensors"]
"""Files of the package that are not modules."""

assert Path(vecsmith.__file__).is_relative_to(sys.prefix), f"{vecsmith.__file__} is not the installed package"
assert vecsmith.__version__ == version("vecsmith")
for name in DATA:
    assert resources("vecsmith").joinpath(name).is_file(), f"the wheel lacks {name}"
packed = {path.parts[0] for path in files("vecsmith") or []}
assert packed <= {"vecsmith", f"vecsmith-{vecsmith.__version__}.dist-info", ".."}, f"the wheel also installs {packed}"

with tempfile.TemporaryDirectory() as folder:
    X = np.random.default_rng(0).standard_normal((2000, 64)).astype(np.float32)
    np.save(f"{folder}/corpus.npy", X)
    np.save(f"{folder}/queries.npy", X[:5])
    for command in (
        "fit auto --bytes 16 --vectors corpus.npy --out codec",
        "encode codec --vectors corpus.npy --out codes",
        "search codes --queries queries.npy -k 1 --json",
        "compare --task pydocs --encoder static --codec int8 --codec trellis32B --out results",
    ):
        subprocess.run(["vecsmith", *command.split()], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    index = vecsmith.Index.load(f"{folder}/codes")
    assert (index.search(X[:5], k=1)[1][:, 0] == np.arange(5)).all()
    assert (Path(folder) / "results" / "results.jsonl").stat().st_size
print(f"vecsmith {vecsmith.__version__} works from its wheel.")
