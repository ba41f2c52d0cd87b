"""The configuration: one TOML file, checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from labeling.errors import ConfigError
from labeling.objects.client import is_address
from labeling.objects.paths import ObjectPath, join
from pipelines.inputs.archives import ArchiveInput
from pipelines.inputs.graphs import GraphInput
from pipelines.inputs.input import Input
from pipelines.inputs.sites import SiteInput
from pipelines.inputs.tables import FeedbackInput, LinksInput, SignalsInput
from pipelines.inputs.webdatasets import WebdatasetInput
from pipelines.run.sections import Overrides, Section, checked, override, read_toml
from training.fit.config import TrainConfig

Share = Annotated[float, Field(gt=0, lt=1)]
SUPPORT_ONLY = ("linked", "page")
"""Texts of a linking page or of a whole page: too far from an image to make a candidate alone."""


class TaxonomyInput(Section):
    """The labels."""

    path: str = Field(description="file of labels, also packed (.gz, .bz2, .xz)")
    format: Literal[
        "auto",
        "jsonl",
        "edges",
        "openimages",
        "tencent",
        "wordnet",
        "table",
        "json",
        "yaml",
        "names",
    ] = Field("auto", description="format of the file; `auto` reads its name and first line")
    language: str = Field(
        "en", description="language of names for which the file gives none, such as `de`"
    )
    hierarchy: str | None = Field(
        None, description="for Open Images: JSON file of which label is a kind of which"
    )


class LabelSettings(Section):
    """Making of candidates."""

    support_only: tuple[str, ...] = Field(
        SUPPORT_ONLY,
        description="sources that support a candidate but do not open one by themselves",
    )
    work_dir: str | None = Field(
        None,
        description="folder that the workers of an engine share, such as `s3://bucket/winnow`;"
        " where it is not set they share the run folder",
    )
    limit: int | None = Field(
        None, ge=1, description="rows of each input to read: a sample, to try the settings"
    )
    max_reject_share: float = Field(
        0.1, ge=0, le=1, description="share of rejected input rows beyond which the run fails"
    )
    max_cut_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of archives, tars and tables that are cut beyond which the run fails",
    )


class AuditSettings(Section):
    """Drawing of pairs for audit."""

    n: int = Field(500, ge=1, description="pairs to audit")
    seed: int = Field(0, ge=0, description="seed of the draw")
    repeats: int = Field(
        0, ge=0, description="pairs of the sheet to ask twice, to learn how often auditors err"
    )
    truth: str | None = Field(
        None, description="table of image_id, label_id that answers the audit in a person's place"
    )
    error_rate: float | None = Field(
        None,
        ge=0,
        lt=0.5,
        description="share of the wrong pairs that auditors call right, and of the right ones that"
        " they call wrong, at most; where it is not set, estimated from pairs judged twice",
    )
    known: str | None = Field(
        None,
        description="table of image_id, label_id, verdict with the truth of some judged pairs, from"
        " which the error rates of auditors are estimated",
    )


class LookSettings(Section):
    """Networks that judge candidates."""

    weights: str | None = Field(
        None,
        description="network that was trained elsewhere: `efficientnet-lite0` or `-lite2` of the"
        " extra `pretrained`, a safetensors file of a ResNet, or the folder of a model; where it is"
        " not set, networks are trained by the settings `train`",
    )
    propose: Share | None = Field(
        None,
        description="probability by the network from which pairs that no source names are proposed,"
        " to be audited and selected apart",
    )


class SelectSettings(Section):
    """Selection of candidates."""

    keep: float = Field(1 / 3, gt=0, le=1, description="share of the candidates to keep")
    precision: Share | None = Field(
        None, description="precision to hold; as many are kept as are proved; `keep` is ignored"
    )
    confidence: Share = Field(
        0.95, description="confidence of a precision that is held or measured"
    )
    by: Literal["level", "label", "source-pattern"] | None = Field(
        None,
        description="keep of each group by a threshold of its own; groups with few audits pool",
    )
    floor: int = Field(
        20,
        ge=0,
        description="best of each label to keep, as many as share or precision allow; 0 for none",
    )
    venn_abers: bool = Field(
        False, description="write bounds of every probability too (Venn-Abers): table `intervals`"
    )
    per_image: int | None = Field(None, ge=1, description="labels of an image to keep, at most")
    per_label: int | None = Field(
        None,
        ge=1,
        description="images of a label to keep, about: drawn at random from more, but never the"
        " best ones of the floor",
    )

    @field_validator("floor", mode="before")
    @classmethod
    def _floor_of_earlier_runs(cls, floor: object) -> object:
        """Replace what earlier versions wrote if no floor was asked for by the default."""
        return cls.model_fields["floor"].default if floor is None else floor


class ExportSettings(Section):
    """Writing of shards."""

    shard_mb: int = Field(256, ge=1, description="size at which a new shard begins, in MB")
    holdout_share: float = Field(
        0.2, ge=0, lt=1, description="share of images, by their id, kept for evaluation"
    )
    short_side: int | None = Field(
        None, ge=16, description="pixels to which the shorter side of larger images is reduced"
    )
    keep_metadata: bool = Field(
        False,
        description="leave EXIF, XMP, IPTC and comments in JPEGs that are not encoded again: they"
        " can hold who took a picture, and where",
    )


class TrainSettings(TrainConfig, Section):
    """Training of a network."""

    checkpoint_minutes: float = Field(
        5.0,
        ge=0,
        description="minutes between two checkpoints, from which a stopped training resumes",
    )
    tensorboard: bool = Field(
        False, description="write events for TensorBoard into the run's folder `tensorboard`"
    )


class EvaluateSettings(Section):
    """Labels for the evaluation of the trained model."""

    truth: str | None = Field(
        None, description="table of image_id, label_id for the held-out images"
    )


class Config(Section):
    """All of a run's settings; paths start from `base`."""

    base: str = Field(
        ".",
        description="data folder, itself relative to the configuration file, or the address of one"
        " in an object store, such as `s3://bucket/crawl`",
    )
    taxonomy: TaxonomyInput
    site: tuple[SiteInput, ...] = Field((), description="folders and zip files of HTML pages")
    archive: tuple[ArchiveInput, ...] = Field((), description="web archives")
    signals: tuple[SignalsInput, ...] = Field((), description="tables of texts about images")
    webdataset: tuple[WebdatasetInput, ...] = Field((), description="tars of images with texts")
    links: tuple[LinksInput, ...] = Field((), description="tables of links between pages")
    graph: tuple[GraphInput, ...] = Field((), description="graphs of hosts or pages")
    feedback: tuple[FeedbackInput, ...] = Field((), description="tables of what users did")
    label: LabelSettings = LabelSettings()
    audit: AuditSettings = AuditSettings()
    look: LookSettings = LookSettings()
    select: SelectSettings = SelectSettings()
    export: ExportSettings = ExportSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()

    @classmethod
    def input_kinds(cls) -> list[str]:
        """Return the sections that name inputs, in the order of the fields."""
        kinds = {name: get_args(field.annotation) for name, field in cls.model_fields.items()}
        return [name for name, kind in kinds.items() if kind and issubclass(kind[0], Input)]

    def inputs(self) -> dict[str, tuple[Input, ...]]:
        """Return the inputs by their section."""
        return {name: getattr(self, name) for name in self.input_kinds()}

    def all_inputs(self) -> list[Input]:
        """Return the inputs of all sections."""
        return [entry for inputs in self.inputs().values() for entry in inputs]


