"""Files and folders that are whole or not there."""

import signal
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecsmith import files
from vecsmith.arrays import write_npy
from vecsmith.errors import VecsmithError
from vecsmith.files import replacing, replacing_folder

KILLED = """
import os, signal
from pathlib import Path
from vecsmith import files
with files.{name}(Path({path!r})) as beside:
    (beside / "inside" if beside.is_dir() else beside).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=[replacing, replacing_folder])
def write(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(files, "ABANDONED_SECONDS", 0.0)
    return request.param


def fill(writing: AbstractContextManager[Path], text: str) -> None:
    with writing as beside:
        (beside / "inside" if beside.is_dir() else beside).write_text(text)


def read(path: Path) -> str:
    return (path / "inside" if path.is_dir() else path).read_text()


def test_what_a_killed_process_left_is_removed_by_the_next_one(write: Any, tmp_path: Path) -> None:
    path = tmp_path / "some[thing]"
    fill(write(path), "old")
    fill(write(tmp_path / "other"), "other")
    for target in (path, tmp_path / "other"):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED.format(name=write.__name__, path=str(target))], check=False
        )
        assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 4
    assert read(path) == "old"
    fill(write(path), "new")
    assert read(path) == "new"
    # what another name left is not its business
    assert len([left for left in tmp_path.iterdir() if left.name.startswith(".other.")]) == 1
    assert len(list(tmp_path.iterdir())) == 3


def test_what_another_is_writing_stays(write: Any, tmp_path: Path) -> None:
    path, begun, go_on = tmp_path / "thing", threading.Event(), threading.Event()

    def slow() -> None:
        with write(path) as beside:
            (beside / "inside" if beside.is_dir() else beside).write_text("slow")
            begun.set()
            go_on.wait(60)

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(60)
    fill(write(path), "quick")
    assert read(path) == "quick"
    go_on.set()
    thread.join()
    assert read(path) == "slow"
    assert [left.name for left in tmp_path.iterdir()] == ["thing"]


def test_a_block_that_fails_leaves_nothing(write: Any, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    fill(write(path), "old")
    with pytest.raises(ZeroDivisionError), write(path):
        raise ZeroDivisionError
    assert read(path) == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["thing"]


@pytest.mark.parametrize("given", [0, 2, 4])
def test_a_file_of_fewer_or_more_rows_than_announced_is_refused(given: int, tmp_path: Path) -> None:
    with pytest.raises(VecsmithError, match=rf"should have 3 rows, but {given} were given"):
        write_npy(tmp_path / "codes.npy", 3, [np.ones((given, 2), np.uint8)] if given else [])
