from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.runs.stage import Stage, current, open_stage
from labeling.errors import ConfigError, InputError, QualityError
from labeling.schemas import CANDIDATES, IMAGES, PLACEMENTS, REJECTS, SIGNALS
from pipelines.inspecting.status import status
from pipelines.jobs.label import label
from pipelines.passes import propagation
from pipelines.passes.inputs import sample_of
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.shuffle import engine
from tests.pipelines.runfolders import only_signals
from tests.pipelines.shops import write_shop


def files_of(stage: Stage) -> dict[str, str]:
    return {entry["name"]: entry["sha256"] for entry in stage.manifest["files"]}


def rows_of(stage: Stage) -> dict[tuple[str, str], dict[str, object]]:
    return {(r["image_id"], r["label_id"]): r for r in stage.table(CANDIDATES).to_pylist()}


def test_every_kind_of_input_becomes_evidence(labelled: Path) -> None:
    stage = open_stage(labelled, "candidates")
    rows = rows_of(stage)
    assert stage.counts["candidates"] == len(rows)
    sources = {e["source"] for row in rows.values() for e in row["evidence"]}  # type: ignore[attr-defined]
    assert sources == {"alt", "caption", "linked", "vote"}
    shirts = [row for (_, label_id), row in rows.items() if label_id == "shirt"]
    assert all("alt" in {e["source"] for e in row["evidence"]} for row in shirts)  # type: ignore[attr-defined]
    assert any("caption" in row["silent"] for row in shirts)  # type: ignore[operator]


def test_the_same_command_again_redoes_nothing(shop: Path, labelled: Path) -> None:
    first = open_stage(labelled, "candidates")
    again = label(read_config(shop), labelled)
    assert again.manifest["run"] == first.manifest["run"]


def test_another_run_has_equal_bytes(shop: Path, labelled: Path, tmp_path: Path) -> None:
    first = open_stage(labelled, "candidates")
    threads = ["--direct_num_workers=3", "--direct_running_mode=multi_threading"]
    second = label(read_config(shop), tmp_path / "two", threads)
    assert files_of(first) == files_of(second)
    assert first.fingerprint == second.fingerprint


