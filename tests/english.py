"""Measure the plain English of docstrings, comments, messages, names and docs.

`python -m tests.english` prints one row per package: dialect words per 1,000 words of docstrings,
their number in docstrings, in names, and elsewhere (comments, strings of three words or more),
docstrings that begin with a question word, `#` comments, and those that give a reason: no
directive, more than three words. Strings of tests are data and do not count.
`python -m tests.english --list PATH...` prints each offending line with a remedy.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("labeling", "curation", "pipelines", "training")
TESTS = "tests"
# Pages of docs/reference are made from docstrings and messages, which are measured in the code.
DOCS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*")

COMPARATIVES = "longer|more|less|better|worse|larger|smaller|faster"
# Of two patterns that match the same words, the first counts.
DIALECT = {
    r"(?:say|says|said|saying)": "state, report, give, contain",
    r"(?:tell|tells|told|telling) apart": "distinguish",
    r"(?:tell|tells|told|telling)": "report, show, return",
    r"(?:hear|hears|heard|hearing)": "receive, collect (neighbour votes)",
    r"(?:speak|speaks|spoke|spoken|speaking)": "vote, support, cover",
    r"behind": "after, of",
    r"anew": "again, from scratch",
    r"(?:go|goes|gone|going|went) on": "continue, resume",
    r"(?:go|goes|gone|went) by": "use, be identified by",
    r"in force": "current",
    r"(?:put|puts|putting|lay|laid|set) aside": "reject, skip",
    r"aside": "separately, rejected",
    r"(?:stand|stands|stood)": "is, occurs, means",
    r"(?:is|are|was|were) (?-i:none)": "there is no ..., missing",
    rf"(?<!there\s)(?:is|are|was|were) no(?! (?:{COMPARATIVES})\b)": "is not a",
    r"(?:come|comes|came|coming) to": "reach, equal, total",
    r"(?:come|comes|came|coming) of": "result from",
    r"of today": "current",
    r"whoever": "anyone who, users who",
    r"(?:hold|holds|held|holding) (?:\w+ )?against": "compare with, evaluate on",
    r"what (?:is|was|has been) \w+ (?:is|are|was)\b": "name the thing: kept labels are",
    r"but for": "except",
    r"such as (?:are|is)": "those that are",
    r"(?:break|breaks|broke|broken|breaking) off": "stop, be interrupted",
    r"(?:take|takes|taken|took) for": "treat as",
    r"(?:hand|hands|handed) back": "return",
    r"let through": "pass, keep",
    r"(?:mend|mends|mended|mending)": "fix, correct",
    r"by heart": "memorise",
}
PATTERNS = {
    re.compile(rf"(?<![\w-]){pattern}(?![\w-])".replace(" ", r"\s+"), re.IGNORECASE): plain
    for pattern, plain in DIALECT.items()
}
VAGUE = {"found", "one", "own", "place", "places", "proof", "trust"}
"""Names of functions, arguments and variables that do not describe a value."""

QUESTION = re.compile(r"(What|Which|How|Where|Whether)\b")
DIRECTIVE = re.compile(r"#\s*(noqa|type:|pragma|fmt:|mypy:|ruff:|!)")
TITLE = re.compile(r"#[\s=#-]*(\w+( \w+){0,2})?[\s=#-]*$")
CODE = re.compile(
    r"```.*?```|``.*?``|`[^`]*`|\]\([^)]*\)|^ *(?:>>>|\.\.\. )[^\n]*$", re.DOTALL | re.MULTILINE
)
WORD = re.compile(r"[A-Za-z']+")


@dataclass(frozen=True)
class Text:
    """One docstring, comment, message or page, and the line that it begins on."""

    path: Path
    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class Hit:
    """One match of a pattern in a file."""

    path: Path
    line: int
    word: str
    plain: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.word} -> use: {self.plain}"


def texts_of(path: Path) -> list[Text]:
    """Return the texts of a Python file, a page or a recipe that people read."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [Text(path, 1, "page", source)]
    nodes = list(ast.walk(ast.parse(source)))
    strings = _strings(path, nodes)
    if path.is_relative_to(ROOT / TESTS):
        strings = (text for text in strings if text.kind != "message")
    return [*strings, *_names(path, nodes), *_comments(path, source)]


def _names(path: Path, nodes: list[ast.AST]) -> Iterator[Text]:
    """Yield the names that a file gives to functions, arguments and variables, as words."""
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield Text(path, node.lineno, "name", name.replace("_", " ").strip())
            case ast.Name(id=name, ctx=ast.Store()):
                yield Text(path, node.lineno, "name", name.replace("_", " ").strip())


