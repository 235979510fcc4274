"""Outputs: permissions, links and concurrent writers."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

import vecsmith
from vecsmith import VecsmithError
from vecsmith.outputs import check_file, only_writer, output_file, reserved


@pytest.fixture
def fitted() -> vecsmith.Codec:
    return vecsmith.codec("int8").fit(np.random.default_rng(0).standard_normal((2000, 8)))


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_of_a_codec_have_the_permissions_of_the_umask(
    umask: int, mode: int, fitted: vecsmith.Codec, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        fitted.save(tmp_path / "codec")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "codec").iterdir()}
    assert modes == {"config.json": mode, "weights.safetensors": mode}


def test_a_link_is_followed_and_stays(fitted: vecsmith.Codec, tmp_path: Path) -> None:
    link = tmp_path / "link"
    (tmp_path / "folder").mkdir()
    link.symlink_to("folder")
    for _ in range(2):
        fitted.save(link)
        assert link.is_symlink()
        assert vecsmith.load_codec(tmp_path / "folder").spec == "int8"


def test_a_link_to_nothing_is_refused(fitted: vecsmith.Codec, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("missing")
    sentence = re.escape(f"{link} is a link to missing, which does not exist; create it, or remove the link.")
    for path in (link, link / "inside"):
        with pytest.raises(VecsmithError, match=sentence):
            fitted.save(path)
    with pytest.raises(VecsmithError, match=sentence):
        check_file(link)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link"]


def test_of_two_writers_of_a_folder_the_first_to_end_wins(fitted: vecsmith.Codec, tmp_path: Path) -> None:
    from vecsmith.codecs.codec import KIND
    from vecsmith.outputs import output_folder

    out = tmp_path / "codec"
    for _ in range(2):  # a new folder, and one that is replaced
        with (
            pytest.raises(VecsmithError, match=r"codec was replaced by another writer in the meantime"),
            output_folder(out, KIND) as staging,
        ):
            (staging / "config.json").write_text("half")
            fitted.save(out)
        assert vecsmith.load_codec(out).spec == "int8"
        assert [path.name for path in tmp_path.iterdir()] == ["codec"]


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    with (
        only_writer(folder),
        pytest.raises(VecsmithError, match=r"Another process writes to .*set; wait for it"),
        only_writer(folder),
    ):
        raise AssertionError
    assert not folder.exists()


def test_a_reserved_output_is_refused_to_others_and_leaves_nothing(tmp_path: Path) -> None:
    with reserved(tmp_path / "out"):
        with (
            pytest.raises(VecsmithError, match=r"Another process writes to .*out; wait for it"),
            reserved(tmp_path / "out"),
        ):
            pytest.fail("it is held")
        with reserved(tmp_path / "other"):
            pass
    with reserved(tmp_path / "out"):
        pass
    with reserved(tmp_path / "missing" / "out"):
        pass
    assert not list(tmp_path.iterdir())


def test_of_two_writers_of_a_file_the_first_to_end_wins(tmp_path: Path) -> None:
    with (
        pytest.raises(VecsmithError, match="was replaced by another writer in the meantime"),
        output_file(tmp_path / "x.npy", {}) as slower,
    ):
        slower.write_text("slower")
        with output_file(tmp_path / "x.npy", {}) as faster:
            faster.write_text("faster")
    assert (tmp_path / "x.npy").read_text() == "faster"
    with output_file(tmp_path / "x.npy", {}) as later:
        later.write_text("later")
    assert (tmp_path / "x.npy").read_text() == "later"
