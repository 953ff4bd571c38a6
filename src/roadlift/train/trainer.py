"""The training loop: read it from top to bottom.

One step draws a batch, follows the gradient, and moves a running average of the weights. Every few steps the averaged
network is scored on the development images, and the state is saved so that a kill costs only the steps since.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from roadlift.errors import InputError
from roadlift.model import find_card
from roadlift.model.library import model_bytes
from roadlift.train.architectures import Architecture, architecture
from roadlift.train.batches import BatchStream
from roadlift.train.data import Sample
from roadlift.train.losses import road_loss
from roadlift.train.options import TrainOptions
from roadlift.train.record import Entry, Recorder
from roadlift.train.run import Checkpoint, RunFolder
from roadlift.train.score import histogram_of, predict_sample
from roadlift.train.warmstart import start_from

Progress = Callable[[int, int], None]
_AVERAGE_EVERY = 4
_START_BATCHES = 6


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
        self.step, self.best_iou, self.best_step, self.minutes = 0, -1.0, 0, 0.0
        self._keeps_norms = _starts_whole(options)
        self._average = [
            tf.Variable(weight, dtype=tf.float32, trainable=False) for weight in self.model.weights
        ]
        self._train_step = tf.function(self._gradient_step, jit_compile=False)
        self._move_average = tf.function(self._average_step, jit_compile=False)

    def start_from(self, model: str, stream: BatchStream) -> None:
        """Take the weights of an exported model; its normalisation is measured on the first batches."""
        crops = np.concatenate([stream.batch(step)[0] for step in range(_START_BATCHES)])
        start_from(self.averaged, model_bytes(model)[0], crops)
        for target, average, value in zip(
            self.model.weights, self._average, self.averaged.get_weights(), strict=True
        ):
            target.assign(value)
            average.assign(value)

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
        self.step, self.minutes = state.step, state.minutes
        self.best_iou, self.best_step = state.best_iou, state.best_step
        folder.trim_log(self.step)

    def fit(
        self, stream: BatchStream, dev: Sequence[Sample], folder: RunFolder, progress: Progress | None = None
    ) -> None:
        """Train to the last step, or until the score stands still, scoring and saving on the way."""
        options, recorder = self.options, Recorder(folder)
        if not self.step:
            folder.trim_log(-1)
            self._score(dev, folder, recorder, losses=[], seconds=0.0)
        losses: list[float] = []
        started = time.monotonic()
        for images, labels in stream.dataset(self.step, options.steps):
            losses.append(float(self._train_step(images, labels, self._cldice_weight())))
            self.step += 1
            _check_loss(losses[-1], self.step, images, labels, folder)
            if self.step % _AVERAGE_EVERY == 0:
                self._move_average(tf.constant(self._average_decay(), tf.float32))
            if progress:
                progress(self.step, options.steps)
            if self.step % options.evaluate_every == 0 or self.step == options.steps:
                self._score(dev, folder, recorder, losses=losses, seconds=time.monotonic() - started)
                losses, started = [], time.monotonic()
                if self._stands_still():
                    break

    def _score(
        self,
        dev: Sequence[Sample],
        folder: RunFolder,
        recorder: Recorder,
        *,
        losses: Sequence[float],
        seconds: float,
    ) -> None:
        """Score the averaged network, write down how the run goes, and save where it stands."""
        self.minutes += seconds / 60
        self.averaged.set_weights([value.numpy() for value in self._average])
        probabilities = [predict_sample(self.averaged, sample, stride=self.design.stride) for sample in dev]
        iou, threshold = histogram_of(probabilities, dev).best_iou()
        pixels = self.options.batch_size * self.options.crop**2 / 1e6
        entry = Entry(
            step=self.step,
            megapixels=self.step * pixels,
            loss=float(np.mean(losses)) if losses else float("nan"),
            learning_rate=float(self.optimizer.learning_rate),
            dev_iou=iou,
            dev_threshold=threshold,
            megapixels_per_second=len(losses) * pixels / seconds if seconds else float("nan"),
            minutes=self.minutes,
        )
        if iou > self.best_iou:
            self.best_iou, self.best_step = iou, self.step
            folder.save_best(self.averaged)
        recorder.write(entry, dev, probabilities)
        folder.save(self._checkpoint())

    def _stands_still(self) -> bool:
        patience = self.options.patience * self.options.evaluate_every
        return bool(patience) and self.step - self.best_step >= patience

    def _checkpoint(self) -> Checkpoint:
        groups = (self.model.weights, self._average, self.optimizer.variables)
        return Checkpoint(
            self.step,
            self.best_iou,
            self.best_step,
            self.minutes,
            *([np.array(variable) for variable in group] for group in groups),
        )

    def _gradient_step(self, images: tf.Tensor, labels: tf.Tensor, cldice_weight: float) -> tf.Tensor:
        """Follow the gradient of one batch.

        A run that starts from a model of its architecture keeps the normalisation that was measured at its start, so that
        what is trained is what is scored from the first step on: short runs end before running means have settled.
        """
        options = self.options
        with tf.GradientTape() as tape:
            logits = self.model(tf.cast(images, tf.float32) / 255, training=not self._keeps_norms)
            loss = road_loss(
                labels,
                logits,
                dice_weight=options.dice_weight,
                focal_gamma=options.focal_gamma,
                cldice_weight=cldice_weight,
            )
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply(gradients)
        return loss

    def _cldice_weight(self) -> float:
        late = self.step >= self.options.cldice_from * self.options.steps
        return self.options.cldice_weight if late else 0.0

    def _average_step(self, decay: tf.Tensor) -> None:
        for average, weight in zip(self._average, self.model.weights, strict=True):
            average.assign(decay * average + (1 - decay) * tf.cast(weight.value, tf.float32))

    def _average_decay(self) -> float:
        """Forget the weights of the start quickly, later those before the last ``average_steps``."""
        horizon = min(self.options.average_steps, max(self.step / 4, _AVERAGE_EVERY))
        return max(0.0, 1 - _AVERAGE_EVERY / horizon)


def build(options: TrainOptions, *, pretrained: bool = True) -> keras.Model:
    """Build the network that ``options`` name."""
    design = architecture(options.architecture)
    if options.architecture == "unet":
        return design.build(options.width)
    return design.build(pretrained=pretrained and not options.start)


def _starts_whole(options: TrainOptions) -> bool:
    """Whether the run starts from a model of the very architecture."""
    start = options.start_model
    return start is not None and find_card(start).architecture == options.architecture


def _check_loss(loss: float, step: int, images: tf.Tensor, labels: tf.Tensor, folder: RunFolder) -> None:
    if np.isfinite(loss):
        return
    np.savez(folder.path / "failed_batch.npz", images=images.numpy(), labels=labels.numpy())
    raise InputError(
        f"The loss became {loss} at step {step}; the batch is saved as failed_batch.npz in {folder.path}. "
        "Look at it, or try a lower learning_rate."
    )


def _optimizer(options: TrainOptions) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(
        _schedule(options), weight_decay=options.weight_decay, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _schedule(options: TrainOptions) -> keras.optimizers.schedules.LearningRateSchedule:
    """Rise to the learning rate, then fall to a hundredth of it, or stay."""
    return WarmUp(options.learning_rate, options.warmup_steps, options.steps, options.schedule)


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly and then falls along a cosine or a line to a hundredth, or stays.

    Example:
        >>> rate = WarmUp(1.0, 10, 110, "linear")
        >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.5, 1.0, 0.505, 0.01]
    """

    def __init__(self, peak: float, warmup_steps: int, steps: int, shape: str):
        self.peak, self.warmup_steps, self.steps, self.shape = peak, warmup_steps, steps, shape

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the rate of a step."""
        step = tf.cast(step, tf.float32)
        rise = step / max(self.warmup_steps, 1)
        done = tf.clip_by_value((step - self.warmup_steps) / (self.steps - self.warmup_steps), 0.0, 1.0)
        left = {"cosine": (1 + tf.cos(np.pi * done)) / 2, "linear": 1 - done, "constant": tf.ones_like(done)}
        fall = 0.01 + 0.99 * left[self.shape]
        return self.peak * tf.where(step < self.warmup_steps, rise, fall)

    def get_config(self) -> dict[str, object]:
        """Return the arguments of the constructor."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "steps": self.steps,
            "shape": self.shape,
        }


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