def _strings(path: Path, nodes: list[ast.AST]) -> Iterator[Text]:
    docstrings = set()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(first.value)
    parts = set()
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            text = "".join(v.value if isinstance(v, ast.Constant) else "_" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            text = node.value
        else:
            continue
        if node in docstrings:
            yield Text(path, node.lineno, "docstring", text)
        elif len(words := WORD.findall(text)) >= 3 and words != sorted(words):  # no list of words
            yield Text(path, node.lineno, "message", text)


def _comments(path: Path, source: str) -> Iterator[Text]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            kind = "directive" if DIRECTIVE.match(token.string) else "comment"
            yield Text(path, token.start[0], kind, token.string)


def dialect(text: Text) -> Iterator[Hit]:
    """Yield each dialect word of a text; code, links and examples do not count."""
    rest = "" if text.kind == "directive" else CODE.sub(_blank, text.text)
    for pattern, plain in PATTERNS.items():
        for match in pattern.finditer(rest):
            line = text.line + rest.count("\n", 0, match.start())
            yield Hit(text.path, line, " ".join(match[0].split()), plain)
        rest = pattern.sub(_blank, rest)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"\S", "_", match[0])


def vague_names(text: Text) -> Iterator[Hit]:
    """Yield a name that is one of `VAGUE`."""
    if text.kind == "name" and text.text in VAGUE:
        yield Hit(text.path, text.line, text.text, "the name of what it holds")


def questions(text: Text) -> Iterator[Hit]:
    """Yield the first word of a docstring that begins like a question."""
    if text.kind == "docstring" and (match := QUESTION.match(text.text.lstrip())):
        yield Hit(text.path, text.line, match[0], "a noun or a verb first")


def is_reason(text: Text) -> bool:
    """Return whether a text is a comment of more than three words, so not a banner or a title."""
    return text.kind == "comment" and not TITLE.match(text.text)


def files(paths: Iterable[Path]) -> list[Path]:
    """Return the Python files, pages and recipes among files and below folders, sorted."""
    all_files = {
        file
        for path in paths
        for file in ([path] if path.is_file() else path.rglob("*"))
        if file.suffix in {".py", ".md", ".toml"} and not _is_generated(file)
    }
    return sorted(all_files)


def _is_generated(path: Path) -> bool:
    return path.parent == ROOT / "docs" / "reference" and path.suffix == ".md"


def texts(name: str) -> list[Text]:
    """Return all texts of a package, or of the docs under the name ``docs``."""
    paths = [ROOT / name] if name != "docs" else [p for name in DOCS for p in ROOT.glob(name)]
    return [text for file in files(paths) for text in texts_of(file)]


def hits(some: Iterable[Text]) -> list[Hit]:
    """Return every dialect word, vague name and docstring that begins like a question."""
    checks = (dialect, questions, vague_names)
    return [hit for text in some for check in checks for hit in check(text)]


def row(name: str) -> tuple[str, ...]:
    """Return the measures of a package or of the docs as texts, as `HEADER` names them."""
    of_kind: dict[str, list[Text]] = defaultdict(list)
    for text in texts(name):
        of_kind["elsewhere" if text.kind in ELSEWHERE else text.kind].append(text)
        of_kind["comments"] += [text] if text.kind in {"comment", "directive"} else []
    docstrings = of_kind["docstring"]
    n_words = sum(len(WORD.findall(text.text)) for text in docstrings)
    n_questions = sum(1 for text in docstrings for _ in questions(text))
    n_in_docstrings = len(hits(docstrings)) - n_questions
    rate = f"{1000 * n_in_docstrings / max(n_words, 1):.1f}"
    n_others = len(hits(of_kind["name"])), len(hits(of_kind["elsewhere"])), n_questions
    n_comments = len(of_kind["comments"]), sum(map(is_reason, of_kind["comments"]))
    return name, rate, *map(str, (n_in_docstrings, *n_others, *n_comments))


ELSEWHERE = {"comment", "directive", "message", "page"}
HEADER = (
    *("package", "per 1,000", "docstrings", "names", "elsewhere"),
    *("questions", "comments", "reasons"),
)


def main() -> None:
    """Print the table, or the offending lines of some files and folders."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", nargs="+", type=Path, metavar="PATH", help="print each line")
    paths = parser.parse_args().list
    if paths:
        listed = files(path.resolve() for path in paths)
        print(*hits(text for file in listed for text in texts_of(file)), sep="\n")
        return
    for cells in (HEADER, *map(row, (*PACKAGES, TESTS, "docs"))):
        print(cells[0].ljust(10), *(cell.rjust(10) for cell in cells[1:]))


if __name__ == "__main__":
    main()
