"""Runs that were moved, copied or mounted elsewhere, with their inputs and without."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from curation.runs.sealed import seal, unseal
from curation.runs.stage import current, open_stage
from labeling.keys import ids
from pipelines.cli import main
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.run.saved_config import FROM_RUN, load_config, save_config
from pipelines.selecting.select import select
from tests.labeling.warcs import Response, members, record

COLOURS = ("red", "green", "blue", "yellow")
N_OF_KIND = 30


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def photo(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def write_all_kinds(base: Path) -> Path:
    """Write a site, a zip file, an archive, a tar and a table of images; return the settings."""
    for folder in ("web/a.org", "crawl", "tars", "photos"):
        (base / folder).mkdir(parents=True)
    numbers = iter(range(5 * N_OF_KIND))
    rows, records = ["image,text"], []
    with (
        zipfile.ZipFile(base / "web.zip", "w") as zipped,
        tarfile.open(base / "tars" / "0.tar", "w") as tar,
    ):
        for _ in range(N_OF_KIND):
            n, text = next(numbers), "a {} thing"
            (base / f"web/a.org/{n}.jpg").write_bytes(photo(n))
            (base / f"web/a.org/{n}.html").write_text(page(n))
            n = next(numbers)
            zipped.writestr(f"b.org/{n}.jpg", photo(n))
            zipped.writestr(f"b.org/{n}.html", page(n))
            n = next(numbers)
            records.append(record(Response(f"http://c.org/{n}.html", page(n).encode())))
            records.append(record(Response(f"http://c.org/{n}.jpg", photo(n), "image/jpeg")))
            n = next(numbers)
            for name, content in ((f"{n}.jpg", photo(n)), (f"{n}.txt", named(n).encode())):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            n = next(numbers)
            (base / f"photos/{n}.jpg").write_bytes(photo(n))
            rows.append(f"photos/{n}.jpg,{text.format(COLOURS[n % 4])}")
    (base / "crawl" / "c.warc.gz").write_bytes(members(records))
    (base / "table.csv").write_text("\n".join(rows))
    truth = [f"{ids.digest(photo(n))},{shown(n)}" for n in range(5 * N_OF_KIND)]
    (base / "truth.csv").write_text("\n".join(["image_id,label_id", *truth]))
    labels = [json.dumps({"id": c, "names": [c], "parents": []}) for c in COLOURS]
    (base / "taxonomy.jsonl").write_text("\n".join(labels))
    (base / "winnow.toml").write_text(
        '[taxonomy]\npath = "taxonomy.jsonl"\n'
        '[[site]]\npath = "web"\n[[site]]\npath = "web.zip"\n[[archive]]\npath = "crawl"\n'
        '[[webdataset]]\npath = "tars"\n[[signals]]\npath = "table.csv"\n'
        '[audit]\nn = 60\ntruth = "truth.csv"\n[export]\nshort_side = 16\n'
    )
    return base / "winnow.toml"


def named(number: int) -> str:
    return f"a {COLOURS[number % 4]} thing"


def shown(number: int) -> str:
    return COLOURS[(number + (number % 3 == 0)) % 4]


def page(number: int) -> str:
    return f'<img src="/{number}.jpg" alt="{named(number)}">'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the data of all kinds and a selected run beside it."""
    folder = tmp_path_factory.mktemp("moved") / "project"
    config = read_config(write_all_kinds(folder / "data"))
    label(config, folder / "run")
    save_config(config, folder / "run")
    select(config, folder / "run")
    return folder


@pytest.fixture
def run(project: Path, tmp_path: Path) -> Path:
    """Return the run in a folder of its own, without its inputs; the originals are gone, too."""
    moved = Path(shutil.copytree(project / "run", tmp_path / "elsewhere" / "run"))
    lose_originals(moved)
    return moved


def lose_originals(run: Path) -> None:
    content = unseal((run / "config.json").read_text())
    (run / "config.json").write_text(seal({**content, "base": "/nowhere/data"}))


def files_of(run: Path) -> dict[str, str]:
    return {f["name"]: f["sha256"] for f in open_stage(run, "shards").manifest["files"]}


def test_images_of_every_kind_are_read_where_the_run_is(project: Path, tmp_path: Path) -> None:
    first, moved = (Path(shutil.copytree(project, tmp_path / name)) for name in ("a", "b/c"))
    lose_originals(moved / "run")
    for folder in (first, moved):
        done = winnow("export", folder / "run")
        assert done.exit_code == 0, done.stderr
    assert files_of(moved / "run") == files_of(first / "run")
    counts = open_stage(moved / "run", "shards").counts
    assert counts["train"] > 20
    assert counts["heldout"] > 10
    assert set(counts["dropped"]) == {"no_kept_label"}
    for command in (("audit", "sample", "-o", "audit.n=70"), ("select",), ("report",)):
        assert winnow(*command, moved / "run").exit_code == 0
    facts = json.loads((moved / "run" / "report.json").read_text())
    assert facts["thumbnails"]["kept_lowest"]


