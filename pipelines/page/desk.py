"""The desk of one auditor: open questions, and verdicts on their way to the journal."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.runs.lock import locked
from curation.runs.stage import Stage, current, open_stage
from labeling.errors import InputError
from pipelines.auditing.drawn import read_drawn
from pipelines.auditing.looks import read_looks
from pipelines.auditing.sample import count_pairs, draw_audits
from pipelines.auditing.until import for_share, look_at
from pipelines.browsing.build import evidence_of_run, stages_of
from pipelines.page.answers import (
    drawn_answers,
    entries_of,
    import_journals,
    pairs_of,
    rows_elsewhere,
)
from pipelines.page.journal import Entry, Journal, Mode
from pipelines.page.known import (
    MIXED_IN,
    describe_auditors,
    known_of_file,
    pairs_to_mix_in,
    sure_verdicts,
)
from pipelines.page.labels import describe_labels
from pipelines.page.lookup import ImageFile, evidence_of, files_of_images
from pipelines.page.questions import Question, make_questions, mixed_in
from pipelines.page.requests import RELOAD
from pipelines.page.tally import Tally
from pipelines.page.verdicts import Pair, final_verdicts
from pipelines.run.config import Config
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.select import select
from pipelines.selecting.tuning import as_selected, read_tuning, select_command

WIDTH = 0.05
"""Width of the interval that a look gives the number of pairs for, where none was asked for."""

N_MORE = 100
"""Pairs that are drawn at a time beyond those that the settings ask for."""

MAX_MS = 120_000
"""Longest time of a verdict that counts for the pace: after that a person was elsewhere."""

N_PACE = 50
"""Last screens that the pace is of."""


class Desk:
    """Questions of one auditor, in the order of the draw.

    Attributes
    ----------
    questions
        All questions since the page was opened. Their numbers do not change.
    """

    def __init__(
        self,
        config: Config,
        run_dir: Path,
        journal: Journal,
        width: float = WIDTH,
        known: Path | None = None,
    ) -> None:
        self.config, self.run_dir, self.journal, self.width = config, run_dir, journal, width
        self.candidates = open_stage(run_dir, "candidates")
        self.taxonomy = taxonomy_of(self.candidates)
        self.questions: list[Question] = []
        self._judged: set[int] = set()
        content = self.candidates.content
        self._tally = Tally(entry for entry in journal.entries if entry.candidates == content)
        self._known = known_of_file(config, self.candidates, known)
        self._files: dict[str, ImageFile] = {}
        self._screens: list[tuple[int, int]] = []
        self._lock = threading.Lock()
        self.draw()

    def draw(self) -> int:
        """Add the drawn pairs that nobody has judged, and return how many questions are new.

        Where all are judged, the verdicts are imported and the next pairs are drawn.

        Raises
        ------
        InputError
            If all candidates are judged, or there is a sheet with answers that were not imported.
        BusyError
            If another process works in the run folder.
        """
        self._refuse_other_candidates()
        with self._lock, locked(self.run_dir):
            new = self._unasked()
            if not new:
                self._import()
                draw_audits(self._with_more(), self.run_dir, replaces_untouched=True)
                new = self._unasked()
            self.questions += new
            self._files |= files_of_images(self.run_dir, {q.image_id for q in new})
            return len(new)

    def _unasked(self) -> list[Question]:
        drawn = read_drawn(self.run_dir, self.candidates)
        journals = entries_of(self.run_dir, self.candidates)
        earlier = rows_elsewhere(journals, drawn_answers(self.run_dir, self.candidates))
        by_others = self._judged_by_others(journals, earlier)
        self._tally.begin([] if drawn is None else pairs_of(drawn), by_others)
        first, repeated = self._tally.final["first"], self._tally.final["repeat"]
        done = {*first, *by_others}
        seed = self.config.audit.seed
        questions = make_questions(self._tally.drawn, done, first, repeated, seed)
        asked = {question.pair for question in (*questions, *self.questions)}
        checks = pairs_to_mix_in(
            self._known,
            sure_verdicts(journals, earlier),
            self.journal.auditor,
            asked,
            math.ceil(MIXED_IN * sum(question.ask == "first" for question in questions)),
            seed,
        )
        return mixed_in(questions, checks, seed)

    def _judged_by_others(
        self, journals: Mapping[str, Sequence[Entry]], earlier: Iterable[Mapping[str, str]]
    ) -> set[Pair]:
        others = [lines for name, lines in journals.items() if name != self.journal.auditor]
        return {pair for lines in others for pair in final_verdicts(lines, "first")} | {
            (row["image_id"], row["label_id"]) for row in earlier
        }

    def _import(self) -> None:
        """Import the verdicts of all auditors, if there are any."""
        if any(entries_of(self.run_dir, self.candidates).values()):
            import_journals(self.run_dir)

    def _with_more(self) -> Config:
        """Return the settings, with more pairs than were judged."""
        audit = self.config.audit
        n_judged = count_pairs(drawn_answers(self.run_dir, self.candidates))
        n_next = max((look.n_next for look in read_looks(self.run_dir)), default=0)
        n = max(audit.n, n_next)
        n = n if n_judged < n else n_judged + N_MORE
        n = min(n, self.candidates.counts["candidates"])
        changed = audit.model_copy(update={"n": n, "repeats": 0})
        return self.config.model_copy(update={"audit": changed})

    def look(self) -> dict[str, Any]:
        """Import the verdicts, and return the precision of the share to be kept, so far.

        The look is counted: the intervals of all looks of the run hold together.

        Raises
        ------
        InputError
            If the verdicts are too few to learn from.
        QualityError
            If auditors err so often that no number of audits gives the width.
        BusyError
            If another process works in the run folder.
        """
        self._refuse_other_candidates()
        with self._lock, locked(self.run_dir):
            self._import()
            look = look_at(for_share(self.config), self.run_dir, self.width)
            return asdict(look) | {"width": self.width, "is_narrow": look.width <= self.width}

    def select(self, share: float | None) -> dict[str, Any]:
        """Select a share, or with all verdicts so far as the last time, and return the result.

        Raises
        ------
        InputError
            If there are no judgements, or they are newer than those that a share was chosen by.
        QualityError
            If a precision is asked for and cannot be proved.
        BusyError
            If another process works in the run folder.
        """
        self._refuse_other_candidates()
        with self._lock, locked(self.run_dir):
            if share is None:
                self._import()
            elif stages_of(self.run_dir) is None:
                raise InputError(
                    "the run was judged or selected again since the numbers were made",
                    help="reload the page",
                )
            last = current(self.run_dir, "selected")
            config = self.config if last is None else as_selected(self.config, last)
            if share is not None:
                changed = {"keep": share, "precision": None}
                settings = config.select.model_copy(update=changed)
                config = config.model_copy(update={"select": settings})
            return self._describe(select(config, self.run_dir), config)

    def _describe(self, selected: Stage, config: Config) -> dict[str, Any]:
        facts, settings = selected.facts, config.select
        command = select_command(self.run_dir, config, self.config)
        goal = {"precision": settings.precision, "keep": settings.keep}
        name = "keep" if settings.precision is None else "precision"
        return {
            "n": selected.counts["in"],
            "n_kept": selected.counts["out"],
            **{key: facts[key] for key in ("precision", "precision_low", "precision_high")},
            "command": f"{command} --{name} {goal[name]}",
            "setting": f"select.{name} = {goal[name]}",
        }

    def tuning(self, selected: Stage) -> dict[str, Any]:
        """Return the table of other shares that a selection wrote, with its command."""
        used = as_selected(self.config, selected)
        command = select_command(self.run_dir, used, self.config)
        return {**(read_tuning(selected) or {}), "command": command}

    def judge(self, verdicts: Mapping[int, str], mode: Mode, ms: int) -> None:
        """Write the verdicts of one screen to the journal; an empty one takes the last back.

        Parameters
        ----------
        verdicts
            By number of the question.
        mode
            How the pairs were shown.
        ms
            Milliseconds since the screen was shown.

        Raises
        ------
        InputError
            For a question that does not exist, an unknown verdict, candidates that were made again,
            or a full disk.
        """
        self._refuse_other_candidates()
        with self._lock:
            ms_each = min(ms // max(len(verdicts), 1), MAX_MS)
            entries = self._entries(verdicts, mode, ms_each)
            self.journal.append(entries)
            self._tally.add(entries)
            for number, verdict in verdicts.items():
                (self._judged.add if verdict else self._judged.discard)(number)
            if all(verdicts.values()):
                self._screens.append((len(verdicts), len(verdicts) * ms_each))

    def _refuse_other_candidates(self) -> None:
        candidates = current(self.run_dir, "candidates")
        if candidates is None or candidates.content != self.candidates.content:
            raise InputError(
                "the run was labeled again since the page was opened",
                facts={"run": self.run_dir},
                help="end the page with Ctrl-C and start it again, for a draw from the new"
                " candidates",
            )

    def _entries(self, verdicts: Mapping[int, str], mode: Mode, ms: int) -> list[Entry]:
        # A clock that was set back would make an earlier verdict the last one.
        last = self.journal.entries[-1].at if self.journal.entries else 0
        at = max(last, time.time_ns() // 1_000_000)
        try:
            return [
                Entry(self.candidates.content, *q.pair, verdict, q.ask, mode, ms, at, known)
                for number, verdict in verdicts.items()
                for q in [self.question(number)]
                for known in [self._known.get(q.pair, "")]
            ]
        except ValueError as error:
            raise InputError(
                "a verdict is not valid", facts={"cause": error}, help=RELOAD
            ) from error

    def question(self, number: int) -> Question:
        """Return a question by its number, or raise `InputError`."""
        if not 0 <= number < len(self.questions):
            raise InputError("there is no such question", facts={"question": number}, help=RELOAD)
        return self.questions[number]

    def file(self, number: int) -> ImageFile | None:
        """Return the file of the image of a question; None if the run does not know it."""
        return self._files.get(self.question(number).image_id)

    def evidence(self, number: int) -> dict[str, Any]:
        """Return the evidence for the pair of a question."""
        supported = evidence_of_run(self.run_dir, self.candidates)
        return evidence_of(self.run_dir, supported, *self.question(number).pair)

    def queue(self) -> dict[str, Any]:
        """Return the open questions in the order of the draw, and their labels.

        A question is its number, the label, and the number of the first one about the same pair.
        """
        still_open = [n for n in range(len(self.questions)) if n not in self._judged]
        labels = {self.questions[n].label_id for n in still_open}
        drawn = [label_id for _, label_id in self._tally.drawn]
        first: dict[Pair, int] = {}
        for number, question in enumerate(self.questions):
            first.setdefault(question.pair, number)
        return {
            "questions": [
                [n, q.label_id, first[q.pair]] for n in still_open for q in [self.questions[n]]
            ],
            "labels": describe_labels(self.taxonomy, sorted(labels), drawn),
        }

    def auditors(self) -> dict[str, Any]:
        """Return the mistakes of all auditors by known answers, and how far they agree."""
        with self._lock:
            journals = entries_of(self.run_dir, self.candidates)
        earlier = rows_elsewhere(journals, drawn_answers(self.run_dir, self.candidates))
        return describe_auditors(journals, earlier, self.config.select.confidence)

    def state(self) -> dict[str, Any]:
        """Return counts: judged, open and counted pairs, those asked twice, and the pace."""
        n_same, n_twice = self._tally.same_and_twice()
        screens = self._screens[-N_PACE:]
        n, ms = (sum(column) for column in zip(*screens, strict=True)) if screens else (0, 0)
        return {
            "auditor": self.journal.auditor,
            "judged": len(self._tally.final["first"]),
            "open": len(self.questions) - len(self._judged),
            "drawn": len(self._tally.drawn),
            "counted": self._tally.counted(),
            "twice": n_twice,
            "same": n_same,
            "per_hour": round(3_600_000 * n / ms) if ms else None,
        }
