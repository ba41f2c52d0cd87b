"""The index of a run's candidates, opened: nothing of it is read as a whole."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from labeling.errors import InputError
from labeling.keys.ids import from_halves
from labeling.schemas import SELECT_REASONS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.browsing.blocks import ROW, Blocks
from pipelines.browsing.build import FILES, TEXTS, Stages
from pipelines.browsing.pairs import Scope, read_pairs
from pipelines.page.lookup import ImageFile
from pipelines.run.stages import taxonomy_of

MAX_TEXTS = 50
"""Texts of an image that are shown."""


class Index:
    """An index that `pipelines.browsing.build.build` has written.

    Attributes
    ----------
    version
        Changes with the selection: numbers of pairs are of one version.
    pairs
        The scored pairs.
    taxonomy
        Their labels.
    """

    def __init__(self, run_dir: Path, stages: Stages) -> None:
        self.stages = stages
        self.version = stages.of_pairs.name.partition("-")[2]
        self.pairs = read_pairs(run_dir / stages.of_pairs)
        self.taxonomy: Taxonomy = taxonomy_of(stages.candidates)
        folder = run_dir / stages.of_evidence
        self._evidence = Blocks(folder / "evidence.arrow")
        self._files = Blocks(folder / FILES) if (folder / FILES).is_file() else None
        self._texts = Blocks(folder / TEXTS) if (folder / TEXTS).is_file() else None
        self.scope = functools.lru_cache(maxsize=64)(self._scope)
        self.tuning = functools.lru_cache(maxsize=256)(self._tuning)

    def _scope(self, label: int, is_subtree: bool) -> Scope:
        """Return the pairs of a label by its code, or of all below it too."""
        codes = [label]
        if is_subtree:
            ancestors = self.taxonomy.ancestors
            codes += [code for code in self.pairs.labels.tolist() if label in ancestors[code]]
        return Scope(self.pairs, np.flatnonzero(np.isin(self.pairs.labels, codes)).tolist())

    def _tuning(self, label: int, is_subtree: bool) -> dict[str, Any]:
        return self.scope(label, is_subtree).tuning()

    def pair(self, number: int) -> dict[str, Any]:
        """Return a pair: its number, label, probability and reason.

        Raises
        ------
        InputError
            If there is no pair of the number.
        """
        pairs = self.pairs
        if not 0 <= number < len(pairs.p):
            raise InputError(
                "there is no such pair", facts={"pair": number}, help="reload the page"
            )
        label = int(pairs.labels[pairs.label_of(np.array([number]))[0]])
        return {
            "number": number,
            "label_id": self.taxonomy.label_ids[label],
            "name": self.taxonomy.display_name(label),
            "p": round(float(pairs.p[number]), 6),
            "reason": SELECT_REASONS[pairs.reason[number]],
        }

    def image_id(self, number: int) -> str:
        """Return the image of a pair, by its number."""
        self.pair(number)
        image_id: str = from_halves(np.array(self.pairs.image[number : number + 1]))[0].as_py()
        return image_id

    def file(self, image_id: str) -> ImageFile | None:
        """Return the file of an image; None if the run does not know it."""
        rows = [] if self._files is None else self._files.rows_of(image_id).to_pylist()
        if not rows:
            return None
        return ImageFile(rows[0].get("content_id", image_id), rows[0]["location"])

    def labels_of_image(self, image_id: str) -> list[dict[str, Any]]:
        """Return all pairs of an image with their evidence, the most probable first."""
        rows = self._evidence.rows_of(image_id)
        numbers = self.pairs.position[np.asarray(rows[ROW])]
        evidence = rows.select(["evidence", "silent"]).to_pylist()
        pairs = [self.pair(int(n)) | row for n, row in zip(numbers, evidence, strict=True)]
        return sorted(pairs, key=lambda pair: -pair["p"])

    def texts_of_image(self, image_id: str) -> list[dict[str, str]]:
        """Return the distinct texts of an image, `MAX_TEXTS` at most."""
        if self._texts is None:
            return []
        rows = self._texts.rows_of(image_id)
        if not len(rows):
            return []
        distinct = {(row["source"], row["text"]): None for row in rows.to_pylist()}
        return [{"source": source, "text": text} for source, text in distinct][:MAX_TEXTS]
