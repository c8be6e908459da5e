"""Examples are made once, read back bit for bit, and belong to their arguments."""

import functools

import numpy as np
import pytest

from tf_defocus.data import kept_examples


def make(index, scale, seed=0, photographs=()):
    rng = np.random.default_rng((seed, index))
    return {
        "sharp": rng.integers(0, 65536, (4, 5, 3)).astype(np.uint16),
        "coc": (scale * rng.standard_normal((4, 5, 1))).astype(np.float32),
        "camera": {"max_coc": rng.random(), "shot_noise": 1e-5},
    }


def test_a_kept_example_is_read_bit_for_bit_and_not_made_again(tmp_path):
    calls = []

    def counted(index):
        calls.append(index)
        return make(index, 2.0)

    first, again = (
        kept_examples.make_or_read(7, counted, tmp_path, "train") for _ in "ab"
    )
    assert calls == [7]
    assert first[0] == again[0] == "train_000007"
    assert first[1].keys() == again[1].keys()
    assert again[1]["scene_id"] == "train_000007"
    for name in ("sharp", "coc"):
        assert again[1][name].dtype == first[1][name].dtype
        np.testing.assert_array_equal(again[1][name], first[1][name])
    assert again[1]["camera"] == first[1]["camera"]


def test_no_file_is_half_of_an_example(tmp_path, monkeypatch):
    def full_disk(file, **arrays):
        file.write(b"PK half of it")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full_disk)
        with pytest.raises(OSError, match="no space"):
            kept_examples.make_or_read(
                0, functools.partial(make, scale=1.0), tmp_path, "train"
            )
    assert not list(tmp_path.glob("*.npz"))
    _, example = kept_examples.make_or_read(
        0, functools.partial(make, scale=1.0), tmp_path, "train"
    )
    np.testing.assert_array_equal(example["sharp"], make(0, 1.0)["sharp"])


def test_folders_follow_the_arguments_and_the_files_read(tmp_path):
    photograph = tmp_path / "a.png"
    photograph.write_bytes(b"123")
    base = tmp_path / "partial"

    def folder(**arguments):
        maker = functools.partial(make, photographs=[photograph], **arguments)
        return kept_examples.open_folder(base, "train", maker, [photograph])

    first = folder(scale=1.0)
    (first / "train_000000.npz").touch()
    other_split = base / "validation-0"
    other_split.mkdir()
    assert folder(scale=1.0) == first and (first / "train_000000.npz").exists()
    second = folder(scale=2.0)
    assert second != first and not first.exists() and other_split.exists()
    photograph.write_bytes(b"1234")
    assert folder(scale=2.0) != second


def test_progress_counts_what_is_there_whoever_made_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(kept_examples, "_POLL_SECONDS", 0.01)
    (tmp_path / "train-1").mkdir()
    (tmp_path / "train-1" / "train_000000.npz").touch()
    with kept_examples.shown_progress(tmp_path, 4, "render"):
        for index in (1, 2):
            (tmp_path / "train-1" / f"train_{index:06d}.npz").touch()
    shown = capsys.readouterr().err
    assert " 1/4 " in shown
    assert shown.rstrip().split("\r")[-1].startswith("render:  75%")
    assert kept_examples.count_kept(tmp_path) == 3
