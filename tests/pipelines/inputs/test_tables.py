"""Tables as people have them, from the configuration to the signals."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curation.runs.stage import Stage, open_stage
from labeling.errors import ConfigError, InputError, QualityError
from labeling.keys import ids
from labeling.readers.table_files.tabular import kind_of
from labeling.schemas import IMAGES, REJECTS, SIGNALS
from pipelines.cli import main
from pipelines.inputs.tables import TableInput
from pipelines.run.config import read_config
from tests.pipelines.runfolders import only_signals

ROWS = "image,text\nhttps://a.org/{0}1.jpg,an apple\nhttps://a.org/{0}2.jpg,an apple\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels.jsonl").write_text('{"id": "apple", "names": ["apple"]}\n')
    (tmp_path / "texts").mkdir()
    for name in "abc":
        (tmp_path / "texts" / f"{name}.csv").write_text(ROWS.format(name))
    return tmp_path


def write_config(folder: Path, keys: str = 'path = "texts"', settings: str = "") -> Path:
    path = folder / "run.toml"
    path.write_text(f'[taxonomy]\npath = "labels.jsonl"\n[[signals]]\n{keys}\n{settings}')
    return path


def signals_of(config: Path) -> Stage:
    return only_signals(read_config(config), config.parent / "run")


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_the_endings_are_of_kinds_that_the_reader_knows() -> None:
    kinds = {kind_of(Path(f"x{ending}")) for ending in TableInput.suffixes}
    assert kinds == {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ('image = "i", text = "t", wieght = "w"', '(did you mean "weight"?)'),
        ('image = "i"', "the file's column for text is missing"),
        ('text = "t", image = 3', "string"),
    ],
)
def test_keys_of_columns_are_checked(folder: Path, columns: str, expected: str) -> None:
    config = write_config(folder, f'path = "texts"\ncolumns = {{ {columns} }}')
    with pytest.raises(ConfigError) as caught:
        read_config(config)
    assert expected in str(caught.value)
    assert "run.toml:5" in str(caught.value)


@pytest.mark.parametrize("path", ["texts/a.csv", "texts/../texts", "texts/*.csv", "linked"])
def test_a_file_in_two_sections_of_the_same_settings_is_read_once(folder: Path, path: str) -> None:
    (folder / "linked").symlink_to(folder / "texts")
    again = f'[[signals]]\npath = "{path}"\n'
    assert signals_of(write_config(folder, settings=again)).counts["signals"] == 6
    other = f'{again}source = "title"\n'
    n_more = 2 if path.endswith("a.csv") else 6
    assert signals_of(write_config(folder, settings=other)).counts["signals"] == 6 + n_more


def test_a_folder_of_many_kinds_is_read_and_the_rest_is_listed(folder: Path) -> None:
    texts = folder / "texts"
    (texts / "D.CSV.GZ").write_bytes(gzip.compress(ROWS.format("d").encode()))
    (texts / "e.tsv").write_text(ROWS.format("e").replace(",", "\t"))
    (texts / "f.ndjson").write_text('{"image": "https://a.org/f1.jpg", "text": "an apple"}\n')
    (texts / "g.csv").write_text(ROWS.format("g").replace(",", ";"))
    (texts / "h.csv").write_text(ROWS.format("h"), encoding="utf-16")
    for name in ("i.lz4", "j.lz4", "k.xlsx", "._a.csv"):
        (texts / name).write_bytes(b"x")
    config = write_config(folder)
    planned = command("plan", config)
    skipped = "skipped: 2 .lz4, 1 .xlsx, 1 hidden"
    assert skipped in planned.stdout
    labelled = command("label", config, "--out", folder / "run")
    assert labelled.exit_code == 0, labelled.stderr
    assert skipped in labelled.stderr
    assert "texts/g.csv: read as text with ';' between columns (guessed)" in labelled.stderr
    assert "texts/h.csv: read as text in utf-16 (guessed)" in labelled.stderr
    assert skipped in command("status", folder / "run").stdout
    signals = open_stage(folder / "run", "signals")
    assert len(signals.table(SIGNALS)) == 15
    assert sorted(signals.facts["guessed"]) == ["texts/g.csv", "texts/h.csv"]
    assert signals.counts["rejects"] == 0


def test_bad_rows_are_counted_where_people_look(folder: Path) -> None:
    (folder / "texts" / "b.csv").write_text("image,text\nx,y,z\n" + ROWS.format("b")[11:] * 10)
    config = write_config(folder)
    labelled = command("label", config, "--out", folder / "run")
    assert "rejects: 1 bad_row" in labelled.stderr
    assert "rejects: 1 bad_row" in command("status", folder / "run").stdout
    (reject,) = open_stage(folder / "run", "signals").table(REJECTS).to_pylist()
    assert reject == {"where": "texts/b.csv:2", "reason": "bad_row", "value": "x,y,z"}


def test_too_many_bad_rows_fail_the_run(folder: Path) -> None:
    (folder / "texts" / "b.csv").write_text("image,text\n" + "x,y,z\n" * 5)
    with pytest.raises(QualityError, match="5 of 9 input rows were rejected"):
        signals_of(write_config(folder))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.parquet", b"PAR1 not parquet"),
        ("d#1.parquet", b"PAR1 not parquet"),
        ("d.csv", b"<!DOCTYPE html>\n<p>Log in</p>\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_rejected_where_there_are_others(
    folder: Path, name: str, content: bytes
) -> None:
    (folder / "texts" / name).write_bytes(content)
    with pytest.raises(QualityError, match="1 of 4 input files are cut or damaged") as caught:
        signals_of(write_config(folder))
    settings = "[label]\nmax_cut_share = 0.5\nmax_reject_share = 0.5\n"
    assert caught.value.facts["first"] == f"texts/{name}"
    assert "cannot be read" in str(caught.value.facts["cause"])
    signals = signals_of(write_config(folder, settings=settings))
    assert len(signals.table(SIGNALS)) == 6
    assert (signals.counts["files"], signals.facts["cut_files"]) == (
        {"whole": 3, "cut": 1},
        [f"texts/{name}"],
    )
    with pytest.raises(InputError, match="the input file cannot be read") as refused:
        signals_of(write_config(folder, f'path = "texts/{name}"'))
    assert refused.value.exit_code == 3


def test_a_packed_table_that_is_cut_counts_as_a_cut_file(folder: Path) -> None:
    content = gzip.compress("".join(ROWS.format(n)[11:] for n in range(9_999)).encode())
    (folder / "texts" / "d.csv.gz").write_bytes(gzip.compress(b"image,text\n") + content[:-99])
    with pytest.raises(QualityError, match="1 of 4 input files are cut") as caught:
        signals_of(write_config(folder))
    assert caught.value.facts["first"] == "texts/d.csv.gz"


@pytest.mark.parametrize(
    ("path", "n_rows"),
    [('"texts/[ab].csv"', 4), ('["texts/a.csv", "texts/c.csv"]', 4), ('"**/*.csv"', 6)],
)
def test_patterns_and_lists_are_read(folder: Path, path: str, n_rows: int) -> None:
    config = write_config(folder, f"path = {path}")
    assert len(signals_of(config).table(SIGNALS)) == n_rows
    assert command("status", folder / "run").exit_code == 0
    shown = path.strip('"[]').replace('", "', ", ") if path[0] == "[" else path.strip('"')
    assert shown in command("plan", config, "--out", folder / "run").stdout


def test_images_by_a_template_and_by_absolute_paths(folder: Path) -> None:
    (folder / "images").mkdir()
    for name in "12":
        (folder / "images" / f"{name}.jpg").write_bytes(name.encode())
    rows = f"image,text\n1,an apple\n{folder}/images/2.jpg,an apple\n/etc/hostname,an apple\n"
    (folder / "t.csv").write_text(rows + "https://a.org/x,an apple\n../x,an apple\n")
    settings = "[label]\nmax_reject_share = 1\n"
    signals = signals_of(write_config(folder, 'path = "t.csv"', settings))
    located = {row["location"]: row["image_id"] for row in signals.table(IMAGES).to_pylist()}
    assert located["images/2.jpg"] == ids.digest(b"2")
    assert signals.counts["rejects_by_reason"] == {"image_missing": 3}
    keys = 'path = "t.csv"\nimage_path = "images/{image}.jpg"'
    signals = signals_of(write_config(folder, keys, settings))
    located = {row["location"]: row["image_id"] for row in signals.table(IMAGES).to_pylist()}
    assert located.keys() == {"images/1.jpg", "https://a.org/x"}
    assert located["images/1.jpg"] == ids.digest(b"1")


@pytest.mark.parametrize(
    "keys",
    [
        'image_path = "images/image.jpg"',
        'delimiter = ";;"',
        'delimiter = ""',
        "delimiter = '\"'",
        'encoding = "utf-99"',
        'encoding = "rot13"',
        'encoding = "base64"',
        'encoding = "idna"',
        'encoding = "undefined"',
    ],
)
def test_bad_keys_are_errors_of_the_configuration(folder: Path, keys: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.toml:5"):
        read_config(write_config(folder, f'path = "texts"\n{keys}'))


def test_keys_set_the_delimiter_and_the_encoding(folder: Path) -> None:
    text = "image:text\n1:an apple\n2:café\n"
    (folder / "t.csv").write_text(text, encoding="latin-1")
    keys = 'path = "t.csv"\ndelimiter = ":"\nencoding = "latin-1"\nimage_path = "https://a.org/{image}"'
    signals = signals_of(write_config(folder, keys))
    assert sorted(signals.table(SIGNALS)["text"].to_pylist()) == ["an apple", "café"]
    assert signals.facts["guessed"] == {}
