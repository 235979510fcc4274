"""Files of the tuning of a model: the work folder of a training, and the folder of the tuned model."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint, remove
from vecsmith.manifests import is_of_kind, read_manifest, write_manifest
from vecsmith.outputs import follow, occupied, output_folder

KIND, WORK_KIND = "tuned model", "training of a model"
FORMAT_VERSION = 1
MANIFEST, LOG = "manifest.json", "training.jsonl"


class WorkFolder:
    """The folder ``OUT.training`` with the checkpoints and the log of a training, which an interrupted one resumes.

    A folder of another training, with other settings, is emptied.

    Parameters
    ----------
    out : Path
        Output folder of the model.
    settings : mapping of str to object
        Everything that the training depends on; JSON-serializable.

    Attributes
    ----------
    path : Path
        The folder.

    Raises
    ------
    VecsmithError
        If the folder has other content.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        out = follow(out).absolute()
        self.settings = dict(settings)
        self.path = out.with_name(f"{out.name}.training")
        manifest = self.path / MANIFEST
        if self.path.exists() and not is_of_kind(manifest, WORK_KIND):
            raise occupied(self.path)
        if self._started_with() != fingerprint(self.settings):
            remove(self.path)
            self.path.mkdir(parents=True)
            write_manifest(manifest, WORK_KIND, FORMAT_VERSION, {"settings": self.settings}, [])

    @property
    def model(self) -> Path:
        """Folder of the best model."""
        return self.path / "model"

    @property
    def log(self) -> Path:
        """Losses and checks, as JSON lines."""
        return self.path / LOG

    def _started_with(self) -> str:
        try:
            return fingerprint(read_manifest(self.path / MANIFEST, WORK_KIND, FORMAT_VERSION)["settings"])
        except VecsmithError:
            return ""

    def publish(self, out: Path, force: bool, about: Mapping[str, Any]) -> None:
        """Move the best model, with the log and a manifest, to its output folder, atomically.

        Parameters
        ----------
        out : Path
            The output folder.
        force : bool
            Replace the folder, whatever it contains.
        about : mapping
            Further entries of the manifest.

        Raises
        ------
        VecsmithError
            If the folder has other content.
        """
        with output_folder(out, KIND, force) as staging:
            shutil.copytree(self.model, staging, dirs_exist_ok=True)
            shutil.copyfile(self.log, staging / LOG)
            files = sorted(file.relative_to(staging).as_posix() for file in staging.rglob("*") if file.is_file())
            write_manifest(staging / MANIFEST, KIND, FORMAT_VERSION, {**about, "settings": self.settings}, files)

    def remove(self, keep_log: bool) -> None:
        """Remove the folder, or all of it but the log."""
        if not keep_log:
            remove(self.path)
            return
        for path in self.path.iterdir():
            if path.name not in (MANIFEST, LOG):
                remove(path)
