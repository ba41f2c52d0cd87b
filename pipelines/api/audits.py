"""Steps that have people judge candidates: ``audit sample``, ``import`` and ``serve``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.runs.lock import locked
from curation.runs.stage import Stage, current
from labeling.arguments import Natural, Text
from labeling.errors import ConfigError
from pipelines.api.opening import locked_run
from pipelines.auditing.looks import Look
from pipelines.run.config import with_overrides
from pipelines.run.paths import absolute, existing
from pipelines.run.saved_config import load_config
from pipelines.run.sections import Overrides
from pipelines.run.step import step


@dataclass(frozen=True)
class AuditSample:
    """Result of `audit_sample`.

    Attributes
    ----------
    sheet
        CSV file with a column ``verdict`` to fill in; None if there is nothing to judge.
    n_pairs
        Rows of the sheet without a verdict.
    audits
        Judgements by the truth that the configuration names; None if a person judges.
    look
        Precision so far, with its interval; None without ``until_width`` or before any judgement.
    """

    sheet: Path | None
    n_pairs: int
    audits: Stage | None = None
    look: Look | None = None


@step
def audit_sample(
    run: Path | str,
    *,
    until_width: float | None = None,
    precision: float | None = None,
    anytime: bool = False,
    settings: Overrides = (),
) -> AuditSample:
    """Draw pairs to judge: ``winnow audit sample``.

    A person fills in the sheet, `audit_import` reads it. If the configuration names
    ``audit.truth``, the pairs are judged by it at once.

    Parameters
    ----------
    {run}
    until_width
        Width of the interval of the precision, in (0, 1], that ends the audit: call the function
        again after each import, until the result has no sheet.
    precision
        Precision to prove, in (0, 1): pairs are drawn for ``select(run, precision=…)``, at first
        150, after their import where the threshold will fall.
    anytime
        If true, every selection of the run from now on is a look that is counted, so that intervals
        and proofs hold however often you look and whenever you stop. Given with the first sheet.
    {settings}

    Returns
    -------
    AuditSample
        The sheet, or the judgements.

    Raises
    ------
    ConfigError
        If a width and a precision are given.
    {run_errors}
    InputError
        If there is a sheet whose answers were not imported, all pairs are judged, or ``anytime``
        begins after judgements.
    """
    from pipelines.auditing.looks import begin_anytime
    from pipelines.auditing.sample import SHEET, answer_by_truth, draw_audits
    from pipelines.auditing.until import audit_until

    _refuse_both(until_width, precision)
    with locked_run(run, settings) as (config, run_dir):
        if anytime:
            begin_anytime(run_dir, current(run_dir, "audits") is not None)
        if precision is not None:
            config = with_overrides(config, {"select.precision": precision})
        if until_width is not None:
            look, n_pairs = audit_until(config, run_dir, until_width)
            return AuditSample(run_dir / SHEET if n_pairs else None, n_pairs, look=look)
        if config.audit.truth is not None:
            return AuditSample(None, 0, answer_by_truth(config, run_dir))
        return AuditSample(*draw_audits(config, run_dir))


def _refuse_both(until_width: float | None, precision: float | None) -> None:
    if until_width is not None and precision is not None:
        raise ConfigError(
            "a width and a precision cannot be asked for together",
            facts={"until_width": until_width, "precision": precision},
            help="give `until_width=` for the interval of a share, or `precision=` for a proof",
        )


@step
def audit_import(
    run: Path | str,
    answers: Path | str | None = None,
    *,
    candidates: Path | str | None = None,
    taxonomy: Path | str | None = None,
    images: Path | str | None = None,
) -> Stage:
    """Import judgements, from a filled-in sheet or from elsewhere: ``winnow audit import``.

    Parameters
    ----------
    run
        Run folder; with `candidates` it is created if missing.
    answers
        CSV or Parquet file with the columns image_id, label_id and verdict (yes, no or unsure),
        and where they are known auditor, seq, stratum and p_inclusion; by default the verdicts of
        the audit page.
    candidates
        Parquet file, or folder of such files, of candidates made elsewhere, to begin a run with.
    taxonomy
        Labels of those candidates; by default the labels that occur, without a hierarchy.
    images
        Table of the files of their images, so that these can be shown, looked at and exported: a
        Parquet, CSV, TSV or JSON Lines file with the columns image_id, path (from the folder of
        the table, or the URL of an object) and optionally sha256. It may be given alone, later.

    Returns
    -------
    Stage
        The judgements; the images if these alone are given.

    Raises
    ------
    ConfigError
        If a taxonomy is given without candidates.
    InputError
        If the answers, the candidates, the taxonomy or the images cannot be used.
    BusyError
        If another process works in the run folder.
    IntegrityError
        If a file of the run is missing or differs from what was written.
    """
    from pipelines.auditing.import_candidates import import_candidates
    from pipelines.auditing.import_images import import_images
    from pipelines.auditing.sample import import_answers
    from pipelines.page.answers import import_journals, report_absent

    if taxonomy is not None and candidates is None:
        raise ConfigError(
            "a taxonomy is given without candidates",
            facts={"taxonomy": taxonomy},
            help="name the candidates that it belongs to: `candidates=`",
        )
    run_dir = absolute(Path(run))
    files = None if images is None else existing(absolute(Path(images)))
    if answers is None and candidates is None:
        with locked(run_dir):
            if files is not None:
                return import_images(run_dir, files)
            return import_journals(run_dir)
    if answers is None:
        raise ConfigError(
            "candidates are given without answers",
            facts={"candidates": candidates},
            help="name a table of answers too, with image_id, label_id and verdict",
        )
    given = existing(absolute(Path(answers)))
    labels = None if taxonomy is None else existing(absolute(Path(taxonomy)))
    with locked(run_dir):
        if candidates is not None:
            import_candidates(run_dir, existing(absolute(Path(candidates)), is_folder=True), labels)
        if files is not None:
            import_images(run_dir, files)
        audits = import_answers(run_dir, given)
        report_absent(run_dir, audits)
        return audits


@step
def audit_serve(
    run: Path | str,
    *,
    auditor: Text = "auditor",
    until_width: float | None = None,
    precision: float | None = None,
    known: Path | str | None = None,
    port: Natural = 0,
    allow_hosts: Sequence[str] = (),
    settings: Overrides = (),
) -> Stage | None:
    """Show a page on which a person judges pairs, until interrupted: ``winnow audit serve``.

    It needs the extra ``app``. The address is printed. At the end the verdicts are imported.

    Parameters
    ----------
    {run}
    auditor
        Name of the person who judges, of letters, digits, ``.``, ``_`` and ``-``; each has a
        journal of verdicts in the run folder.
    until_width
        Width of the interval of the precision, in (0, 1]: a look gives the number of pairs for it.
    precision
        Precision to prove, in (0, 1): pairs are drawn for ``select(run, precision=…)``.
    known
        CSV or Parquet file with image_id, label_id and the true verdict of some pairs, which are
        mixed in to measure how often auditors err; by default that of ``audit.known``.
    port
        Port on this machine; 0 for one that is free.
    allow_hosts
        Further hosts that the page may be asked for, as through a tunnel.
    {settings}

    Returns
    -------
    Stage or None
        The judgements; None if nothing was judged.

    Raises
    ------
    InputError
        If all candidates are judged, or a journal is damaged.
    {run_errors}
    """
    from pipelines.page.serve import serve

    run_dir = absolute(Path(run))
    _refuse_both(until_width, precision)
    config = with_overrides(load_config(run_dir), settings)
    if precision is not None:
        config = with_overrides(config, {"select.precision": precision})
    path = None if known is None else absolute(Path(known))
    return serve(config, run_dir, auditor, port, allow_hosts, until_width, path)