def test_neither_buckets_nor_link_rounds_apart_change_the_candidates(
    shop: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_stage(labelled, "candidates")
    monkeypatch.setattr(engine, "ROWS_PER_BUCKET", 50)
    monkeypatch.setattr(propagation, "MAX_EDGES", 0)
    second = label(read_config(shop), tmp_path / "two")
    assert len(second.paths(".parquet", "candidates-")) > 1
    assert second.table(CANDIDATES).equals(first.table(CANDIDATES))


def test_inputs_may_lie_outside_the_data_folder(shop: Path, labelled: Path, tmp_path: Path) -> None:
    first = open_stage(labelled, "candidates")
    text = shop.read_text(encoding="utf-8")
    for name in ("taxonomy.jsonl", "captions.jsonl", "links.csv", "feedback.csv"):
        elsewhere = tmp_path / f"elsewhere-{name}"
        (shop.parent / name).rename(elsewhere)
        text = text.replace(f'"{name}"', f'"{elsewhere}"')
    shop.write_text(text, encoding="utf-8")
    second = label(read_config(shop), tmp_path / "two")
    assert second.table(CANDIDATES).equals(first.table(CANDIDATES))


def test_a_changed_input_is_noticed(shop: Path, labelled: Path) -> None:
    first = open_stage(labelled, "candidates")
    path = shop.parent / "products.csv"
    path.write_text(path.read_text() + "images/0.jpg,a yellow thing,https://x.example/\n")
    second = label(read_config(shop), labelled)
    assert second.counts["candidates"] >= first.counts["candidates"]
    assert second.fingerprint != first.fingerprint
    assert first.dir.is_dir()


def test_too_many_rejects_fail_and_nothing_is_committed(shop: Path, tmp_path: Path) -> None:
    shutil.rmtree(shop.parent / "images")
    with pytest.raises(QualityError, match="rejected") as caught:
        label(read_config(shop), tmp_path / "run")
    assert "image_missing" in str(caught.value)
    assert current(tmp_path / "run", "signals") is None
    config = with_overrides(read_config(shop), ["label.max_reject_share=1.0"])
    only_signals(config, tmp_path / "run")
    assert list((tmp_path / "run" / ".staging").iterdir()) == []


def test_a_few_rejects_are_counted_and_listed(shop: Path, tmp_path: Path) -> None:
    (shop.parent / "images" / "7.jpg").unlink()
    signals = only_signals(read_config(shop), tmp_path / "run")
    rejects = signals.table(REJECTS)
    assert signals.counts["rejects_by_reason"] == {"image_missing": len(rejects)}
    assert set(rejects["value"].to_pylist()) == {"images/7.jpg"}


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("products.csv", None, "missing"),
        ("products.csv", "image,title,page\n", None),
        ("products.csv", "image,name,page\na,b,c\n", "no column 'title'"),
        ("taxonomy.jsonl", "", "no label"),
        ("taxonomy.jsonl", '{"id": "a", "parents": ["a"]}\n', "cycle"),
        ("taxonomy.jsonl", '{"id": "a"}\n{"id": "a"}\n', "more than once"),
        ("feedback.csv", "event_id,image,label,query,kind,user,position,time\n", None),
    ],
)
def test_bad_inputs_are_refused_and_empty_ones_are_fine(
    shop: Path, tmp_path: Path, file: str, text: str | None, expected: str | None
) -> None:
    path = shop.parent / file
    path.unlink() if text is None else path.write_text(text)
    if expected is None:
        label(read_config(shop), tmp_path / "run")
        return
    with pytest.raises(InputError, match=expected):
        label(read_config(shop), tmp_path / "run")
    assert current(tmp_path / "run", "candidates") is None


def test_no_row_at_all_is_refused(shop: Path, tmp_path: Path) -> None:
    text = shop.read_text()
    for section in ("[[signals]]", "[[links]]", "[[feedback]]"):
        while section in text:
            start = text.index(section)
            stop = text.index("\n\n", start)
            text = text[:start] + text[stop:]
    shop.write_text(text)
    with pytest.raises(InputError, match="hold no row"):
        label(read_config(shop), tmp_path / "run")


