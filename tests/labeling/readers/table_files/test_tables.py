from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from labeling.errors import InputError, UnreadableFile
from labeling.keys import ids
from labeling.keys.runs import distinct_rows
from labeling.readers.image_files import Locator
from labeling.readers.listing import input_files
from labeling.readers.site_names import file_names
from labeling.readers.table_files import tabular
from labeling.readers.table_files.csv_files import GUESSED, Format
from labeling.readers.table_files.feedback_tables import read_feedback
from labeling.readers.table_files.tables import read_links, read_signals


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jpg").write_bytes(b"first")
    (tmp_path / "same.jpg").write_bytes(b"first")
    (tmp_path / "site" / "h.org" / "x").mkdir(parents=True)
    (tmp_path / "site" / "h.org" / "x" / "b c.jpg").write_bytes(b"second")
    return tmp_path


def signals(folder: Path, text: str, columns: dict[str, str]) -> dict[str, pa.Table]:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return dict(read_signals(path, columns, "alt", Locator(folder, ["site"])))


BASIC = {"image": "file", "text": "words"}


def test_rows_are_read_and_those_without_an_image_rejected(folder: Path) -> None:
    text = 'file,words\na.jpg,"a cat, sleeping"\nsame.jpg,a dog\nnone.jpg,x\n../a.jpg,x\n'
    tables = signals(folder, text, BASIC)
    assert tables["signals"]["text"].to_pylist() == ["a cat, sleeping", "a dog"]
    assert set(tables["signals"]["image_id"].to_pylist()) == {ids.digest(b"first")}
    assert tables["signals"]["source"].to_pylist() == ["alt", "alt"]
    rejects = tables["rejects"].to_pylist()
    assert [(r["where"], r["reason"], r["value"]) for r in rejects] == [
        ("table.csv:4", "image_missing", "none.jpg"),
        ("table.csv:5", "image_missing", "../a.jpg"),
    ]


