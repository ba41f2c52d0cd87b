"""The labels: their names and parents, a directed acyclic graph."""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.arguments import checks_arguments
from labeling.errors import InputError
from labeling.schemas import LABEL_ID, TAXONOMY

Codes = npt.NDArray[np.int32]
"""``int32[n]``: position of a label in `Taxonomy.label_ids`."""


@dataclass(frozen=True)
class Label:
    """One label.

    Parameters
    ----------
    label_id
        1 to 128 letters, digits, ``_``, ``-`` or ``:``.
    names
        Names and synonyms with their language, such as ``("cat", "en")``; the first one is shown.
    parents
        Ids of the more general labels directly above this one.
    gloss
        Definition.
    line
        Line of its file, for messages.
    unread
        Keys or columns of its line that are not read.
    notes
        Sentences on its file for people, such as the number of comments before it.
    """

    label_id: str
    names: tuple[tuple[str, str], ...]
    parents: tuple[str, ...] = ()
    gloss: str | None = None
    line: int = 0
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """All labels, sorted by id; the index of a label is its code.

    Build it with `read_taxonomy` or `build_taxonomy`, which check it.

    Attributes
    ----------
    label_ids
        Id of each label, in ascending order.
    names
        Names and synonyms of each label with their language, the shown one first.
    parents
        Codes of the labels directly above each label.
    glosses
        Definition of each label, or None.
    unread
        Number of labels with each key or column of the file that is not read.
    notes
        Sentences on the file: comments, headers and repeated names.
    """

    label_ids: tuple[str, ...]
    names: tuple[tuple[tuple[str, str], ...], ...]
    parents: tuple[tuple[int, ...], ...]
    glosses: tuple[str | None, ...]
    unread: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.label_ids)

    def __repr__(self) -> str:
        return f"<Taxonomy of {len(self):,} labels in {int(self.level.max()) + 1} levels>"

    def _repr_html_(self) -> str:
        from labeling.frames.notebook import MAX_ROWS, html_table

        rows = [
            (
                self.label_ids[code],
                ", ".join(name for name, _ in self.names[code]),
                ", ".join(self.label_ids[parent] for parent in self.parents[code]),
            )
            for code in range(min(len(self), MAX_ROWS))
        ]
        return html_table(repr(self)[1:-1], ("label_id", "names", "parents"), rows)

    @functools.cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Codes of the labels directly below each label."""
        children: list[list[int]] = [[] for _ in self.label_ids]
        for code, parents in enumerate(self.parents):
            for parent in parents:
                children[parent].append(code)
        return tuple(tuple(c) for c in children)

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """All codes in topological order: every label after its parents."""
        return tuple(TopologicalSorter(dict(enumerate(self.parents))).static_order())

    @functools.cached_property
    def ancestors(self) -> tuple[tuple[int, ...], ...]:
        """Codes of all labels above each label, sorted, without the label itself."""
        above: list[set[int]] = [set() for _ in self.label_ids]
        for code in self.order:
            for parent in self.parents[code]:
                above[code] |= above[parent] | {parent}
        return tuple(tuple(sorted(a)) for a in above)

    @functools.cached_property
    def level(self) -> npt.NDArray[np.int16]:
        """``int16[n]``: length of the longest path up, 0 for a label without parents."""
        level = np.zeros(len(self), np.int16)
        for code in self.order:
            for parent in self.parents[code]:
                level[code] = max(level[code], level[parent] + 1)
        return level

    def above(self, code: int, n_levels: int) -> set[int]:
        """Return the codes of the label and of those above it, at most `n_levels` up."""
        above = level = {code}
        for _ in range(n_levels):
            level = {parent for label in level for parent in self.parents[label]} - above
            if not level:
                break
            above = above | level
        return above

    def display_name(self, code: int) -> str:
        """Return the first name of a label, or its id if it has no name."""
        names = self.names[code]
        return names[0][0] if names else self.label_ids[code]

    def code(self, label_id: str) -> int:
        """Return the code of one label, or raise `InputError`."""
        code = bisect_left(self.label_ids, label_id) if isinstance(label_id, str) else len(self)
        if self.label_ids[code : code + 1] != (label_id,):
            raise _unknown_label(label_id)
        return code

    def codes(
        self,
        label_ids: pa.Array | pa.ChunkedArray,
        row_name: Callable[[int], str] = "row {}".format,
    ) -> Codes:
        """Return the code of each label of an Arrow column of texts, or raise `InputError`.

        The texts may be encoded as a dictionary.

        The error names the first row with an unknown label.
        """
        if isinstance(label_ids, pa.ChunkedArray) and pa.types.is_dictionary(label_ids.type):
            label_ids = label_ids.unify_dictionaries().combine_chunks()
        is_coded = isinstance(label_ids, pa.DictionaryArray)
        texts = label_ids.dictionary if is_coded else label_ids
        if not isinstance(texts, pa.Array | pa.ChunkedArray) or texts.type != pa.string():
            raise InputError(
                "labels are not an Arrow column of texts", facts={"found": _kind(label_ids)}
            )
        codes = pc.index_in(texts, value_set=self._id_column)
        codes = codes.take(label_ids.indices) if is_coded else codes
        if codes.null_count:
            first = int(np.argmax(np.asarray(pc.is_null(codes))))
            raise _unknown_label(label_ids[first].as_py(), row_name(first))
        return np.asarray(codes, dtype=np.int32)

    @functools.cached_property
    def _id_column(self) -> pa.Array:
        return pa.array(self.label_ids, pa.string())

    def ids_of(self, codes: Codes) -> pa.Array:
        """Return the label id of each code as an Arrow text array."""
        return self._id_column.take(pa.array(codes))

    def to_table(self) -> pa.Table:
        """Return the taxonomy as a table of `labeling.schemas.TAXONOMY`."""
        rows = [
            {
                "label_id": label_id,
                "names": [{"name": n, "lang": lang} for n, lang in self.names[code]],
                "parents": [self.label_ids[p] for p in self.parents[code]],
                "gloss": self.glosses[code],
            }
            for code, label_id in enumerate(self.label_ids)
        ]
        return pa.Table.from_pylist(rows, schema=TAXONOMY.arrow)


def from_table(table: pa.Table) -> Taxonomy:
    """Return the taxonomy that `Taxonomy.to_table` wrote."""
    labels = [
        Label(
            row["label_id"],
            tuple((n["name"], n["lang"]) for n in row["names"]),
            tuple(row["parents"]),
            row["gloss"],
            line,
        )
        for line, row in enumerate(table.to_pylist(), 1)
    ]
    return build_taxonomy(labels, "taxonomy table")


@checks_arguments
def build_taxonomy(labels: Sequence[Label], where: str = "labels") -> Taxonomy:
    """Check labels and return them as a taxonomy.

    Parameters
    ----------
    labels
        In any order.
    where
        Name of their file, for messages.

    Returns
    -------
    Taxonomy
        The labels sorted by id.

    Raises
    ------
    InputError
        If there is no label, a field of one is of a wrong form, an id occurs twice, a parent is
        unknown, or labels form a cycle.

    Examples
    --------
    >>> cat = Label("cat", (("cat", "en"),), ("animal",), None, line=1)
    >>> taxonomy = build_taxonomy([cat, Label("animal", (), (), None, line=2)], "doctest")
    >>> taxonomy.label_ids, taxonomy.parents
    (('animal', 'cat'), ((), (0,)))
    """
    if not labels:
        raise InputError(
            "the taxonomy has no labels", facts={"file": where}, help="give it one label or more"
        )
    for label in labels:
        _refuse_bad_label(label, f"{where}:{label.line}")
    refuse_repeated_ids(labels, where, "merge the labels: names and parents are lists")
    ordered = sorted(labels, key=lambda label: label.label_id)
    code_of = {label.label_id: code for code, label in enumerate(ordered)}
    for label in labels:
        for parent in label.parents:
            if parent not in code_of:
                raise InputError(
                    f"label {label.label_id} has a parent that is not in the taxonomy",
                    facts={"file": f"{where}:{label.line}", "parent": repr(parent)},
                    help="add the parent as a label, or remove it",
                )
    parents = [tuple(sorted({code_of[p] for p in label.parents})) for label in ordered]
    _refuse_cycle(ordered, parents, where)
    return Taxonomy(
        label_ids=tuple(label.label_id for label in ordered),
        names=tuple(tuple(dict.fromkeys(label.names)) for label in ordered),
        parents=tuple(parents),
        glosses=tuple(label.gloss for label in ordered),
        unread=dict(Counter(key for label in labels for key in label.unread)),
        notes=tuple(note for label in labels for note in label.notes),
    )


def _refuse_bad_label(label: Label, where: str) -> None:
    """Raise `InputError` if a table could not hold the label."""
    label_id, parents = label.label_id, label.parents
    if not isinstance(label_id, str) or not re.fullmatch(LABEL_ID.rstrip("$"), label_id):
        raise InputError(
            "a label id has characters that are not allowed",
            facts={
                "where": where,
                "id": f"{label_id!r:.200}",
                "allowed": "1 to 128 letters, digits, _ - :",
            },
            help="shorten or rename the id; names may have any characters",
        )
    if not isinstance(label.names, tuple) or not all(map(_is_name, label.names)):
        raise _bad_field(label, "names", where, 'name and language of each: (("cat", "en"),)')
    if not isinstance(parents, tuple) or not all(isinstance(parent, str) for parent in parents):
        raise _bad_field(label, "parents", where, 'ids of labels: ("animal",)')
    if not isinstance(label.gloss, str | None):
        raise _bad_field(label, "gloss", where, "a text or None")
    for text in (*(part for name in label.names for part in name), label.gloss or ""):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                "a name or gloss of a label is not Unicode text",
                facts={"where": where, "cause": error},
                help="correct the text, or leave it out",
            ) from error


def _is_name(name: object) -> bool:
    if not isinstance(name, tuple) or len(name) != 2:
        return False
    return all(isinstance(part, str) for part in name)


def _bad_field(label: Label, name: str, where: str, expected: str) -> InputError:
    return InputError(
        f"{name} of the label {label.label_id} are not of the right form",
        facts={"where": where, "found": f"{getattr(label, name)!r:.200}", "expected": expected},
        help="see `labeling.Label`",
    )


def refuse_repeated_ids(labels: Sequence[Label], where: str, help: str) -> None:
    """Raise `InputError` with the lines of the first id that occurs twice, and a remedy."""
    counts = Counter(label.label_id for label in labels)
    for repeated in (label_id for label_id, n in counts.items() if n > 1):
        lines = [str(label.line) for label in labels if label.label_id == repeated]
        raise InputError(
            f"label id {repeated} occurs more than once in the taxonomy",
            facts={"file": where, "lines": ", ".join(lines)},
            help=help,
        )


def _refuse_cycle(labels: Sequence[Label], parents: Sequence[tuple[int, ...]], where: str) -> None:
    try:
        TopologicalSorter(dict(enumerate(parents))).prepare()
    except CycleError as error:
        upwards = error.args[1][:0:-1]
        first = upwards.index(min(upwards))
        cycle = [*upwards[first:], *upwards[: first + 1]]
        path = " → ".join(f"{labels[c].label_id} (line {labels[c].line})" for c in cycle)
        raise InputError(
            "the taxonomy has a cycle: a label would be above itself",
            facts={"file": where, "cycle": path},
            help="remove one of these parents",
        ) from None


def _kind(value: object) -> object:
    return getattr(value, "type", type(value))


def _unknown_label(label_id: object, where: str = "") -> InputError:
    return InputError(
        f"label {label_id!r} is not in the taxonomy",
        facts={"where": where} if where else None,
        help="add it to the taxonomy, or correct the table",
    )