def test_an_unknown_runner_is_refused_by_name(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NoSuchRunner"):
        label(read_config(shop), tmp_path / "run", ["--runner=NoSuchRunner"])


def test_a_site_and_its_images_are_read(tmp_path: Path) -> None:
    config = write_site(tmp_path / "web")
    stage = label(config, tmp_path / "run")
    signals = open_stage(tmp_path / "run", "signals")
    assert len(signals.table(IMAGES)) == 2
    assert len(signals.table(PLACEMENTS)) == 3
    assert "a cat" in signals.table(SIGNALS)["text"].to_pylist()
    assert signals.counts["rejects_by_reason"] == {"image_missing": 1}
    evidence = {
        (r["label_id"], e["source"])
        for r in stage.table(CANDIDATES).to_pylist()
        for e in r["evidence"]
    }
    assert evidence == {
        ("cat", "alt"),
        ("cat", "filename"),
        ("cat", "linked"),
        ("dog", "anchor"),
        ("dog", "caption"),
        ("dog", "linked"),
        ("dog", "page"),
        ("dog", "surrounding"),
    }


def write_site(base: Path) -> Config:
    """Two pages of two hosts: one image on both, one image that is missing."""
    for host in ("a.org", "b.org"):
        (base / "site" / host).mkdir(parents=True)
    (base / "site/a.org/cat.jpg").write_bytes(b"same bytes")
    (base / "site/b.org/x1.jpg").write_bytes(b"same bytes")
    (base / "site/a.org/index.html").write_text(
        '<a href="https://b.org/dogs.html">dogs</a><img src="cat.jpg" alt="a cat">'
    )
    (base / "site/b.org/dogs.html").write_text(
        '<figure><img src="/x1.jpg"><figcaption>A dog</figcaption></figure><img src="none.jpg">'
    )
    (base / "taxonomy.jsonl").write_text(
        '{"id": "cat", "names": ["cat"]}\n{"id": "dog", "names": ["dog"]}\n'
    )
    (base / "run.toml").write_text(
        '[taxonomy]\npath = "taxonomy.jsonl"\n[[site]]\npath = "site"\n'
        "[label]\nmax_reject_share = 0.5\n"
    )
    return read_config(base / "run.toml")


def test_a_run_folder_in_a_folder_of_inputs_is_refused(tmp_path: Path) -> None:
    config = write_site(tmp_path / "web")
    with pytest.raises(InputError, match="lies in a folder of inputs"):
        label(config, tmp_path / "web" / "site" / "run")


def test_the_same_bytes_are_one_image(tmp_path: Path) -> None:
    table: pa.Table = only_signals(write_site(tmp_path / "web"), tmp_path / "run").table(IMAGES)
    here = [row for row in table.to_pylist() if row["n_bytes"]]
    assert [row["location"] for row in here] == ["site/a.org/cat.jpg"]


def test_votes_without_event_ids_are_events_of_their_own(tmp_path: Path) -> None:
    votes = [f",https://i.org/{n % 40}.jpg,a,,up,u{n // 40},,2024-01-02" for n in range(400)]
    header = "event_id,image,label,query,kind,user,position,time"
    (tmp_path / "log.csv").write_text("\n".join([header, *votes]))
    (tmp_path / "labels.jsonl").write_text('{"id": "a", "names": ["apple"]}\n')
    (tmp_path / "run.toml").write_text(
        '[taxonomy]\npath = "labels.jsonl"\n[[feedback]]\npath = "log.csv"\n'
    )
    stage = label(read_config(tmp_path / "run.toml"), tmp_path / "run")
    assert (stage.counts["candidates"], stage.counts["replayed"]) == (40, 0)


def test_feedback_that_is_not_used_is_counted_by_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [
        "1,1,apple,u",
        "2,1,pear,u",
        "2,1,pear,u",
        "3,1,a zebra,u",
        "4,2,apple,v",
        "4,2,apple,v",
    ]
    rows = (
        f"{e},https://i.org/{i}.jpg,{q},Click,{u},2024-01-02,1"
        for e, i, q, u in (event.split(",") for event in events)
    )
    (tmp_path / "log.csv").write_text(
        "\n".join(["event_id,image,query,kind,user,time,postion", *rows])
    )
    (tmp_path / "labels.jsonl").write_text('{"id": "a", "names": ["apple"]}\n')
    (tmp_path / "run.toml").write_text(
        '[taxonomy]\npath = "labels.jsonl"\n[[feedback]]\npath = "log.csv"\n'
    )
    stage = label(read_config(tmp_path / "run.toml"), tmp_path / "run")
    assert (stage.counts["unnamed_query"], stage.counts["replayed"]) == (2, 1)
    for text in (capsys.readouterr().err, str(status(tmp_path / "run"))):
        assert "feedback ignored: 2 unnamed_query, 1 replayed" in text
        assert 'skipped: 6 position (did you mean "postion"?)' in text


def test_names_without_a_match_and_keys_that_are_not_read_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.csv").write_text("image,text\nhttps://i.org/1.jpg,a cat\n")
    labels = [
        {"id": "cat", "names": ["cat"], "parnets": [], "name": "x"},
        {"id": "c", "names": ["C++", "in"]},
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))
    (tmp_path / "run.toml").write_text(
        '[taxonomy]\npath = "labels.jsonl"\n[[signals]]\npath = "texts.csv"\n'
    )
    stage = label(read_config(tmp_path / "run.toml"), tmp_path / "run")
    printed = capsys.readouterr().err
    assert "names of labels that match no text: 2\n  c: no text matches the name 'C++'" in printed
    assert "'name' (did you mean \"names\"?), labels with it: 1" in printed
    assert "'parnets' (did you mean \"parents\"?), labels with it: 1" in printed
    assert (len(stage.facts["lost_names"]), len(stage.facts["unread_keys"])) == (2, 2)