@pytest.mark.parametrize(
    ("data", "run"), [("data", "run"), (".", "run"), ("run/web", "run"), (".", "runs/mine/first")]
)
def test_the_data_folder_is_found_from_the_run(tmp_path: Path, data: str, run: str) -> None:
    old, new = tmp_path / "old", tmp_path / "new" / "place"
    write_named(old / data)
    (old / run).mkdir(parents=True, exist_ok=True)
    save_config(read_config(old / data / "winnow.toml"), old / run)
    assert load_config(old / run).base == str((old / data).resolve())
    shutil.copytree(old, new)
    assert load_config(new / run).base == str((new / data).resolve()), "a copy uses its own inputs"
    shutil.rmtree(old)
    assert load_config(new / run).base == str((new / data).resolve())


def write_named(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "winnow.toml").write_text('[taxonomy]\npath = "t.jsonl"\n[[site]]\npath = "web"\n')
    (folder / "t.jsonl").write_text('{"id": "cat"}\n')


def test_a_run_that_moved_alone_uses_the_inputs_where_they_are(tmp_path: Path) -> None:
    write_named(tmp_path / "old")
    (tmp_path / "old" / "run").mkdir()
    save_config(read_config(tmp_path / "old" / "winnow.toml"), tmp_path / "old" / "run")
    (tmp_path / "old" / "run").rename(tmp_path / "run")
    assert (tmp_path / "run" / "..").is_dir()
    assert load_config(tmp_path / "run").base == str((tmp_path / "old").resolve())


def test_a_run_that_knows_only_the_absolute_folder_is_opened(project: Path, tmp_path: Path) -> None:
    content = unseal((project / "run" / "config.json").read_text())
    del content[FROM_RUN]
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert load_config(tmp_path) == load_config(project / "run")


@pytest.mark.parametrize(
    "command",
    [
        ("export", "--short-side", "48"),
        ("audit", "sample", "-o", "audit.n=61"),
        ("evaluate", "-o", "evaluate.truth=truth.csv"),
        ("report",),
    ],
)
def test_inputs_that_are_gone_are_named(run: Path, project: Path, command: tuple[str, ...]) -> None:
    before = {path.name for path in run.iterdir()}
    done = winnow(*command, run)
    assert done.exit_code == 3
    assert "an input of the run is missing" in done.stderr
    assert "/nowhere/data" in done.stderr
    assert "config.json" in done.stderr
    assert "-o base=" in done.stderr
    assert {path.name for path in run.iterdir()} == before | {".lock"}
    if command[0] != "evaluate":  # which then misses the model
        assert winnow(*command, run, "-o", f"base={project / 'data'}").exit_code == 0


def test_a_study_names_the_truth_that_is_gone(run: Path) -> None:
    content = unseal((run / "config.json").read_text())
    content["evaluate"]["truth"] = "truth.csv"
    (run / "config.json").write_text(seal(content))
    study = run.parent / "study.toml"
    study.write_text('run = "run"\nsizes = [20, 40]\n')
    done = winnow("study", study)
    assert done.exit_code == 3
    assert "/nowhere/data/truth.csv" in done.stderr


def test_a_run_needs_no_inputs_where_none_is_read(run: Path) -> None:
    for command in (("select", "-o", "select.keep=0.5"), ("status",), ("inspect",)):
        assert winnow(*command, run).exit_code == 0


def test_an_export_without_images_is_refused_and_counted(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = winnow("export", run, "--short-side", "48", "-o", f"base={tmp_path / 'empty'}")
    assert done.exit_code == 3
    assert "the stage shards would be empty, although 150 rows went in" in done.stderr
    n_missing = int(done.stderr.split("image_missing: ")[1].split()[0])
    n_unlabeled = int(done.stderr.split("no_kept_label: ")[1].split()[0])
    assert n_missing + n_unlabeled == 150
    assert "first that cannot be read: " in done.stderr
    assert current(run, "shards") is None


def test_missing_images_are_counted_and_reported(run: Path, project: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(project / "data", tmp_path / "data"))
    (base / "web.zip").unlink()
    done = winnow("export", run, "-o", f"base={base}")
    assert done.exit_code == 0
    dropped = open_stage(run, "shards").counts["dropped"]
    assert 0 < dropped["image_missing"] <= N_OF_KIND
    assert f"{dropped['image_missing']} dropped: image_missing" in done.stderr
