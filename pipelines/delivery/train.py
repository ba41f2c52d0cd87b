"""`winnow train`: from shards to a model, in one process or shared by several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from curation.runs.code import fingerprint
from curation.runs.stage import Stage, open_stage
from curation.runs.staging import StageWriter, reuse
from labeling.errors import QualityError
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.run.progress import Progress, notify, stage_line
from pipelines.run.stages import contents, labels_of, make_stage, stage_name

if TYPE_CHECKING:
    from training.data.shard_index import Shards
    from training.fit.config import TrainConfig
    from training.fit.distributed import World


def train(config: Config, run_dir: Path, label_set: str, world: World | None = None) -> Stage:
    """Train on the shards of a label set, or reuse the model where nothing has changed.

    The network has a logit for every label that any candidate of the run names, whatever the
    label set, so that models of one run can be compared. A training that was stopped continues
    after its last state.

    Parameters
    ----------
    world
        The processes that share the training, seen from the first; the others call `assist`.
    """
    from training.fit.distributed import ALONE

    world = world or ALONE
    shards, candidates = _stages(run_dir, label_set)
    name = stage_name("model", label_set)
    inputs, settings = contents(candidates, shards), settings_of("model", config)
    with stage_line(name) as facts:
        # The others wait for this: only the first process may look at the folder and write to it.
        world.from_first(reuse(run_dir, name, inputs=inputs, config=settings) is None)
        events = run_dir / "tensorboard" / f"{name}-{fingerprint(name, inputs, settings)}"
        stage = make_stage(
            run_dir,
            name,
            partial(_write, config, name, (shards, candidates), events, world),
            inputs=inputs,
            config=settings,
            seed=config.train.seed,
            resume=True,
        )
        facts.append(f"{stage.counts['steps']:,} steps, {stage.counts['images']:,} images")
        facts.append(f"final loss {stage.facts['final_loss']:.4f}")
    return stage


def _write(
    config: Config,
    name: str,
    stages: tuple[Stage, Stage],
    events: Path,
    world: World,
    work: StageWriter,
) -> None:
    from training.fit.checkpoints import Checkpoints
    from training.fit.train import train as train_network

    try:
        result = train_network(
            *_given(config, *stages),
            work.dir,
            _follow(name, config.train.batch_size),
            checkpoints=Checkpoints(work.scratch, config.train.checkpoint_minutes, notify),
            events_dir=events if config.train.tensorboard else None,
            world=world,
        )
    except QualityError as error:
        if work.scratch.exists():
            error.facts["last good states"] = work.scratch
        raise
    work.counts |= {"steps": result.steps, "images": result.images}
    work.facts |= {
        "final_loss": round(result.final_loss, 6),
        "images_per_second": round(result.images_per_second, 1),
        "computed": result.computed,
    }


def assist(config: Config, run_dir: Path, label_set: str, world: World) -> None:
    """Share the training of the first process, without messages and files."""
    from training.fit.train import train as train_network

    stages = _stages(run_dir, label_set)
    if world.from_first(False):
        train_network(*_given(config, *stages), run_dir, lambda *_: None, world=world)


def summary(stage: Stage) -> str:
    """Return one line on what was trained, how, and how fast."""
    settings, facts = stage.manifest["config"], stage.facts
    return (
        f"ResNet-{settings['depth']}, width {settings['width']}, {settings['image_size']} px, "
        f"{settings['steps']:,} steps of {settings['batch_size']} images, {settings['loss']} loss, "
        f"seed {settings['seed']}: final loss {facts['final_loss']:.4f}; "
        f"{facts['images_per_second']:,.0f} images/s on {facts['computed']}"
    )


def _stages(run_dir: Path, label_set: str) -> tuple[Stage, Stage]:
    """Return the shards and the candidates of a training."""
    shards = open_stage(run_dir, stage_name("shards", label_set))
    return shards, open_stage(run_dir, "candidates")


def _given(
    config: Config, shards: Stage, candidates: Stage
) -> tuple[Shards, list[str], TrainConfig]:
    from training.data.shard_index import open_shards
    from training.fit.config import TrainConfig

    images = open_shards(shards.paths(".tar", "train-"))
    return images, labels_of(candidates), TrainConfig(**settings_of("model", config))


def _follow(name: str, batch_size: int) -> Callable[[int, int, float], None]:
    """Return a function that prints the images done, from the first step of this process on."""
    shown: list[Progress] = []

    def follow(done: int, total: int, loss: float) -> None:
        if not shown:
            shown.append(Progress(name, "images", before=done * batch_size))
        shown[0](done * batch_size, total * batch_size, f", step {done:,}, loss {loss:.3f}")

    return follow
