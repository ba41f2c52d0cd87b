from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeling.errors import InputError
from tests.training.drawings import COLOURS, write_tar
from training.transfer.readers import images as module
from training.transfer.readers.classes import read_class_task


def jpeg(colour: str, size: tuple[int, int] = (20, 10)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(data, "JPEG")
    return data.getvalue()


def write_folders(path: Path, n_of: dict[str, int]) -> Path:
    """Write n images of the colour that each folder is named after."""
    for folder, n in n_of.items():
        (path / folder).mkdir(parents=True)
        for number in range(n):
            (path / folder / f"{number}.jpg").write_bytes(jpeg(Path(folder).name))
    return path


@pytest.mark.parametrize("test", ["test", "val", "validation", "valid"])
def test_folders_of_parts_and_classes(tmp_path: Path, test: str) -> None:
    write_folders(tmp_path, {"train/red": 3, "train/blue": 2, f"{test}/red": 1, f"{test}/blue": 2})
    task = read_class_task(tmp_path, 8)
    assert task.names == ("blue", "red")
    assert task.train.classes.tolist() == [0, 0, 1, 1, 1]
    assert task.test.classes.tolist() == [0, 0, 1]
    assert task.train.pixels.shape == (5, 8, 8, 3)
    for part in (task.train, task.test):
        means = part.pixels.double().mean((1, 2)).numpy()
        assert np.allclose(means, [COLOURS[task.names[c]] for c in part.classes], atol=4)
    assert not task.rejects


def test_the_part_named_test_counts_before_validation(tmp_path: Path) -> None:
    write_folders(tmp_path, {"train/red": 2, "train/blue": 2, "val/red": 5, "test/blue": 1})
    assert read_class_task(tmp_path, 8).test.classes.tolist() == [0]


def test_one_part_is_split_by_class_and_seed(tmp_path: Path) -> None:
    write_folders(tmp_path, {"red": 10, "blue": 5})
    for number, file in enumerate(sorted((tmp_path / "red").iterdir())):
        Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(file.with_suffix(".png"))
        file.unlink()
    first, again, other = (read_class_task(tmp_path, 8, seed) for seed in (0, 0, 2))
    assert first.test.classes.tolist() == [0, 1, 1]
    assert first.train.classes.tolist() == [0] * 4 + [1] * 8
    assert first.test.pixels.equal(again.test.pixels)
    assert not first.test.pixels.equal(other.test.pixels)
    reds = np.concatenate([p.pixels[p.classes == 1][:, 0, 0, 0] for p in (first.train, first.test)])
    assert sorted(reds.tolist()) == [20 * number for number in range(10)]


def test_tars_with_either_kind_of_label(tmp_path: Path) -> None:
    with_cls = {"a.jpg": jpeg("red"), "a.cls": b"red\n", "b.jpg": jpeg("blue"), "b.cls": b"blue"}
    with_json = {"x/c.jpg": jpeg("blue"), "x/c.json": json.dumps({"label": "blue"}).encode()}
    write_tar(tmp_path / "train-0.tar", with_cls)
    write_tar(tmp_path / "test-0.tar", {**with_json, "d.jpg": jpeg("red"), "e.cls": b"red"})
    task = read_class_task(tmp_path, 8)
    assert (task.names, task.train.classes.tolist()) == (("blue", "red"), [1, 0])
    assert task.test.classes.tolist() == [0]
    assert task.rejects == {"label missing": 1, "image missing": 1}


def test_one_tar_is_split(tmp_path: Path) -> None:
    members = {}
    for n in range(3):
        for colour in COLOURS:
            members[f"{colour}{n}.jpg"] = jpeg(colour)
            members[f"{colour}{n}.cls"] = colour.encode()
    task = read_class_task(write_tar(tmp_path / "all.tar", members), 8)
    assert (len(task.train.classes), sorted(task.test.classes.tolist())) == (6, [0, 1, 2])


def test_a_csv_names_images_labels_and_parts(tmp_path: Path) -> None:
    write_folders(tmp_path, {"red": 2, "blue": 2})
    rows = ["red/0.jpg,red,train", "blue/0.jpg,blue,train", "red/1.jpg,red,val"]
    rows += ["blue/9.jpg,blue,train", "blue/1.jpg,blue,later", "red/0.jpg", ",red,val"]
    (tmp_path / "task.csv").write_text("\n".join(["path,label,split", *rows]))
    task = read_class_task(tmp_path / "task.csv", 8)
    assert (task.train.classes.tolist(), task.test.classes.tolist()) == ([1, 0], [1])
    assert task.rejects == {"image missing": 2, "label missing": 1, "split unknown": 1}


def test_a_csv_leads_to_no_file_outside_of_its_folder(tmp_path: Path) -> None:
    write_folders(tmp_path / "task", {"red": 2, "blue": 2})
    (tmp_path / "x.jpg").write_bytes(jpeg("red"))
    inside = [f"{tmp_path}/task/red/0.jpg,red", "./red/1.jpg,red", "blue/0.jpg,blue"]
    outside = [f"{tmp_path}/x.jpg,red", "../x.jpg,red", "red/../../x.jpg,red"]
    rows = ["path,label", *inside, *outside, "blue/../blue/1.jpg,blue"]
    (tmp_path / "task" / "Task.CSV").write_text("\n".join(rows))
    task = read_class_task(tmp_path / "task" / "Task.CSV", 8)
    assert len(task.train.classes) + len(task.test.classes) == 4
    assert task.rejects == {"file name outside the task": 3}


def test_parts_in_capitals_and_copies_of_editors(tmp_path: Path) -> None:
    write_folders(tmp_path, {"Training/red": 2, "Training/blue": 2, "Test/red": 1, "Test/blue": 1})
    for folder in ("Training/.ipynb_checkpoints", "Training/red/.ipynb_checkpoints"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jpg").write_bytes(jpeg("red"))
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "Test/red/._0.jpg").write_bytes(b"finder")
    (tmp_path / "Test/red/0.bmp").write_bytes(b"BM")
    (tmp_path / "Test/red/folder.jpg").mkdir()
    task = read_class_task(tmp_path, 8)
    assert task.names == ("blue", "red")
    assert (len(task.train.classes), len(task.test.classes)) == (4, 2)
    assert task.rejects == {"file hidden": 3, "file of another kind": 1}


@pytest.mark.parametrize("folders", [("train", "holdout"), ("mine", "Validation")])
def test_one_part_without_the_other_is_refused(tmp_path: Path, folders: tuple[str, str]) -> None:
    write_folders(tmp_path, {f"{f}/{c}": 2 for f in folders for c in ("red", "blue")})
    with pytest.raises(InputError, match="one of two parts only") as error:
        read_class_task(tmp_path, 8)
    assert ", ".join(folders) in str(error.value) or ", ".join(folders[::-1]) in str(error.value)


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    write_folders(tmp_path / "drawn", {"red": 2, "blue": 2})
    (tmp_path / "drawn/red").rename(tmp_path / "drawn/train")
    assert read_class_task(tmp_path / "drawn", 8).names == ("blue", "train")


def labelled_members(n: int) -> dict[str, bytes]:
    colours = [*COLOURS][:2]
    return {
        f"{colour}/{number}.{kind}": data
        for number in range(n)
        for colour in colours
        for kind, data in (("jpg", jpeg(colour)), ("cls", colour.encode()))
    }


def test_folders_of_a_tar_keep_equal_names_apart(tmp_path: Path) -> None:
    odd = {
        "a.jpg": jpeg("red"),
        "a.cls": b"\xff",
        "b.jpg": jpeg("red"),
        "b.json": b"{",
        "c.jpg": jpeg("red"),
        "c.json": b'{"label": null}',
        "._red/0.jpg": b"finder",
        "red/._0.jpg": b"finder",
    }
    task = read_class_task(write_tar(tmp_path / "all.tar", labelled_members(3) | odd), 8)
    assert len(task.train.classes) + len(task.test.classes) == 6
    assert task.rejects == {"label missing": 3}


def test_a_tar_cut_between_members_and_two_in_one_are_refused(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "all.tar", labelled_members(3)).read_bytes()
    with tarfile.open(tmp_path / "all.tar") as tar:
        starts = [member.offset for member in tar]
    for content in (*(whole[:start] for start in starts[1:]), whole + whole):
        (tmp_path / "all.tar").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read") as error:
            read_class_task(tmp_path / "all.tar", 8)
        assert "all.tar" in str(error.value.facts["cause"])


def test_what_cannot_be_used_is_counted(tmp_path: Path, monkeypatch) -> None:
    write_folders(tmp_path, {"train/red": 2, "train/blue": 1, "test/red": 1, "test/green": 2})
    (tmp_path / "train/red/cut.jpg").write_bytes(jpeg("red")[:200])
    (tmp_path / "train/red/text.png").write_bytes(b"no image")
    (tmp_path / "train/blue/large.jpg").write_bytes(jpeg("blue", (40, 30)))
    monkeypatch.setattr(module, "MAX_PIXELS", 1000)
    task = read_class_task(tmp_path, 8)
    assert task.rejects == {"image unreadable": 3, "class not in the training images": 2}
    assert (len(task.train.classes), len(task.test.classes)) == (3, 1)


def test_more_than_fits_into_memory_is_refused(tmp_path: Path, monkeypatch) -> None:
    write_folders(tmp_path, {"red": 3, "blue": 2})
    monkeypatch.setattr(module, "MAX_TASK_BYTES", 4 * 8 * 8 * 3)
    with pytest.raises(InputError, match="memory") as error:
        read_class_task(tmp_path, 8)
    assert error.value.facts["most images"] == 4


@pytest.mark.parametrize(
    ("n_of", "message"),
    [
        ({"train/red": 2, "test/red": 1}, "fewer than two classes"),
        ({}, "fewer than two classes"),
        ({"train/red": 1, "train/blue": 1, "test/green": 1}, "no image to measure on"),
    ],
)
def test_a_task_that_cannot_be_measured_is_refused(tmp_path: Path, n_of, message: str) -> None:
    write_folders(tmp_path, n_of)
    with pytest.raises(InputError, match=message) as error:
        read_class_task(tmp_path, 8)
    assert error.value.help


@pytest.mark.parametrize("name", ["absent", "absent.csv", "cut.tar", "columns.csv"])
def test_a_task_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "cut.tar").write_bytes(b"no tar" * 200)
    (tmp_path / "columns.csv").write_text("image,label\na.jpg,red\n")
    with pytest.raises(InputError, match="cannot be read") as error:
        read_class_task(tmp_path / name, 8)
    assert error.value.facts["task"] == tmp_path / name
