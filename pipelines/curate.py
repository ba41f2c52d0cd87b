"""`winnow audit` and `select`: people judge some candidates, and the best of all are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import audits
from curation.features import features
from curation.manifest import (
    Stage,
    current,
    file_digest,
    open_stage,
    reuse,
    staged,
    write_parquet,
)
from curation.scoring import cold_scores, score
from labeling.errors import InputError
from labeling.schemas import AUDITS, CANDIDATES, IMAGES, SCORED, TRUTH, check
from pipelines.config import Config
from pipelines.publish import taxonomy_of
from pipelines.talk import step
from pipelines.truth import read_truth
