from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curation.audits.audits import answer, sample
from curation.runs.stage import Stage, open_stage
from curation.runs.staging import write_stage
from curation.runs.table_files import write_parquet, write_table
from curation.scoring import parts
from curation.scoring.features import features
from curation.scoring.parts import parts_of_table, pool_of_parts
from curation.scoring.scoring import score
from labeling.errors import InputError
from pipelines.auditing.pool import pool_of
from pipelines.run.config import Config, TaxonomyInput
from pipelines.selecting import scores
from pipelines.selecting.scores import parts_of
from tests.curation.worlds import cold_scores, make_world

WORLD = make_world(800, seed=5)


def audits_of(n: int) -> pa.Table:
    table = features(WORLD.candidates, WORLD.taxonomy)
    return answer(sample(table.pairs, cold_scores(table), n, 0), WORLD.truth)


def stage_of(run_dir, tables: list[pa.Table]) -> Stage:
    with write_stage(run_dir, "candidates", inputs={}, config={}) as work:
        for i, table in enumerate(tables):
            write_parquet(table, work.dir / f"candidates-{i:05}-of-{len(tables):05}.parquet")
        write_parquet(WORLD.taxonomy.to_table(), work.dir / "taxonomy-00000-of-00001.parquet")
    return open_stage(run_dir, "candidates")


def scores_of(stage: Stage, audits: pa.Table, intervals: bool = False) -> tuple:
    return parts.score_parts(parts_of(stage), WORLD.taxonomy, audits, intervals)


def test_few_candidates_are_all_fitted_on(tmp_path):
    audits = audits_of(150)
    p, _, n_fitted = scores_of(stage_of(tmp_path, [WORLD.candidates]), audits)
    expected = score(features(WORLD.candidates, WORLD.taxonomy), audits).p_correct
    np.testing.assert_array_equal(p, expected)
    assert n_fitted == len(WORLD.candidates)


def test_of_many_some_are_fitted_on_and_the_rest_is_scored_in_parts(tmp_path, monkeypatch):
    audits = audits_of(400)
    monkeypatch.setattr(parts, "MAX_FITTED", 2000)
    monkeypatch.setattr(scores, "N_AT_ONCE", 501)
    third = len(WORLD.candidates) // 3
    pieces = [WORLD.candidates.slice(0, third), WORLD.candidates.slice(third)]
    (p, low, high), scores_of_fitted, n_fitted = scores_of(stage_of(tmp_path, pieces), audits, True)

    assert np.all((low >= 0) & (low <= high) & (high <= 1))
    assert np.mean(low + high) / 2 == pytest.approx(WORLD.correct.mean(), abs=0.05)
    assert 2000 <= n_fitted == len(scores_of_fitted.p_correct) < len(WORLD.candidates)
    top = np.argsort(-p, kind="stable")[:third]
    assert WORLD.correct[top].mean() > WORLD.correct.mean() + 0.25


def test_audits_that_are_not_learned_from_are_counted_by_reason(tmp_path):
    audits = audits_of(150)
    first = audits.slice(0, 3).to_pylist()
    seq = audits["seq"].to_numpy().max()
    more = [
        {**first[0], "verdict": "unsure", "seq": seq + 1},
        {**first[1], "verdict": "yes", "seq": seq + 2},
        {**first[1], "verdict": "no", "seq": seq + 3},
        {**first[2], "image_id": "f" * 32, "seq": seq + 4},
    ]
    audits = pa.concat_tables([audits, pa.Table.from_pylist(more, audits.schema)])
    with write_stage(tmp_path, "audits", inputs={}, config={}) as work:
        write_table(audits, work.dir, "audits")
    candidates = stage_of(tmp_path, [WORLD.candidates])
    settings = Config(taxonomy=TaxonomyInput(path="taxonomy.jsonl"))
    facts = scores.score(settings, tmp_path, candidates, open_stage(tmp_path, "audits")).facts
    names = ("n_audits", "n_unsure", "n_contradictory", "n_unknown")
    assert [facts[name] for name in names] == [149, 1, 1, 1]


def test_candidates_of_an_image_that_do_not_lie_together_are_refused(tmp_path):
    n = len(WORLD.candidates)
    mixed = WORLD.candidates.take(pa.array(np.random.default_rng(0).permutation(n)))
    with pytest.raises(InputError, match="do not lie together"):
        scores_of(stage_of(tmp_path, [mixed]), audits_of(100))


def test_no_candidates_give_the_error_of_few_audits(tmp_path):
    with pytest.raises(InputError, match="too few audits"):
        scores_of(stage_of(tmp_path, [WORLD.candidates.slice(0, 0)]), audits_of(100))


def test_cold_scores_are_those_of_all_candidates_together(tmp_path, monkeypatch):
    monkeypatch.setattr(scores, "N_AT_ONCE", 501)
    third = len(WORLD.candidates) // 3
    pieces = [WORLD.candidates.slice(0, third), WORLD.candidates.slice(third)]
    pool = pool_of_parts(parts_of(stage_of(tmp_path, pieces)), WORLD.taxonomy)
    whole = features(WORLD.candidates, WORLD.taxonomy)
    assert pool.pairs.num_rows == len(WORLD.candidates)
    np.testing.assert_allclose(pool.cold, cold_scores(whole))
    of_one_part = pool_of_parts(parts_of_table(WORLD.candidates), WORLD.taxonomy)
    np.testing.assert_array_equal(pool.kind, of_one_part.kind)


def test_no_candidates_have_no_cold_scores(tmp_path):
    pool = pool_of(tmp_path, stage_of(tmp_path, [WORLD.candidates.slice(0, 0)]))
    assert pool.pairs.num_rows == len(pool.cold) == len(pool.kind) == 0
