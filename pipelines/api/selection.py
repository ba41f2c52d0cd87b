"""Steps that decide which candidates to believe: ``evidence``, ``look`` and ``select``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.runs.lock import locked
from curation.runs.stage import Stage
from labeling.arguments import Text
from labeling.errors import ConfigError
from pipelines.api.opening import locked_run
from pipelines.run.config import with_overrides
from pipelines.run.paths import absolute, existing
from pipelines.run.sections import Overrides
from pipelines.run.step import step


@step
def evidence_add(run: Path | str, votes: Path | str, *, propose: bool = False) -> Stage:
    """Add votes of further sources to the candidates: ``winnow evidence add``.

    The next selection learns from the audits how far to believe each source. Evidence that was
    added before for the same source is replaced.

    Parameters
    ----------
    {run}
    votes
        Parquet, CSV, TSV or JSON Lines file with the columns image_id, label_id (or a name that
        means one label), source and strength: any finite number, of which only the order within
        the source counts.
    propose
        Whether pairs that are not candidates become proposals: candidates of a run of their own in
        the folder ``proposals`` of the run, to be audited and selected apart.

    Returns
    -------
    Stage
        The candidates with their evidence; ``facts["files"]`` has the numbers.

    Raises
    ------
    InputError
        If the file cannot be used, no row of it is about a candidate, or one of its sources voted
        when the candidates were made.
    BusyError
        If another process works in the run folder.
    IntegrityError
        If a file of the run is missing or differs from what was written.
    """
    from pipelines.evidence.add import add_file

    run_dir = absolute(Path(run))
    with locked(run_dir):
        return add_file(run_dir, existing(absolute(Path(votes))), propose)


@step
def evidence_remove(run: Path | str, sources: Sequence[str]) -> Stage:
    """Remove the votes of sources that were added: ``winnow evidence remove``.

    Parameters
    ----------
    {run}
    sources
        Names of the sources.

    Returns
    -------
    Stage
        The candidates with the evidence that is left; without files if none is.

    Raises
    ------
    InputError
        If one of the sources was not added.
    BusyError
        If another process works in the run folder.
    IntegrityError
        If a file of the run is missing or differs from what was written.
    """
    from pipelines.evidence.add import remove

    run_dir = absolute(Path(run))
    with locked(run_dir):
        return remove(run_dir, sources)


@step
def look(
    run: Path | str,
    *,
    weights: Text | None = None,
    propose: float | None = None,
    settings: Overrides = (),
) -> Stage:
    """Have networks judge the candidates of images they were not trained on: ``winnow look``.

    Their votes join the candidates as the sources ``visual`` and ``neighbours``; the next selection
    learns from the audits how far to believe them. No verdict has a part in the vote on its image.

    Parameters
    ----------
    {run}
    weights
        A network that was trained elsewhere: ``efficientnet-lite0`` or ``efficientnet-lite2`` of
        the extra ``pretrained``, the path of a safetensors file of a ResNet with torchvision's or
        timm's names, or of the folder of a model. Without it five networks are trained by the
        settings ``train``.
    propose
        In (0, 1): pairs that are not candidates and that the network gives this probability or more
        become proposals, as of `evidence_add`; by default none.
    {settings}

    Returns
    -------
    Stage
        The candidates with their evidence.

    Raises
    ------
    {run_errors}
    InputError
        If the run has no images or no audits, or the weights cannot be used.
    """
    from pipelines.looking.look import look as judge_candidates

    given: dict[str, object] = {} if propose is None else {"look.propose": propose}
    if weights is not None:  # a path that is typed starts from the working folder
        path = absolute(Path(weights))
        given["look.weights"] = str(path) if path.exists() else weights
    with locked_run(run, settings) as (config, run_dir):
        return judge_candidates(with_overrides(config, given), run_dir)


@step
def select(
    run: Path | str,
    *,
    keep: float | None = None,
    precision: float | None = None,
    confidence: float | None = None,
    by: str | None = None,
    floor: int | None = None,
    per_label: int | None = None,
    settings: Overrides = (),
) -> Stage:
    """Score the candidates, keep the best and measure their precision: ``winnow select``.

    Parameters
    ----------
    {run}
    keep
        Share of the candidates to keep, in (0, 1].
    precision
        Precision to hold, in (0, 1): as many are kept as are proved to be this precise.
    confidence
        Confidence of the precision, in (0, 1); 0.95 by default.
    by
        ``level``, ``label`` or ``source-pattern``: select in each group by itself.
    floor
        Best candidates of each label to keep, as many as the share or the precision allows; 20 by
        default, 0 for none.
    per_label
        Images of a label to keep, about: drawn at random if there are more, but the floor stays.
    {settings}

    Returns
    -------
    Stage
        The selection: ``counts`` has the numbers, ``facts`` the precision.

    Raises
    ------
    ConfigError
        If a share and a precision are given.
    {run_errors}
    InputError
        If the run has no audits.
    QualityError
        If the precision cannot be proved; nothing is written then.
    """
    from pipelines.selecting.select import select as make_selection

    if keep is not None and precision is not None:
        raise ConfigError(
            "a share and a precision cannot be asked for together",
            facts={"keep": keep, "precision": precision},
            help="give `keep=` or `precision=`, not both",
        )
    options: dict[str, Any] = {"keep": keep, "confidence": confidence, "by": by, "floor": floor}
    options |= {"per_label": per_label}
    given = {f"select.{name}": value for name, value in options.items() if value is not None}
    if keep is not None or precision is not None:
        given["select.precision"] = precision  # a share asked for replaces a configured precision
    with locked_run(run, settings) as (config, run_dir):
        return make_selection(with_overrides(config, given), run_dir)