def test_notes_on_the_taxonomy_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.csv").write_text("image,text\nhttps://i.org/1.jpg,a cat\n")
    (tmp_path / "labels.txt").write_text("# pets\nLabels\ncat\n")
    (tmp_path / "run.toml").write_text(
        '[taxonomy]\npath = "labels.txt"\n[[signals]]\npath = "texts.csv"\n'
    )
    stage = label(read_config(tmp_path / "run.toml"), tmp_path / "run")
    assert "notes on the taxonomy: 2\n  comments (lines of #" in capsys.readouterr().err
    assert len(stage.facts["taxonomy_notes"]) == 2


def test_a_sample_reads_the_first_rows_of_each_input_and_is_marked(tmp_path: Path) -> None:
    write_shop(tmp_path / "shop")
    config = read_config(tmp_path / "shop" / "run.toml", {"label.limit": 25})
    candidates = label(config, tmp_path / "run")
    signals = open_stage(tmp_path / "run", "signals")
    assert signals.counts["signals"] == 2 * 25
    assert signals.counts["links"] == signals.counts["feedback"] == 25
    texts = signals.table(SIGNALS)
    assert set(signals.table(IMAGES)["image_id"].to_pylist()) == set(texts["image_id"].to_pylist())
    assert candidates.facts["limit"] == signals.facts["limit"] == 25
    shown = str(status(tmp_path / "run"))
    assert shown.count("a sample of 25 rows of each input") == 2


def test_a_sample_does_not_replace_the_rows_of_all_inputs(tmp_path: Path) -> None:
    write_shop(tmp_path / "shop")
    config = read_config(tmp_path / "shop" / "run.toml", {"label.limit": 25})
    label(config, tmp_path / "run")
    whole = read_config(tmp_path / "shop" / "run.toml")
    assert label(whole, tmp_path / "run").facts["limit"] is None
    with pytest.raises(InputError, match="a sample would replace them"):
        label(config, tmp_path / "run")
    assert open_stage(tmp_path / "run", "signals").counts["signals"] > 50


@given(
    sizes=st.lists(st.integers(0, 8), min_size=1, max_size=5),
    limit=st.integers(1, 20),
)
def test_the_rows_of_a_sample_are_the_first_ones_with_their_images(
    sizes: list[int], limit: int
) -> None:
    numbers = iter(range(sum(sizes)))
    batches = [[f"{next(numbers):032x}" for _ in range(size)] for size in sizes]

    def tables() -> Iterator[tuple[str, pa.Table]]:
        for batch in batches:
            ids = pa.table({"image_id": pa.array(batch, pa.string())})
            for name in ("rejects", "images", "signals", "placements"):
                yield name, ids.slice(0, 0) if name == "rejects" else ids

    first = dict(sample_of(tables(), "signals", limit))
    expected = [image for batch in batches for image in batch][:limit]
    for name in ("images", "signals", "placements"):
        assert first[name]["image_id"].to_pylist() == expected


def test_rows_that_are_skipped_after_a_sample_are_not_counted() -> None:
    def tables() -> Iterator[tuple[str, pa.Table]]:
        for batch in range(3):
            for name in ("signals", "images", "skips"):
                yield name, pa.table({"image_id": [f"{name}{batch}{row}" for row in range(4)]})

    sample = dict(sample_of(tables(), "signals", 6))
    assert len(sample["signals"]) == 6
    assert sample["skips"]["image_id"].to_pylist() == [f"skips0{row}" for row in range(4)]