def test_all_columns_can_be_mapped(folder: Path) -> None:
    text = "i,t,p,s,w,l\nhttps://h.org/x/b%20c.jpg,a cat,https://P.org/1,title,0.5,en\n"
    columns = {"image": "i", "text": "t", "page": "p", "source": "s", "weight": "w", "lang": "l"}
    (row,) = signals(folder, text, columns)["signals"].to_pylist()
    assert row["image_id"] == ids.digest(b"second")
    assert row["page_id"] == ids.digest("https://p.org/1")
    assert (row["host"], row["source"], row["weight"], row["lang"]) == ("p.org", "title", 0.5, "en")


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_reads_parquet_and_json_lines_alike(folder: Path, kind: str) -> None:
    path = folder / f"table.{kind}"
    table = pa.table({"file": ["a.jpg"], "words": ["a cat"], "other": [1]})
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text('{"file": "a.jpg", "words": "a cat", "other": 1}\n')
    tables = dict(read_signals(path, BASIC, "alt", Locator(folder, [])))
    assert tables["signals"]["text"].to_pylist() == ["a cat"]


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("file,words\n", {"image": "file"}, "lacks text"),
        ("file,words\na.jpg,x\n", {"image": "nofile", "text": "words"}, "no column 'nofile'"),
        ("", BASIC, "cannot be read"),
    ],
)
def test_bad_tables_are_refused(
    folder: Path, text: str, columns: dict[str, str], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        signals(folder, text, columns)
    assert expected in str(caught.value)
    assert "table.csv" in str(caught.value)


def test_an_empty_table_gives_empty_tables(folder: Path) -> None:
    tables = signals(folder, "file,words\n", BASIC)
    assert {name: len(table) for name, table in tables.items()} == {
        "rejects": 0,
        "images": 0,
        "signals": 0,
        "placements": 0,
        "pages": 0,
    }


def test_a_wrong_kind_of_parquet_is_refused(folder: Path) -> None:
    path = folder / "table.parquet"
    pq.write_table(pa.table({"file": ["a.jpg"], "words": [["a", "b"]]}), path)
    with pytest.raises(InputError, match="not text, a number or a time"):
        dict(read_signals(path, BASIC, "alt", Locator(folder, [])))
    path.write_bytes(b"not parquet")
    with pytest.raises(InputError, match="cannot be read"):
        dict(read_signals(path, BASIC, "alt", Locator(folder, [])))


def test_pages_of_links_are_read_as_digests(folder: Path) -> None:
    path = folder / "links.csv"
    path.write_text(
        "from,to,words\nhttps://A.org/x,https://b.org/y,see\np,https://b.org/y,\n,https://b.org/y,x\n"
    )
    columns = {"src": "from", "dst": "to", "anchor": "words"}
    tables = dict(read_links(path, columns))
    assert tables["links"]["src_host"].to_pylist() == ["a.org", ""]
    assert tables["links"]["dst_page"].to_pylist() == [ids.digest("https://b.org/y")] * 2
    assert tables["links"]["anchor"].to_pylist() == ["see", None]
    assert tables["rejects"].to_pylist() == [
        {"where": "links.csv:4", "reason": "no_page", "value": "https://b.org/y"}
    ]


FEEDBACK = "event_id,image,label,query,kind,user,position,time\n"
NAMES = {n: n for n in FEEDBACK.strip().split(",")}


def feedback(folder: Path, text: str) -> dict[str, pa.Table]:
    path = folder / "feedback.csv"
    path.write_text(FEEDBACK + text)
    return dict(read_feedback(path, NAMES, Locator(folder, []), {"cat"}.__contains__))


def test_feedback_is_read_and_unknown_values_are_rejected(folder: Path) -> None:
    tables = feedback(
        folder,
        "e1,a.jpg,cat,,up,u,,2024-01-01T00:00:10Z\n"
        "e2,a.jpg,,big cats,click,u,3,1704067200\n"
        "e7,a.jpg,cat,,up,u,,9999-12-31\n"
        "e3,none.jpg,cat,,up,u,,0\n"
        "e4,a.jpg,cow,,up,u,,0\n"
        "e5,a.jpg,cat,,like,u,,0\n"
        "e6,a.jpg,,,up,u,,0\n",
    )
    assert tables["feedback"]["event_id"].to_pylist() == ["e1", "e2", "e7"]
    assert tables["feedback"]["time"].to_pylist() == [1704067210, 1704067200, 253402214400]
    assert tables["feedback"]["position"].to_pylist() == [None, 3, None]
    assert tables["rejects"]["reason"].to_pylist() == [
        "image_missing",
        "unknown_kind",
        "unknown_label",
        "no_label",
    ]


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("e1,a.jpg,cat,,up,u,,yesterday\n", "yesterday"),
        ("e1,a.jpg,cat,,up,u,,\n", ""),
        ("e1,a.jpg,cat,,up,u,,1969-12-31\n", "1969-12-31"),
        ("e1,a.jpg,cat,,up,u,,70123456\n", "70123456"),
        ("e1,a.jpg,cat,,up,u,,inf\n", "inf"),
        ("e1,a.jpg,cat,,up,u,,1e300\n", "1e300"),
        ("e1,a.jpg,cat,,up,u,first,2024-01-01\n", "2024-01-01, first"),
        ("e1,a.jpg,cat,,up,u,0,2024-01-01\n", "2024-01-01, 0"),
        ("e1,a.jpg,cat,,up,u,1e300,2024-01-01\n", "2024-01-01, 1e300"),
    ],
)
def test_events_without_a_time_or_with_a_bad_position_are_rejects(
    folder: Path, row: str, value: str
) -> None:
    tables = feedback(folder, "e0,a.jpg,cat,,up,u,,2024-01-01\n" + row)
    assert tables["rejects"].to_pylist() == [
        {"where": "feedback.csv:3", "reason": "bad_row", "value": value}
    ]
    assert len(tables["feedback"]) == 1


NULLS = ("", " ", "NULL", "None", "nan", "N/A", "n/a", "#N/A", "-", "(null)", r"\N")


