"""Verdicts of journals as a sheet of answers, for `pipelines.auditing.sample.import_answers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from curation.audits.audits import is_drawn_here
from curation.runs.durable import write_text
from curation.runs.stage import Stage, open_stage
from labeling.errors import InputError
from labeling.schemas import AUDITS
from pipelines.auditing.drawn import read_drawn
from pipelines.auditing.sample import answered, current_audits, import_answers
from pipelines.page.journal import FOLDER, Entry, read_journals
from pipelines.page.known import measure_auditors
from pipelines.page.verdicts import Pair, final_verdicts
from pipelines.run.paths import typed
from pipelines.run.progress import notify

FILE = "answers.csv"
COLUMNS = ["image_id", "label_id", "verdict", "auditor"]


def counted(order: Sequence[Pair], judged: set[Pair]) -> int:
    """Return the number of pairs at the start of a draw that are all judged.

    Pairs are shown in another order where screens hold one label, and people stop anywhere. The
    start of a draw is a smaller draw; an arbitrary part of it is not.

    Examples
    --------
    >>> counted([("a", "cat"), ("b", "cat"), ("c", "cat")], {("a", "cat"), ("c", "cat")})
    1
    """
    return next((i for i, pair in enumerate(order) if pair not in judged), len(order))


def import_journals(run_dir: Path) -> Stage:
    """Commit the judgements of all journals of a run.

    A pair that was asked again, to learn how often auditors err, keeps its first verdict: further
    ones come before it in the sheet, so that it is the last and counts. Mistakes in known answers
    are counted beside the judgements.

    Raises
    ------
    InputError
        If no verdict on these candidates counts yet, or a journal is damaged.
    """
    candidates = open_stage(run_dir, "candidates")
    journals = entries_of(run_dir, candidates)
    n_lines = sum(map(len, journals.values()))
    if not n_lines:
        raise _nothing_counts(run_dir, n_lines)
    earlier = rows_elsewhere(journals, drawn_answers(run_dir, candidates))
    if not is_drawn_here(current_audits(run_dir, candidates)):
        notify("the judgements of this run were drawn elsewhere: those of the page replace them")
    drawn = read_drawn(run_dir, candidates)
    rows = answer_rows(journals, earlier, [] if drawn is None else pairs_of(drawn))
    if not len(rows):
        raise _nothing_counts(run_dir, n_lines)
    path = run_dir / FOLDER / FILE
    write_text(path, rows.to_csv(index=False, lineterminator="\n"))
    return import_answers(run_dir, path, measure_auditors(journals, earlier))


def _nothing_counts(run_dir: Path, n_lines: int) -> InputError:
    return InputError(
        "no verdict of the audit page counts yet",
        facts={"journals": run_dir / FOLDER, "lines": n_lines},
        help=f"judge pairs with `winnow audit serve {typed(run_dir)}`, or name a table of answers",
    )


def report_absent(run_dir: Path, audits: Stage) -> None:
    """Report how many pairs that the journals hold are not in judgements from a sheet.

    A journal that is damaged is reported too: the sheet has been imported without it.
    """
    imported = audits.table(AUDITS)
    try:
        journals = entries_of(run_dir, open_stage(run_dir, "candidates"))
    except InputError as error:
        notify(str(error))
        return
    judged = {pair for entries in journals.values() for pair in final_verdicts(entries, "first")}
    n_absent = len(judged - set(pairs_of(answered(imported))))
    if n_absent and is_drawn_here(imported):
        notify(
            f"{n_absent:,} pairs that were judged on the audit page are not in these answers:"
            f" `winnow audit import {typed(run_dir)}` adds them"
        )


def entries_of(run_dir: Path, candidates: Stage) -> dict[str, list[Entry]]:
    """Return the lines of each auditor's journal that are about these candidates."""
    journals = read_journals(run_dir)
    current_lines = {
        name: [entry for entry in entries if entry.candidates == candidates.content]
        for name, entries in journals.items()
    }
    n_other = sum(len(entries) for entries in journals.values())
    n_other -= sum(len(entries) for entries in current_lines.values())
    if n_other:
        notify(f"{n_other:,} lines of audit journals are about other candidates: left out")
    return current_lines


