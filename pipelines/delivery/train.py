"""`winnow train`: from shards to a model, in one process or shared by several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from curation.runs.code import fingerprint
from curation.runs.stage import Stage, open_stage
from curation.runs.staging import reuse, write_stage
from labeling.errors import QualityError
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.run.progress import Progress, notify, stage_line
from pipelines.run.stages import labels_of, stage_name

if TYPE_CHECKING:
    from training.data.shard_index import Shards
    from training.fit.config import TrainConfig
    from training.fit.distributed import World


def train(config: Config, run_dir: Path, label_set: str, world: World | None = None) -> Stage:
    """Train on the shards of a label set, or reuse the model where nothing has changed.

    The network has a logit for every label that any candidate of the run names, whatever the
    label set, so that models of one run can be compared. A training that was stopped goes on
    behind its last state.

    Parameters
    ----------
    world
        The processes that share the training, seen from the first; the others call `assist`.
    """
    from training.fit.checkpoints import Checkpoints
    from training.fit.distributed import ALONE
    from training.fit.train import train as train_network

    world = world or ALONE
    shards, candidates = _stages(run_dir, label_set)
    name = stage_name("model", label_set)
    inputs = {stage.name: stage.content for stage in (candidates, shards)}
    settings, seed = settings_of("model", config), config.train.seed
    with stage_line(name) as facts:
        if world.from_first(reuse(run_dir, name, inputs=inputs, config=settings) is None):
            events = run_dir / "tensorboard" / f"{name}-{fingerprint(name, inputs, settings)}"
            with write_stage(
                run_dir, name, inputs=inputs, config=settings, seed=seed, resume=True
            ) as work:
                try:
                    result = train_network(
                        *_given(config, shards, candidates),
                        work.dir,
                        _follow(name, config.train.batch_size),
                        checkpoints=Checkpoints(
                            work.scratch, config.train.checkpoint_minutes, notify
                        ),
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
        stage = open_stage(run_dir, name)
        facts.append(f"{stage.counts['steps']:,} steps, {stage.counts['images']:,} images")
        facts.append(f"final loss {stage.manifest['facts']['final_loss']:.4f}")
    return stage


def assist(config: Config, run_dir: Path, label_set: str, world: World) -> None:
    """Share the training of the first process, without a word and without writing anything."""
    from training.fit.train import train as train_network

    stages = _stages(run_dir, label_set)
    if world.from_first(False):
        train_network(*_given(config, *stages), run_dir, lambda *_: None, world=world)


def summary(stage: Stage) -> str:
    """Return one line that tells what was trained, how, and how fast."""
    asked, facts = stage.manifest["config"], stage.manifest["facts"]
    return (
        f"ResNet-{asked['depth']}, width {asked['width']}, {asked['image_size']} px, "
        f"{asked['steps']:,} steps of {asked['batch_size']} images, {asked['loss']} loss, "
        f"seed {asked['seed']}: final loss {facts['final_loss']:.4f}; "
        f"{facts['images_per_second']:,.0f} images/s on {facts['computed']}"
    )


def _stages(run_dir: Path, label_set: str) -> tuple[Stage, Stage]:
    """Return what a training is made from: shards and candidates."""
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
    """Return a function that tells the images done, from the first step it hears of."""
    shown: list[Progress] = []

    def follow(done: int, total: int, loss: float) -> None:
        if not shown:
            shown.append(Progress(name, "images", before=done * batch_size))
        shown[0](done * batch_size, total * batch_size, f", step {done:,}, loss {loss:.3f}")

    return follow