def test_an_event_without_an_id_is_an_event_of_its_own(folder: Path) -> None:
    rows = [f"{event},a.jpg,cat,,up,u,,2024-01-01\n" for event in (*NULLS, "e1", "e1")]
    event_ids = feedback(folder, "".join(rows))["feedback"]["event_id"].to_pylist()
    assert event_ids == [f"feedback.csv:{n}" for n in range(1, len(NULLS) + 1)] + ["e1", "e1"]


@pytest.mark.parametrize("null", NULLS)
def test_an_event_without_a_user_an_image_or_a_label_is_a_reject(folder: Path, null: str) -> None:
    tables = feedback(
        folder,
        f"e1,a.jpg,cat,,up,{null},,2024-01-01\n"
        f"e2,{null},cat,,up,u,,2024-01-01\n"
        f"e3,a.jpg,{null},{null},up,u,,2024-01-01\n"
        f"e4,a.jpg,{null},big cats,up,u,{null},2024-01-01\n",
    )
    assert tables["rejects"]["reason"].to_pylist() == ["no_image", "no_label", "no_user"]
    (event,) = tables["feedback"].to_pylist()
    assert (event["label_id"], event["query"], event["position"]) == (None, "big cats", None)


@pytest.mark.parametrize("kind", ["up", "UP", "Up", " up ", "up\t"])
def test_kinds_of_feedback_may_differ_in_case_and_spaces(folder: Path, kind: str) -> None:
    tables = feedback(folder, f"e1,a.jpg,cat,,{kind},u,,2024-01-01\n")
    assert tables["feedback"]["kind"].to_pylist() == ["up"]


