"""Trains a network: labelled images and options in, a run folder out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from roadlift.errors import UsageError
from roadlift.model import find_card, load_model
from roadlift.train.architectures import architecture
from roadlift.train.batches import BatchStream, sampling_weights
from roadlift.train.data import MEMORY_BYTES, Samples, read_samples
from roadlift.train.options import USUAL_ARCHITECTURE, TrainOptions
from roadlift.train.run import RunFolder
from roadlift.train.scenes import scene_samples
from roadlift.train.targets import Taught, teach
from roadlift.train.trainer import Progress, Trainer


def train(
    data: str | Path,
    run: str | Path,
    options: TrainOptions | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train a network on the split ``train`` of a data set, select it on ``dev``.

    Args:
        data: Data set with the splits ``train`` and ``dev``, in a layout of :func:`~roadlift.train.data.list_images`.
        run: Folder of the run; created, or with ``resume`` gone on with.
        options: Options of a new run; None means the defaults. A resumed run keeps its own.
        resume: Go on from the last saved state, with the same data order and optimiser state.
        progress: Called with the steps done and all steps.

    Returns:
        Path of the best averaged weights.

    Raises:
        UsageError: ``run`` holds a run already, or options are given with ``resume``.
        InputError: Data or run cannot be read, or the loss is no longer a number.
        ModelError: Most of the network is not in the model to start from.
    """
    folder = RunFolder(Path(run))
    if resume and options is not None:
        raise UsageError("A resumed run keeps its options; leave them out, or begin a new run.")
    if not resume:
        folder.check_new()
    options = folder.options() if resume else _with_architecture(options or TrainOptions())
    design = architecture(options.architecture)
    if options.crop % design.stride:
        raise UsageError(
            f"crop is {options.crop}; for {options.architecture} it must be a multiple of {design.stride}."
        )
    images, dev = (
        read_samples(data, split, cache=folder.cache, ignore_rim=rim, memory=memory)
        for split, rim, memory in (
            ("train", options.ignore_rim, MEMORY_BYTES),
            ("dev", 0, MEMORY_BYTES // 4),
        )
    )
    if not resume:
        folder.create(options)
    stream = _stream(images, options, folder)
    trainer = Trainer(design, options)
    if resume and folder.last.exists():
        trainer.restore(folder)
    elif options.start_model:
        trainer.start_from(options.start_model, stream)
    trainer.fit(stream, dev, folder, progress)
    return folder.best


def _with_architecture(options: TrainOptions) -> TrainOptions:
    """Fill in the architecture where the options leave it open."""
    if options.architecture:
        return options
    start = options.start_model
    return replace(options, architecture=find_card(start).architecture if start else USUAL_ARCHITECTURE)


def _stream(images: Samples, options: TrainOptions, folder: RunFolder) -> BatchStream:
    """Join images and scenes; where there is a teacher it looks at every image once."""
    scenes = scene_samples(options.scenes, seed=options.seed)
    weights = sampling_weights(
        images, scenes, small_image_boost=options.small_image_boost, scene_share=options.scene_share
    )
    if options.teacher:
        teach(images, load_model(options.teacher), options.teacher_share, folder.targets)
    return BatchStream(
        Taught(images + scenes, folder.targets, len(images) if options.teacher else 0),
        weights,
        options.batch_size,
        options.crop,
        options.seed,
        scale_octaves=options.scale_octaves,
        roadless_share=options.roadless_share,
        light_share=options.light_share,
    )