def drawn_answers(run_dir: Path, candidates: Stage) -> pa.Table:
    """Return the answers so far (`labeling.schemas.AUDITS`); none where they were drawn elsewhere.

    Such pairs had other probabilities, which a sheet of this run cannot hold.
    """
    audits = current_audits(run_dir, candidates)
    return answered(audits) if is_drawn_here(audits) else AUDITS.empty()


def rows_elsewhere(
    journals: Mapping[str, Sequence[Entry]], earlier: pa.Table
) -> list[dict[str, str]]:
    """Return the rows of earlier answers that no journal is about, in their order.

    What a journal took back after an import is not an answer any more.
    """
    in_journal = {
        (name, entry.image_id, entry.label_id)
        for name, entries in journals.items()
        for entry in entries
    }
    rows = earlier.sort_by("seq").select(COLUMNS).to_pylist()
    return [
        row for row in rows if (row["auditor"], row["image_id"], row["label_id"]) not in in_journal
    ]


def pairs_of(table: pa.Table) -> list[Pair]:
    """Return the pairs of a table with ``image_id`` and ``label_id``, in order."""
    return list(zip(table["image_id"].to_pylist(), table["label_id"].to_pylist(), strict=True))


def answer_rows(
    journals: Mapping[str, Sequence[Entry]],
    earlier: Sequence[dict[str, str]],
    order: Sequence[Pair],
) -> pd.DataFrame:
    """Return the rows of a sheet: earlier answers, then those of the journals that count.

    Parameters
    ----------
    journals
        Lines by auditor.
    earlier
        Result of `rows_elsewhere`.
    order
        Pairs of the draw in the order in which they were drawn.
    """
    first = {name: final_verdicts(entries, "first") for name, entries in journals.items()}
    repeat = {name: final_verdicts(entries, "repeat") for name, entries in journals.items()}
    check = {name: final_verdicts(entries, "check") for name, entries in journals.items()}
    in_journal = {pair for verdicts in first.values() for pair in verdicts}
    judged = in_journal | {(row["image_id"], row["label_id"]) for row in earlier}
    n_counted = counted(order, judged)
    valid = set(order[:n_counted])
    _report_waiting(order[n_counted:], judged)
    _report_not_drawn(len(in_journal - set(order)))
    rows = [
        (last.at, name, pair, last.verdict)
        for name, verdicts in first.items()
        for pair, last in verdicts.items()
        if pair in valid
    ]
    lines = [
        dict(zip(COLUMNS, (*pair, last.verdict, name), strict=True))
        for name, verdicts in check.items()
        for pair, last in verdicts.items()
        if pair in valid
    ]
    lines += earlier
    for _, name, pair, verdict in sorted(rows):
        again = repeat[name].get(pair)
        both = [verdict] if again is None else [again.verdict, verdict]
        lines += [dict(zip(COLUMNS, (*pair, each, name), strict=True)) for each in both]
    return pd.DataFrame(lines, columns=COLUMNS)


def _report_waiting(order: Sequence[Pair], judged: set[Pair]) -> None:
    is_judged = [pair in judged for pair in order]
    n_waiting = sum(is_judged)
    if n_waiting:
        last = max(i for i, pair in enumerate(order) if pair in judged)
        n_missing = is_judged[:last].count(False)
        notify(
            f"{n_waiting:,} judged pairs count as soon as {n_missing:,} that were drawn before them"
            " are judged too"
        )


def _report_not_drawn(n_pairs: int) -> None:
    if n_pairs:
        notify(f"{n_pairs:,} judged pairs are not in the last draw: left out")
