"""Labels as one step of a Beam pipeline of your own.

Run it with `python docs/examples/own_pipeline.py`. The same code runs on Flink, Spark or Dataflow
with the options of that runner.
"""

from __future__ import annotations

import apache_beam as beam
import pandas as pd
from zoo import make_taxonomy, make_texts

from labeling import signals_from_texts
from pipelines import CandidatesFromSignals


def to_signals(rows: list[dict[str, str]]) -> pd.DataFrame:
    """Return a batch of rows as signals: your own parsing and filtering belongs here."""
    return signals_from_texts(pd.DataFrame(rows), text="alt", page="page", source="alt")


with beam.Pipeline() as pipeline:
    (
        pipeline
        | "Rows" >> beam.Create(make_texts(300).to_dict("records"))  # your own input
        | "Batches" >> beam.BatchElements(min_batch_size=100)
        | "Signals" >> beam.Map(to_signals)
        | "Label" >> CandidatesFromSignals(make_taxonomy())  # yields tables of candidates
        | "Labels" >> beam.FlatMap(lambda candidates: candidates["label_id"].to_pylist())
        | "Count" >> beam.combiners.Count.PerElement()
        | "Print" >> beam.Map(lambda row: print(*row))  # your own output
    )
