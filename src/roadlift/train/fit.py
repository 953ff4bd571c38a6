"""The training loop: read it from top to bottom.

One step draws a batch, follows the gradient, and moves a running average of the weights. Every few steps the averaged
network is scored on the development images, and the state is saved so that a kill costs only the steps since.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from roadlift.errors import InputError, UsageError
from roadlift.train.architectures import Architecture, architecture
from roadlift.train.batches import BatchStream, sampling_weights
from roadlift.train.data import Sample, read_samples
from roadlift.train.losses import road_loss
from roadlift.train.options import TrainOptions
from roadlift.train.run import Checkpoint, RunFolder
from roadlift.train.scenes import scene_samples
from roadlift.train.score import score_samples

_log = logging.getLogger("roadlift.train")
_AVERAGE_HORIZON = 400
_AVERAGE_EVERY = 4


def train(
    data: str | Path, run: str | Path, options: TrainOptions | None = None, *, resume: bool = False
) -> Path:
    """Train a network on ``data/train``, select it on ``data/dev``.

    Args:
        data: Folder with ``train/`` and ``dev/``, each with ``images/`` and ``masks/``.
        run: Folder of the run; created, or with ``resume`` gone on with.
        options: Options of a new run; None means the defaults. A resumed run keeps its own.
        resume: Go on from the last saved state, with the same data order and optimiser state.

    Returns:
        Path of the best averaged weights.

    Raises:
        UsageError: ``run`` holds a run already, or options are given with ``resume``.
        InputError: Data or run cannot be read.
    """
    folder = RunFolder(Path(run))
    if resume and options is not None:
        raise UsageError("A resumed run keeps its options; leave them out, or begin a new run.")
    if resume:
        options = folder.options()
    options = options or TrainOptions()
    design = architecture(options.architecture)
    if options.crop % design.stride:
        raise UsageError(
            f"crop is {options.crop}; for {options.architecture} it must be a multiple of {design.stride}."
        )
    stream, dev = _read(Path(data), options)
    if not resume:
        folder.create(options)
    trainer = Trainer(design, options)
    if resume:
        trainer.restore(folder)
    trainer.fit(stream, dev, folder)
    return folder.best


def _read(data: Path, options: TrainOptions) -> tuple[BatchStream, Sequence[Sample]]:
    images = read_samples(data, "train")
    scenes = scene_samples(options.scenes, seed=options.seed)
    weights = sampling_weights(
        images, scenes, small_image_boost=options.small_image_boost, scene_share=options.scene_share
    )
    stream = BatchStream(images + scenes, weights, options.batch_size, options.crop, options.seed)
    return stream, read_samples(data, "dev")


class Trainer:
    """A network in training: its weights, their running average, the optimiser, and where it stands."""

    def __init__(self, design: Architecture, options: TrainOptions):
        keras.utils.set_random_seed(options.seed)
        with _policy("mixed_bfloat16" if _has_bfloat16() else "float32"):
            self.model = build(options)
        with _policy("float32"):
            self.averaged = build(options, pretrained=False)
        self.options, self.design = options, design
        self.optimizer = _optimizer(options)
        self.optimizer.build(self.model.trainable_variables)
        self.step, self.best_iou, self.minutes = 0, -1.0, 0.0
        self._average = [
            tf.Variable(weight, dtype=tf.float32, trainable=False) for weight in self.model.weights
        ]
        self._train_step = tf.function(self._gradient_step, jit_compile=False)
        self._move_average = tf.function(self._average_step, jit_compile=False)

    def fit(self, stream: BatchStream, dev: Sequence[Sample], folder: RunFolder) -> None:
        """Train to the last step, scoring and saving on the way."""
        losses: list[float] = []
        started = time.monotonic()
        for images, labels in stream.dataset(self.step, self.options.steps):
            losses.append(float(self._train_step(images, labels)))
            self.step += 1
            if not np.isfinite(losses[-1]):
                np.savez(folder.path / "failed_batch.npz", images=images.numpy(), labels=labels.numpy())
                raise InputError(
                    f"The loss became {losses[-1]} at step {self.step}; the batch is saved as failed_batch.npz in "
                    f"{folder.path}. Look at it, or try a lower learning_rate."
                )
            if self.step % _AVERAGE_EVERY == 0:
                self._move_average(tf.constant(self._average_decay(), tf.float32))
            if self.step % self.options.evaluate_every == 0 or self.step == self.options.steps:
                self.minutes += (time.monotonic() - started) / 60
                speed = len(losses) * labels.shape.num_elements() / 1e6 / (time.monotonic() - started)
                self._evaluate(dev, folder, loss=float(np.mean(losses)), speed=speed, stream=stream)
                losses, started = [], time.monotonic()

    def restore(self, folder: RunFolder) -> None:
        """Go on from the state saved in ``folder``."""
        state = folder.load()
        for variables, values in (
            (self.model.weights, state.weights),
            (self._average, state.average),
            (self.optimizer.variables, state.optimizer),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self.step, self.best_iou, self.minutes = state.step, state.best_iou, state.minutes
        folder.trim_log(self.step)

    def _evaluate(
        self, dev: Sequence[Sample], folder: RunFolder, *, loss: float, speed: float, stream: BatchStream
    ) -> None:
        self.averaged.set_weights([value.numpy() for value in self._average])
        histogram = score_samples(self.averaged, dev, stride=self.design.stride)
        iou, threshold = histogram.best_iou()
        epoch = self.step * stream.batch_size * stream.crop**2 / sum(s.label.size for s in stream.samples)
        rate = float(self.optimizer.learning_rate)
        row = (
            self.step,
            f"{epoch:.3f}",
            f"{loss:.4f}",
            f"{rate:.2e}",
            f"{iou:.4f}",
            f"{threshold:.3f}",
            f"{speed:.3f}",
        )
        folder.append((*row, f"{self.minutes:.2f}"))
        _log.info("step %s epoch %s loss %s rate %s dev IoU %s at %s, %s MPx/s", *row)
        if iou > self.best_iou:
            self.best_iou = iou
            part = folder.best.with_name("best.part.keras")
            self.averaged.save(part)
            part.replace(folder.best)
        folder.save(self._checkpoint())

    def _checkpoint(self) -> Checkpoint:
        groups = (self.model.weights, self._average, self.optimizer.variables)
        return Checkpoint(self.step, self.best_iou, self.minutes, *([np.array(v) for v in g] for g in groups))

    def _gradient_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = self.model(tf.cast(images, tf.float32) / 255, training=True)
            loss = road_loss(labels, logits, dice_weight=self.options.dice_weight)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply(gradients)
        return loss

    def _average_step(self, decay: tf.Tensor) -> None:
        for average, weight in zip(self._average, self.model.weights, strict=True):
            average.assign(decay * average + (1 - decay) * tf.cast(weight.value, tf.float32))

    def _average_decay(self) -> float:
        """Forget over the last 400 steps; faster in the beginning, when the weights of the start should go quickly."""
        return max(0.0, 1 - _AVERAGE_EVERY / min(_AVERAGE_HORIZON, max(self.step / 4, _AVERAGE_EVERY)))


def build(options: TrainOptions, *, pretrained: bool = True) -> keras.Model:
    """Build the network that ``options`` name."""
    design = architecture(options.architecture)
    if options.architecture == "unet":
        return design.build(options.width)
    return design.build(pretrained=pretrained)


def _optimizer(options: TrainOptions) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if options.warmup_steps else options.learning_rate,
        options.steps - options.warmup_steps,
        alpha=0.01,
        warmup_target=options.learning_rate if options.warmup_steps else None,
        warmup_steps=options.warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


class _policy:  # noqa: N801
    """Numbers that layers compute in, while they are built."""

    def __init__(self, name: str):
        self._name, self._before = name, keras.config.dtype_policy()

    def __enter__(self) -> None:
        keras.config.set_dtype_policy(self._name)

    def __exit__(self, *_: object) -> None:
        keras.config.set_dtype_policy(self._before)


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; elsewhere float32 is faster."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and any(flag in cpuinfo.read_text() for flag in ("avx512_bf16", "amx_bf16"))
