"""Bad arguments of the public functions: each is refused by an error that names it."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from labeling.errors import InputError, WinnowError
from labeling.matching.matcher import compile_matcher
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.test_api import NAMES
from training.data.loader import MEAN, STD
from training.model.architecture import Architecture
from training.model.model_file import ModelCard

TAXONOMY = build_taxonomy([Label("cat", (("cat", "en"),))])
PAIRS = {"image_id": [f"{i:032x}" for i in range(100)], "label_id": ["cat"] * 100}
SCORES = pa.table({**PAIRS, "p_correct": pa.array(np.arange(100) / 100, pa.float32())})
AUDITS = pa.table(
    {
        **PAIRS,
        "verdict": ["no"] * 50 + ["yes"] * 50,
        "auditor": ["me"] * 100,
        "seq": range(100),
        "stratum": ["all"] * 100,
        "p_inclusion": [1.0] * 100,
    }
)
VOTE = {"source": "alt", "strength": 0.5, "n_pages": 1, "n_hosts": 1}
CANDIDATES = pa.table(
    {**PAIRS, "evidence": [[VOTE]] * 100, "silent": [["title"]] * 100, "ambiguity": [1] * 100}
)
SIGNALS = pa.table(
    {
        "image_id": ["0" * 32],
        "page_id": ["1" * 32],
        "host": ["a.org"],
        "source": ["alt"],
        "text": ["a cat"],
        "weight": [1.0],
        "lang": pa.nulls(1, pa.string()),
    }
)

CARD = ModelCard(Architecture(18), ("cat",), 32, MEAN, STD, step=1, training={})
A_RUN = {"run": "nowhere"}
GOOD: Mapping[str, Mapping[str, Any]] = {
    "labeling.build_taxonomy": {"labels": [Label("cat", ())]},
    "labeling.compile_matcher": {"taxonomy": TAXONOMY},
    "labeling.find": {"matcher": compile_matcher(TAXONOMY), "text": "a cat"},
    "labeling.read_page": {"content": b"<p>", "url": "https://a.org/"},
    "labeling.read_taxonomy": {"files": "nowhere"},
    "labeling.signals_from_texts": {"texts": pa.table({"image": ["a"], "text": ["b"]})},
    "labeling.signals_from_warc": {"path": "nowhere.warc"},
    "curation.draw_audits": {"pairs": SCORES},
    "curation.open_run": {"path": "nowhere"},
    "curation.precision_interval": {"audits": AUDITS},
    "curation.score": {"candidates": CANDIDATES, "audits": AUDITS, "taxonomy": TAXONOMY},
    "curation.select": {"scores": SCORES, "audits": AUDITS},
    "curation.threshold_table": {"scores": SCORES, "audits": AUDITS},
    "pipelines.audit_import": {**A_RUN, "answers": "answers.csv"},
    "pipelines.audit_sample": A_RUN,
    "pipelines.audit_serve": A_RUN,
    "pipelines.candidates_from_signals": {"signals": SIGNALS, "taxonomy": TAXONOMY},
    "pipelines.evaluate": A_RUN,
    "pipelines.evidence_add": {**A_RUN, "votes": "no such file"},
    "pipelines.evidence_remove": {**A_RUN, "sources": ["clip"]},
    "pipelines.export": A_RUN,
    "pipelines.label": {"config": "nowhere.toml", "out": "nowhere"},
    "pipelines.open_study": {"path": "nowhere"},
    "pipelines.look": A_RUN,
    "pipelines.plan": {"config": "nowhere.toml"},
    "pipelines.report": A_RUN,
    "pipelines.select": A_RUN,
    "pipelines.status": A_RUN,
    "pipelines.study": {"config": "nowhere.toml"},
    "pipelines.train": A_RUN,
    "training.labels_in_shards": {"shards_dir": "nowhere"},
    "training.load_model": {"model_dir": "nowhere"},
    "training.normalise": {"pixels": torch.zeros((1, 2, 2, 3), dtype=torch.uint8)},
    "training.save_model": {"model_dir": "nowhere", "weights": {}, "card": CARD},
    "training.training_batches": {"shards_dir": "nowhere", "label_ids": ["cat"], "steps": 1},
}
"""Arguments of each function that are right, or that fail late, by a file that is missing."""

NO_PATH = (5, "", "a\0b", pd.DataFrame(), b"nowhere")
NO_SHARE = (0, -0.5, 1.5, "a", True, math.nan, math.inf, np.float32(2))
NO_TABLE = (5, "a", [1], pd.Series([1.0]), pd.DataFrame(), pa.table({"x": [1]}))
NO_TAXONOMY = (5, "taxonomy.jsonl", {})
NOT_NEGATIVE = (-1, 1.5, "1", True, math.nan, np.int64(-1))
NOT_ABOVE_0 = (0, *NOT_NEGATIVE)
NO_TEXT = (5, ["a"], b"a")
REFUSED: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("path", "run", "out", "answers", "votes", "known", "config", "files", "figures"), NO_PATH
    ),
    "pipelines.export.out": ("", "shards", 5),
    **dict.fromkeys(("shards_dir", "model_dir", "on"), NO_PATH),
    "pipelines.audit_import.candidates": NO_PATH,
    "pipelines.look.weights": NO_TEXT,
    "pipelines.look.propose": ("a", True, math.nan),
    **dict.fromkeys(("pipelines.evidence_add.propose", "ablate"), (1, "yes")),
    "pipelines.audit_import.taxonomy": NO_PATH,
    "pipelines.audit_import.images": NO_PATH,
    **dict.fromkeys(("scores", "audits", "signals", "candidates"), NO_TABLE),
    **dict.fromkeys(("texts", "pairs"), NO_TABLE),
    "taxonomy": NO_TAXONOMY,
    "keep": NO_SHARE,
    "error_rate": (0.5, -0.1, math.nan, "a", True),
    **dict.fromkeys(("precision", "confidence"), (1, *NO_SHARE)),
    "pipelines.select.keep": ("a", True, math.nan),
    "pipelines.select.precision": ("a", True, math.nan),
    "pipelines.select.confidence": ("a", True, math.nan),
    "pipelines.select.floor": ("a", True, 1.5),
    "pipelines.select.per_label": ("a", True, 1.5),
    "pipelines.select.by": NO_TEXT,
    **dict.fromkeys(("until_width", "pipelines.audit_sample.precision"), ("a", True, math.nan)),
    "pipelines.audit_serve.precision": ("a", True, math.nan),
    "anytime": (1, "yes"),
    "auditor": NO_TEXT,
    "port": NOT_NEGATIVE,
    "allow_hosts": ("evil.example", 5, [5]),
    **dict.fromkeys(("per_image", "per_label"), NOT_ABOVE_0),
    **dict.fromkeys(("image_size", "batch_size", "n_workers"), NOT_ABOVE_0),
    **dict.fromkeys(("n", "seed", "floor"), NOT_NEGATIVE),
    "pipelines.evaluate.image_size": ("a", True, 1.5),
    **dict.fromkeys(("short_side", "seeds", "limit"), ("a", True, 1.5)),
    "training.training_batches.steps": NOT_NEGATIVE,
    "steps": ("a", True, 1.5),
    "by": ("x", 5, ["label"]),
    "intervals": (1, "yes"),
    **dict.fromkeys(("image", "page", "source", "label_set", "task", "runner"), NO_TEXT),
    **dict.fromkeys(("where", "charset"), NO_TEXT),
    "text": NO_TEXT,
    "labels": ("cat", ["cat"], {"cat": 1}, [Label(5, ())], [Label("cat", ("cat",))]),
    **dict.fromkeys(("matcher", "statistics", "card"), (5, "a")),
    "content": (5, "<p>"),
    "url": (5, b"https://a.org/"),
    **dict.fromkeys(
        ("support_only", "method", "beam_options", "label_ids", "sources"), ("alt", 5, [5])
    ),
    "settings": (5, [5], {5: 1}),
    "pixels": (None, np.zeros((1, 2, 2, 3), np.uint8)),
    **dict.fromkeys(("mean", "std"), (None, 5, (1, 2), ("a", "b", "c"), (1, 2, math.nan))),
    "weights": (5, "a", {5: 1}, {"fc": 1}),
}
"""Values that a parameter does not take, by its name or, where this is not enough, the function."""

ANYTHING = (None, 5, -1, 1.5, math.nan, True, "", "a", "\ud800", b"a", [], ["\ud800"], {}, object())


def _function(name: str) -> Callable[..., Any]:
    package, _, public = name.partition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(package), public)
    return function


def _parameters() -> list[tuple[str, str]]:
    return [(name, each) for name in GOOD for each in inspect.signature(_function(name)).parameters]


def _call(name: str, **changed: object) -> Any:
    made = _function(name)(**{**GOOD[name], **changed})
    return list(made) if inspect.isgenerator(made) else made


def test_every_public_function_is_tried() -> None:
    names = [f"{package}.{name}" for package, name in NAMES]
    assert sorted(GOOD) == sorted(n for n in names if inspect.isfunction(_function(n)))


@pytest.fixture(autouse=True)
def _an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "parameter"), _parameters())
def test_a_value_that_a_parameter_does_not_take_is_refused_by_its_name(
    name: str, parameter: str
) -> None:
    refused = REFUSED.get(f"{name}.{parameter}") or REFUSED.get(parameter)
    assert refused, "name values that the new parameter does not take in REFUSED"
    for value in refused:
        with pytest.raises(InputError) as caught:
            _call(name, **{parameter: value})
        assert parameter.rstrip("s") in str(caught.value), f"{value!r}: {caught.value}"


@pytest.mark.parametrize(("name", "parameter"), _parameters())
def test_no_value_gives_the_error_of_a_library(name: str, parameter: str) -> None:
    for value in ANYTHING:
        try:
            _call(name, **{parameter: value})
        except WinnowError as error:
            assert str(error)
        except Exception as error:
            pytest.fail(f"{parameter}={value!r}: {error!r}")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("curation.select", {"keep": np.float32(0.5), "floor": np.int8(2)}),
        ("curation.select", {"keep": 1, "per_image": np.uint64(1)}),
        ("curation.draw_audits", {"n": np.int64(5), "seed": np.uint64(2**63)}),
        ("curation.precision_interval", {"confidence": np.float16(0.5)}),
        ("curation.score", {"intervals": np.bool_(True)}),
        ("pipelines.candidates_from_signals", {"support_only": ["linked"]}),
    ],
)
def test_numbers_of_numpy_and_lists_are_taken(name: str, changed: dict[str, Any]) -> None:
    plain = {key: np.asarray(value).tolist() for key, value in changed.items()}
    assert repr(_call(name, **changed)) == repr(_call(name, **plain))


def _changed(table: pa.Table, **values: object) -> pd.DataFrame:
    """Return a frame with other values in its first row."""
    frame = table.to_pandas().astype(dict.fromkeys(values, object))
    for name, value in values.items():
        frame.at[0, name] = value
    return frame


def _vote(**changed: object) -> pd.DataFrame:
    return _changed(CANDIDATES, evidence=[{**VOTE, **changed}])


FRAMES = {
    "a pair twice": ("curation.select", "scores", pa.concat_tables([SCORES, SCORES.slice(0, 1)])),
    "a pair twice ": ("curation.threshold_table", "scores", pa.concat_tables([SCORES, SCORES])),
    "a pair twice  ": ("curation.draw_audits", "pairs", pa.concat_tables([SCORES, SCORES])),
    "a candidate twice": (
        "curation.score",
        "candidates",
        pa.concat_tables([CANDIDATES.slice(0, 1), CANDIDATES]),
    ),
    "a column twice": (
        "curation.select",
        "scores",
        pd.concat([SCORES.to_pandas(), SCORES.to_pandas()[["label_id"]]], axis=1),
    ),
    "a column twice in Arrow": (
        "curation.select",
        "scores",
        pa.table([*SCORES.columns, SCORES[0]], names=[*SCORES.column_names, "image_id"]),
    ),
    "a column of texts twice": (
        "labeling.signals_from_texts",
        "texts",
        pa.table([["a"], ["b"], ["c"]], names=["image", "text", "text"]),
    ),
    "half a character": ("curation.select", "scores", _changed(SCORES, label_id="\ud800")),
    "half a character in a text": (
        "labeling.signals_from_texts",
        "texts",
        pd.DataFrame({"image": ["a"], "text": pd.Series(["\ud800"], dtype=object)}),
    ),
    "numbers as texts": (
        "labeling.signals_from_texts",
        "texts",
        pd.DataFrame({"image": ["a"], "text": [5]}),
    ),
    "NaN": ("curation.select", "scores", _changed(SCORES, p_correct=math.nan)),
    "infinity": ("curation.select", "scores", _changed(SCORES, p_correct=math.inf)),
    "a complex number": ("curation.select", "scores", _changed(SCORES, p_correct=1j)),
    "an unknown label": ("curation.score", "candidates", _changed(CANDIDATES, label_id="dog")),
    "a strength of NaN": ("curation.score", "candidates", _vote(strength=math.nan)),
    "a strength above 1": ("curation.score", "candidates", _vote(strength=2.0)),
    "no source": ("curation.score", "candidates", _vote(source=None)),
    "a negative number of pages": ("curation.score", "candidates", _vote(n_pages=-1)),
    "no vote": ("curation.score", "candidates", _changed(CANDIDATES, evidence=[None])),
    "a silent source without a name": (
        "curation.score",
        "candidates",
        _changed(CANDIDATES, silent=[None]),
    ),
    "no weight": ("pipelines.candidates_from_signals", "signals", _changed(SIGNALS, weight=None)),
}


@pytest.mark.parametrize(("name", "parameter", "frame"), FRAMES.values(), ids=FRAMES)
def test_a_bad_row_or_column_is_refused(name: str, parameter: str, frame: object) -> None:
    with pytest.raises(InputError):
        _call(name, **{parameter: frame})


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("draw_audits", "num_rows"),
        ("precision_interval", "n_audits"),
        ("select", "n_kept"),
        ("threshold_table", "n_candidates"),
    ],
)
def test_empty_tables_are_tables(name: str, number: str) -> None:
    given = {parameter: table[:0] for parameter, table in GOOD[f"curation.{name}"].items()}
    assert getattr(_call(f"curation.{name}", **given), number) == 0


def test_constructors_check_their_fields() -> None:
    from labeling import TaxonomyFiles
    from pipelines import CandidatesFromSignals
    from training import Architecture, ResNet

    for call in (
        lambda: Architecture([18]),  # type: ignore[arg-type]
        lambda: ResNet(Architecture(18), 0),
        lambda: ResNet(18, 3),  # type: ignore[arg-type]
        lambda: TaxonomyFiles(None),  # type: ignore[arg-type]
        lambda: CandidatesFromSignals(None),  # type: ignore[arg-type]
        lambda: CandidatesFromSignals(TAXONOMY, n_buckets=3),
    ):
        with pytest.raises(InputError):
            call()
    assert TaxonomyFiles("a.jsonl").path == Path("a.jsonl")  # type: ignore[arg-type]