def read_config(path: Path, overrides: Overrides = ()) -> Config:
    """Read a TOML file and check it; `base` of the result is absolute.

    Parameters
    ----------
    path
        The file.
    overrides
        Keys to replace: ``{"section.key": value}``, or texts ``section.key=value`` with the value
        in TOML's notation (a bare word is a text).

    Raises
    ------
    ConfigError
        With every mistake of the file, each with its line and column.
    """
    content, text = read_toml(path)
    changed = override(content, overrides)
    config = check_config(changed, str(path), text)
    # A folder that an override names starts from the working folder, as other paths typed there.
    start = path.parent if changed.get("base") == content.get("base") else Path.cwd()
    return config.model_copy(update={"base": _whole_base(start, config.base)})


def _whole_base(start: Path, base: str) -> str:
    """Return the absolute path of a data folder, or its address in an object store."""
    if "://" in base and not is_address(base):
        raise ConfigError(
            "inputs are read from folders, and from s3://, gs:// and az://",
            facts={"base": base},
            help="copy or mount the folder, for example with `rclone mount`",
        )
    folder = join(start, base)
    return str(folder if isinstance(folder, ObjectPath) else folder.resolve())


def check_config(content: Mapping[str, Any], where: str, text: str = "") -> Config:
    """Return checked settings; `text` is their file, from which errors get line and column."""
    return checked(Config, content, where, text, "docs/reference/config.md")


def with_overrides(config: Config, overrides: Overrides) -> Config:
    """Return the settings with some keys replaced, checked."""
    if not overrides:
        return config
    content = override(config.model_dump(mode="json"), overrides)
    return check_config(content, "-o")
