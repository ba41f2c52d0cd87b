"""Generate the reference pages from the code: tables, configuration and commands.

    python docs/reference/generate.py

A test compares the pages with what this writes.
"""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curation.report.report import REASONS
from curation.shards.images import BAD_IMAGE_REASONS
from labeling.reasons import INPUT_REASONS
from labeling.schemas import TABLES, Field
from pipelines.cli import main
from pipelines.run.config import Config
from pipelines.studies.settings import StudySettings

HERE = Path(__file__).parent


def pages() -> dict[str, str]:
    """Return the text of each page by its file's name."""
    return {
        "schemas.md": "\n".join(_schemas()) + "\n",
        "config.md": "\n".join(_config()) + "\n",
        "study.md": "\n".join(_study()) + "\n",
        "commands.md": "\n".join(_commands()) + "\n",
        "api.md": "\n".join(_api()) + "\n",
    }


def _schemas() -> Iterator[str]:
    yield "# Tables"
    yield ""
    yield "All tables in the order of the data, from `labeling/schemas.py`."
    yield "Files are Parquet; a stage's files are listed in its `manifest.json`."
    for table in TABLES:
        yield f"\n## {table.name}\n"
        yield f"A row is {table.row}." + (f" Key: {', '.join(table.key)}." if table.key else "")
        yield "\n| column | type | meaning | values |\n|---|---|---|---|"
        for field in table.fields:
            yield f"| `{field.name}` | {_type(field)} | {field.meaning} | {_values(field)} |"
    yield from _reasons("`signals`, of inputs", INPUT_REASONS)
    yield from _reasons("`shards`, of images", {name: REASONS[name] for name in BAD_IMAGE_REASONS})


def _reasons(title: str, meanings: Mapping[str, str]) -> Iterator[str]:
    yield f"\n### Reasons in the stage {title}\n\n| reason | meaning |\n|---|---|"
    for reason, meaning in meanings.items():
        yield f"| `{reason}` | {meaning} |"


def _type(field: Field) -> str:
    return f"`{field.type}`" + (", may be null" if field.nullable else "")


def _values(field: Field) -> str:
    if field.one_of:
        return ", ".join(field.one_of)
    if field.pattern:
        return f"`{field.pattern}`"
    low = "" if field.low is None else f"≥ {field.low:g}"
    high = "" if field.high is None else f"≤ {field.high:g}"
    return ", ".join(filter(None, (low, high)))


def _config() -> Iterator[str]:
    yield "# Configuration"
    yield ""
    yield "One TOML file. Paths start from `base`. Every key can be set for one command with"
    yield "`-o section.key=value`. Sections with double brackets may be repeated."
    yield from _sections(Config)


def _study() -> Iterator[str]:
    yield "# Configuration of a study"
    yield ""
    yield "One TOML file for `winnow study`. Paths start from its folder. Every key can be set for"
    yield "one command with `-o section.key=value`. `[train]` may hold any key of a run's"
    yield "[`[train]`](config.md#train) but `depth` and `seed`; what it does not set is the run's."
    yield from _sections(StudySettings, but="train")


def _sections(whole: type[BaseModel], but: str = "") -> Iterator[str]:
    yield from _section(whole)
    for name, field in whole.model_fields.items():
        model, repeated = _model(field)
        if model and name != but:
            yield f"\n## `{'[[' if repeated else '['}{name}{']]' if repeated else ']'}`\n"
            yield str(model.__doc__)
            yield from _section(model)


def _section(model: type[BaseModel]) -> Iterator[str]:
    plain = {key: f for key, f in model.model_fields.items() if not _model(f)[0]}
    yield "\n| key | default | meaning |\n|---|---|---|"
    for key, field in plain.items():
        default = "required" if field.is_required() else f"`{_toml(field.get_default())}`"
        yield f"| `{key}` | {default} | {field.description} |"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "not set" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


def _model(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    arguments = typing.get_args(field.annotation)
    kind = arguments[0] if arguments else field.annotation
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return (kind, bool(arguments)) if is_model else (None, False)


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "As `winnow COMMAND --help` prints them."
    with click.Context(main, info_name="winnow", terminal_width=90) as context:
        for name in main.list_commands(context):
            yield from _command(main.commands[name], name, context)


def _command(command: click.Command, name: str, above: click.Context) -> Iterator[str]:
    with click.Context(command, info_name=name, parent=above, terminal_width=90) as context:
        title = context.command_path.removeprefix("winnow ")
        yield f"\n## {title}\n\n```text\n{command.get_help(context)}\n```"
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                yield from _command(command.commands[inner], inner, context)


def _api() -> Iterator[str]:
    yield "# Python API"
    yield ""
    yield "Functions on tables take a `pandas.DataFrame` or a `pyarrow.Table` and return the same"
    yield "kind; [schemas.md](schemas.md) lists the columns of each table. Errors are subclasses of"
    yield "`labeling.WinnowError`, and name the place, the value and the remedy."
    for package in ("labeling", "curation", "pipelines", "training"):
        module = importlib.import_module(package)
        if getattr(module, "__all__", []):
            yield f"\n## {package}\n\n{module.__doc__}"
            for name in module.__all__:
                yield from _public(name, getattr(module, name))


def _public(name: str, value: object) -> Iterator[str]:
    kind = "class " if inspect.isclass(value) else ""
    yield f"\n### {kind}{name}\n"
    if not kind:
        signature = inspect.signature(typing.cast(typing.Any, value))
        plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        text = str(inspect.Signature(plain)).replace("'", '"')  # quotes as ruff formats them
        yield f"```python\n{name}{text}\n```\n"
    yield from _docstring(inspect.getdoc(value) or "")
    if kind:
        members = {n: m for n, m in vars(value).items() if not n.startswith("_") and _is_member(m)}
        yield from ["\n**Members**\n"] if members else []
        yield from (f"- `{n}`: {_first_paragraph(member)}" for n, member in members.items())


def _is_member(member: object) -> bool:
    plain = int | float | str | tuple | None
    return not isinstance(member, plain) and not inspect.isclass(member) and bool(member.__doc__)


def _first_paragraph(member: object) -> str:
    return " ".join((inspect.getdoc(member) or "").split("\n\n")[0].split())


def _docstring(text: str) -> Iterator[str]:
    """Yield a docstring in numpy's form as Markdown."""
    head, *sections = re.split(r"^(\w+)\n-{3,}\n", text, flags=re.MULTILINE)
    yield head.strip().replace("::\n\n", ":\n\n")
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        yield f"\n**{title}**\n"
        if title == "Examples":
            yield f"```python\n{body.strip()}\n```"
            continue
        for entry in re.split(r"^(?=\S)", body.strip(), flags=re.MULTILINE)[1:]:
            name, _, meaning = entry.partition("\n")
            yield f"- `{name}`: {' '.join(textwrap.dedent(meaning).split())}"


if __name__ == "__main__":
    for file, text in pages().items():
        (HERE / file).write_text(text, encoding="utf-8")
