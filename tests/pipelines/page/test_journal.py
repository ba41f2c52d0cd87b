from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import BusyError, ConfigError, InputError
from pipelines.page import journal as journals
from pipelines.page.answers import final_verdicts
from pipelines.page.journal import Entry, open_journal, read_journals

ENTRY = Entry("c" * 12, "0" * 32, "cat", "yes", "first", "one", 800, 1_700_000_000_000)


def test_verdicts_are_read_as_they_were_written(tmp_path: Path) -> None:
    both = [ENTRY, replace(ENTRY, verdict="", mode="grid", ask="repeat")]
    with open_journal(tmp_path, "ada") as journal:
        assert journal.auditor == "ada"
        journal.append(both[:1])
        journal.append(both[1:])
        assert journal.entries == both
        assert read_journals(tmp_path) == {"ada": both}
    with open_journal(tmp_path, "ada") as journal:
        assert journal.entries == both


def test_a_line_that_is_not_whole_is_removed_and_the_next_one_is_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_journal(tmp_path, "ada") as journal:
        journal.append([ENTRY, ENTRY])
    path = tmp_path / journals.FOLDER / "ada.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert read_journals(tmp_path) == {"ada": [ENTRY]}
    with open_journal(tmp_path, "ada") as journal:
        journal.append([ENTRY])
    assert "the last line of" in capsys.readouterr().err
    assert read_journals(tmp_path) == {"ada": [ENTRY, ENTRY]}


def test_a_journal_that_was_replaced_while_open_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / journals.FOLDER / "ada.jsonl"
    with open_journal(tmp_path, "ada") as journal:
        journal.append([ENTRY])
        edited = path.with_suffix(".new")
        edited.write_bytes(path.read_bytes())
        edited.replace(path)
        with pytest.raises(InputError, match="was deleted or replaced"):
            journal.append([ENTRY])
    assert read_journals(tmp_path) == {"ada": [ENTRY]}


@pytest.mark.parametrize(
    "line",
    [
        "yes",
        "[]",
        "[" * 100_000,
        json.dumps({"verdict": "yes"}),
        *(
            json.dumps(vars(ENTRY) | changed)
            for changed in (
                {"verdict": "maybe"},
                {"label_id": ""},
                {"ask": "twice"},
                {"mode": None},
                {"ms": -1},
                {"at": True},
                {"other": 1},
            )
        ),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    with open_journal(tmp_path, "ada") as journal:
        journal.append([ENTRY])
    with (tmp_path / journals.FOLDER / "ada.jsonl").open("a") as handle:
        handle.write(line + "\n")
    with pytest.raises(InputError, match=r"ada\.jsonl:2") as caught:
        read_journals(tmp_path)
    assert "correct or delete the line" in caught.value.help


@pytest.mark.parametrize("name", ["", "../ada", "a/b", ".ada", "a" * 65, "ada\n", "å"])
def test_a_name_that_is_not_one_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="name of an auditor"), open_journal(tmp_path, name):
        pass
    assert not (tmp_path / journals.FOLDER).exists()


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    with (
        open_journal(tmp_path, "ada"),
        open_journal(tmp_path, "bob"),
        pytest.raises(BusyError, match="another audit page"),
        open_journal(tmp_path, "ada"),
    ):
        pass
    with open_journal(tmp_path, "ada"):
        pass


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with open_journal(tmp_path, "ada") as journal:
        journal.append([ENTRY])
        monkeypatch.setattr(journals.os, "fsync", fail)
        with pytest.raises(InputError, match="No space left"):
            journal.append([ENTRY])
        monkeypatch.undo()
        journal.append([replace(ENTRY, verdict="no")])
        assert journal.entries == read_journals(tmp_path)["ada"]
    assert [entry.verdict for entry in journal.entries] == ["yes", "no"]


def test_a_killed_process_leaves_all_verdicts_that_it_reported(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from pipelines.page.journal import Entry, open_journal
entry = Entry({"c" * 12!r}, {"0" * 32!r}, "cat", "yes", "first", "one", 1, 1)
with open_journal(Path({str(tmp_path)!r}), "ada") as journal:
    for n in range(1, 21):
        journal.append([entry])
        print(n, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split()[-1] == "20"
    assert len(read_journals(tmp_path)["ada"]) == 20
    with open_journal(tmp_path, "ada") as journal:  # its lock ended with it
        assert len(journal.entries) == 20


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["yes", "no", "unsure", ""]))))
def test_the_last_verdict_counts_unless_it_was_taken_back(lines: list[tuple[str, str]]) -> None:
    entries = [
        replace(ENTRY, label_id=label, verdict=verdict, at=at)
        for at, (label, verdict) in enumerate(lines)
    ]
    final = final_verdicts(entries, "first")
    last = dict(lines)
    assert {label: verdict.verdict for (_, label), verdict in final.items()} == {
        label: verdict for label, verdict in last.items() if verdict
    }
    assert final_verdicts(entries, "repeat") == {}