@pytest.mark.parametrize(
    ("column", "skipped"),
    [
        ("positon", 'position (did you mean "positon"?)'),
        ("eventid", 'event_id (did you mean "eventid"?)'),
        ("rank", None),
        ("country", None),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_an_optional_column_of_a_near_name_is_reported(
    folder: Path, column: str, skipped: str | None, ending: str
) -> None:
    row = {"image": "a.jpg", "label": "cat", "kind": "click", "user": "u", "time": "2024-01-01"}
    rows = pd.DataFrame([row | {column: "3"}] * 2)
    path = folder / f"log.{ending}"
    if ending == "csv":
        rows.to_csv(path, index=False)
    elif ending == "jsonl":
        rows.to_json(path, orient="records", lines=True)
    else:
        rows.to_parquet(path)
    tables = list(read_feedback(path, NAMES, Locator(folder, []), {"cat"}.__contains__))
    skips = [row for name, table in tables if name == "skips" for row in table.to_pylist()]
    expected = {"file": path.name, "kind": skipped, "n_records": 2}
    assert skips == ([expected] if skipped else [])


def test_a_label_may_be_called_none(folder: Path) -> None:
    path = folder / "feedback.csv"
    path.write_text(FEEDBACK + "e1,a.jpg,none,,up,u,,2024-01-01\n")
    tables = dict(read_feedback(path, NAMES, Locator(folder, []), {"none"}.__contains__))
    assert tables["feedback"]["label_id"].to_pylist() == ["none"]


@pytest.mark.parametrize("null", NULLS)
def test_an_image_without_a_name_is_a_reject_whatever_the_template(folder: Path, null: str) -> None:
    path = folder / "table.csv"
    path.write_text(f"file,words\n{null},x\na,y\n")
    locator = Locator(folder, [], template="https://a.org/{image}.jpg")
    tables = dict(read_signals(path, BASIC, "alt", locator))
    assert tables["rejects"]["reason"].to_pylist() == ["no_image"]
    assert tables["images"]["location"].to_pylist() == ["https://a.org/a.jpg"]


@pytest.mark.parametrize("null", NULLS)
def test_cells_of_optional_columns_may_be_empty(folder: Path, null: str) -> None:
    text = f"file,words,s,w,l\na.jpg,x,{null},{null},{null}\na.jpg,y,title,0.5,en\n"
    columns = BASIC | {"source": "s", "weight": "w", "lang": "l"}
    rows = signals(folder, text, columns)["signals"].select(["source", "weight", "lang"])
    assert rows.to_pylist() == [
        {"source": "alt", "weight": 1.0, "lang": None},
        {"source": "title", "weight": 0.5, "lang": "en"},
    ]


@pytest.mark.parametrize("weight", ["much", "-1", "1.1", "1e39", "inf", "1e400", "0x1", "½"])
def test_a_bad_weight_costs_its_row(folder: Path, weight: str) -> None:
    text = f"file,words,w\na.jpg,x,1\na.jpg,y,{weight}\na.jpg,z,0\n"
    tables = signals(folder, text, BASIC | {"weight": "w"})
    assert tables["signals"]["text"].to_pylist() == ["x", "z"]
    assert tables["rejects"].to_pylist() == [
        {"where": "table.csv:3", "reason": "bad_weight", "value": weight}
    ]


def test_empty_images_are_not_one_image(folder: Path) -> None:
    (folder / "0.jpg").touch()
    (folder / "site" / "h.org" / "0.jpg").touch()
    tables = signals(folder, "file,words\n0.jpg,x\nhttps://h.org/0.jpg,y\n", BASIC)
    assert tables["rejects"].to_pylist() == [
        {"where": "table.csv:2", "reason": "empty_image", "value": "0.jpg"}
    ]
    assert tables["images"]["location"].to_pylist() == ["https://h.org/0.jpg"]


def test_rows_without_a_text_are_counted(folder: Path) -> None:
    tables = signals(folder, 'file,words\na.jpg,\na.jpg," "\na.jpg,x\n', BASIC)
    assert tables["signals"]["text"].to_pylist() == ["x"]
    assert len(tables["images"]) == len(tables["placements"]) == 3
    assert tables["skips"].to_pylist() == [{"file": "table.csv", "kind": "no_text", "n_records": 2}]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_number_that_is_missing_is_not_the_text_nan(folder: Path, kind: str) -> None:
    path = folder / f"table.{kind}"
    rows = [{"file": "a.jpg", "words": float("nan")}, {"file": "a.jpg", "words": 1.5}]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tables = dict(read_signals(path, BASIC, "alt", Locator(folder, [])))
    assert tables["signals"]["text"].to_pylist() == ["1.5"]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_columns_that_are_optional_may_be_missing(folder: Path, kind: str) -> None:
    path = folder / f"log.{kind}"
    row = {"image": "a.jpg", "label": "cat", "kind": "up", "user": "u", "time": "2024-01-01"}
    table = pa.Table.from_pylist([row, row])
    if kind == "csv":
        pa.csv.write_csv(table, path)
    elif kind == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text((json.dumps(row) + "\n") * 2)
    read = functools.partial(
        read_feedback, locator=Locator(folder, []), known_label={"cat"}.__contains__
    )
    assert dict(read(path, NAMES))["feedback"]["position"].to_pylist() == [None, None]
    with pytest.raises(InputError, match="no column 'rank'"):
        dict(read(path, NAMES | {"position": "rank"}))
    with pytest.raises(InputError, match="no column 'when'"):
        dict(read(path, NAMES | {"time": "when"}))


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_names_of_columns_may_differ_in_case_and_spaces(folder: Path, kind: str) -> None:
    path = folder / f"log.{kind}"
    row = {"Image": "a.jpg", "QUERY": "cat", " kind ": "up", "User": "u", "TIME": "2024-01-01"}
    table = pa.Table.from_pylist([row | {"Position": "3"}] * 2)
    if kind == "csv":
        path.write_text("Image;QUERY; kind ;User;TIME;Position\na.jpg;cat;up;u;2024-01-01;3\n")
    elif kind == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text(json.dumps(row | {"Position": 3}) + "\n")
    events = dict(read_feedback(path, NAMES, Locator(folder, []), str.isascii))["feedback"]
    assert (events["query"][0].as_py(), events["position"][0].as_py()) == ("cat", 3)


@pytest.mark.parametrize("header", ["Words,WORDS", "word,x", "worsd,x"])
def test_a_column_of_several_names_or_another_is_refused_with_those_of_the_file(
    folder: Path, header: str
) -> None:
    with pytest.raises(InputError) as caught:
        signals(folder, f"file,{header}\na.jpg,x,y\n", BASIC)
    assert "no column 'words' (did you mean" in caught.value.message
    assert type(caught.value) is InputError, "what a worker raises is of labeling.errors"
    assert caught.value.facts["columns"] == f"file, {header.replace(',', ', ')}"


def test_the_columns_of_a_parquet_file_are_those_of_the_error(folder: Path) -> None:
    pq.write_table(pa.table({"file": ["a.jpg"], "wrods": ["x"]}), folder / "t.parquet")
    with pytest.raises(InputError, match=r"no column 'words' \(did you mean \"wrods\"") as caught:
        list(read_signals(folder / "t.parquet", BASIC, "alt", Locator(folder, [])))
    assert caught.value.facts["columns"] == "file, wrods"


def test_a_row_without_a_page_is_a_page_of_its_own(folder: Path) -> None:
    text = "file,words,page\na.jpg,x,\nhttps://h.org/y.jpg,x,null\n"
    pages = signals(folder, text, BASIC | {"page": "page"})["signals"]["page_id"].to_pylist()
    assert pages == [ids.digest("a.jpg"), ids.digest("https://h.org/y.jpg")]


def test_urls_map_to_files_of_a_site() -> None:
    assert file_names("https://a.org/x/b%20c.jpg?size=1")[-2:] == ["x/b c.jpg", "x/b%20c.jpg"]


def test_missing_inputs_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        input_files(folder, "nowhere", (".csv",))
    with pytest.raises(InputError, match="no file that is read"):
        input_files(folder, "site", (".csv",))


def everything(path: Path, columns: dict[str, str]) -> dict[str, pa.Table]:
    tables: dict[str, list[pa.Table]] = {}
    for name, rows in read_signals(path, columns, "alt", Locator(path.parent, [])):
        tables.setdefault(name, []).append(rows)
    whole = {name: pa.concat_tables(parts).combine_chunks() for name, parts in tables.items()}
    return whole | {"pages": distinct_rows(whole["pages"], ["page_id"])}  # once in each batch


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_file_is_read_in_batches_that_change_nothing(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / f"long.{kind}"
    rows = [{"file": "no.jpg" if n % 7 == 0 else "a.jpg", "words": f"cat {n}"} for n in range(500)]
    table = pa.Table.from_pylist(rows)
    if kind == "csv":
        pa.csv.write_csv(table, path)
    elif kind == "parquet":
        pq.write_table(table, path, row_group_size=90)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = everything(path, BASIC)
    monkeypatch.setattr(tabular, "BATCH_ROWS", 33)
    monkeypatch.setattr(tabular, "BATCH_BYTES", 1000)
    parts = [rows for _, rows in read_signals(path, BASIC, "alt", Locator(folder, []))]
    assert max(map(len, parts)) < 100
    assert everything(path, BASIC) == whole
    assert whole["rejects"]["where"].to_pylist()[:2] == [
        f"long.{kind}:{row + (kind == 'csv')}" for row in (1, 8)
    ]
    assert len(whole["signals"]) == 500 - len(whole["rejects"])


def test_a_bad_value_is_named_by_its_row_in_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabular, "BATCH_BYTES", 200)
    good = ["none.jpg,x,1", *["a.jpg,x,1"] * 99]
    (folder / "table.csv").write_text("\n".join(["file,words,w", *good, "a.jpg,x,much"]) + "\n")
    rejects = everything(folder / "table.csv", BASIC | {"weight": "w"})["rejects"].to_pylist()
    assert [(row["where"], row["value"]) for row in rejects] == [
        ("table.csv:2", "none.jpg"),
        ("table.csv:102", "much"),
    ]


def test_kinds_of_values_and_keys_may_change_within_json_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabular, "BATCH_BYTES", 10)
    path = folder / "mixed.jsonl"
    lines = [
        '{"file": "a.jpg", "words": 1}',
        '{"file": "a.jpg"}',
        '{"file": "a.jpg", "words": "b"}',
    ]
    path.write_text("\n".join(lines))
    assert everything(path, BASIC)["signals"]["text"].to_pylist() == ["1", "b"]


def test_a_key_that_occurs_twice_in_a_json_line_costs_the_row_where_it_is_read(
    folder: Path,
) -> None:
    path = folder / "twice.jsonl"
    lines = [
        '{"file": "a.jpg", "words": "a cat", "n": 1, "n": 2}',
        '{"file": "a.jpg", "words": "a cat", "words": null}',
        '{"file": "a.jpg", "words": "a dog", "more": {"words": 1, "words": 2}}',
    ]
    path.write_text("\n".join(lines))
    tables = everything(path, BASIC)
    assert tables["signals"]["text"].to_pylist() == ["a cat", "a dog"]
    (reject,) = tables["rejects"].to_pylist()
    assert (reject["where"], reject["reason"]) == ("twice.jsonl:2", "bad_row")
    assert reject["value"] == "'words' occurs twice: " + lines[1]


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"


@pytest.mark.parametrize(
    "ending", ["csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.bz2", "csv.xz", "tsv.zst"]
)
@pytest.mark.parametrize(
    ("content", "kind"), [(POINTER, "a pointer of Git LFS"), (b"<!doctype html>\n", "an HTML page")]
)
def test_a_file_in_the_place_of_a_table_is_a_bad_file_of_its_kind(
    folder: Path, ending: str, content: bytes, kind: str
) -> None:
    path = folder / f"table.{ending}"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        everything(path, BASIC)
    assert (str(caught.value.facts["file"]), caught.value.facts["cause"]) == (
        str(path),
        f"it is {kind}",
    )


def test_a_packed_page_in_the_place_of_a_table_is_a_bad_file(folder: Path) -> None:
    (folder / "t.csv.gz").write_bytes(gzip.compress(b"<html>\n<p>file,words"))
    with pytest.raises(UnreadableFile, match="HTML page"):
        everything(folder / "t.csv.gz", BASIC)


def test_images_that_are_pointers_are_rejected_by_that_reason(folder: Path) -> None:
    (folder / "p.jpg").write_bytes(POINTER)
    (folder / "site" / "h.org" / "p.jpg").write_bytes(POINTER)
    text = "file,words\np.jpg,a cat\nhttps://h.org/p.jpg,a cat\na.jpg,a dog\n"
    tables = signals(folder, text, BASIC)
    assert tables["signals"]["text"].to_pylist() == ["a dog"]
    assert [(r["reason"], r["value"]) for r in tables["rejects"].to_pylist()] == [
        ("lfs_pointer", "p.jpg"),
        ("lfs_pointer", "https://h.org/p.jpg"),
    ]


@pytest.mark.parametrize("first", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "\ufeffsep=;\r\n\r\n"])
def test_a_first_line_of_excel_names_the_delimiter(folder: Path, first: str) -> None:
    lines = ["file;words", "a.jpg;a cat", "a.jpg", 'a.jpg;"a\ndog"']
    tables = signals(folder, first + "\n".join(lines), BASIC)
    assert tables["signals"]["text"].to_pylist() == ["a cat", "a\ndog"]
    line = first.count("\n") + 3
    assert [r["where"] for r in tables["rejects"].to_pylist()] == [f"table.csv:{line}"]
    assert tables["pages"]["record"].to_pylist() == [line - 1]
    assert tabular.guess(folder / "table.csv", ["file", "words"], GUESSED) == ""


def test_a_first_line_of_excel_may_name_any_delimiter_and_a_setting_comes_before_it(
    folder: Path,
) -> None:
    text = "sep=#\nfile#words\na.jpg#a cat\n"
    assert signals(folder, text, BASIC)["signals"]["text"].to_pylist() == ["a cat"]
    (folder / "set.csv").write_text("sep=#\nfile;words\na.jpg;a cat\n")
    rows = read_signals(
        folder / "set.csv", BASIC, "alt", Locator(folder, []), Format(delimiter=";")
    )
    assert dict(rows)["signals"]["text"].to_pylist() == ["a cat"]
