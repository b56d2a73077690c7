"""The training loop, on HF accelerate: resumable to the bit, averaged weights out, and the same
whether one process computes a batch or several share it."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from edgectl.data.images.preprocess import normalize
from edgectl.errors import ConfigError, InterruptedRunError
from edgectl.labels import Targets
from edgectl.nn.depthwise import widen_depthwise
from edgectl.nn.sync_norm import synchronize_norms
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory
from edgectl.train.callbacks import follow_run
from edgectl.train.device import build_accelerator
from edgectl.train.distributed.processes import LostPeerError, Processes, is_lost_connection
from edgectl.train.ema import ModelEma
from edgectl.train.interrupt import Interrupt, watch_interrupts
from edgectl.train.losses import LossMeter, non_finite
from edgectl.train.optimizer import build_optimizer
from edgectl.train.plots import plot_confusion, plot_curves
from edgectl.train.progress import EpochReport, Reporter, RunStart
from edgectl.train.recorder import Recorder, RunRecorder
from edgectl.train.result import FitResult, finish
from edgectl.train.resume import check_resumable
from edgectl.train.schedule import learning_rate_factor
from edgectl.train.selection import consider
from edgectl.train.setup import TrainBatch, TrainSetup
from edgectl.train.state import Progress, restore, seed_epoch, seed_everything
from edgectl.train.validation import Validator, Verdict
from edgectl.train.weights import abridged, describe, load_weights

# Reading a loss makes an accelerator wait; a diverged run may go on that many steps.
_SYNC_INTERVAL = 32


class Trainer:
    """Trains one setup. A trainer may fit several times; each fit is independent.

    Args:
        processes: those that train together. ``setup.train`` gives this one's part of every batch.
    """

    def __init__(
        self,
        setup: TrainSetup,
        reporter: Reporter | None = None,
        processes: Processes = Processes(),
    ) -> None:
        self.setup, self.processes = setup, processes
        self.reporter = reporter if reporter is not None and processes.is_main else Reporter()

    def fit(self, run: RunDirectory, resume: Checkpoint | None = None) -> FitResult:
        """Trains to the configured number of epochs, or from ``resume`` (the run's ``last.pt``) on.

        ``last.pt`` is replaced at the end of every epoch; a run killed at any moment continues from
        there to the same weights, bit for bit on a CPU, as if it had not been. Of several processes
        the first writes, and all return the same.

        Raises:
            InterruptedRunError: Ctrl-C or SIGTERM; ``last.pt`` holds the last finished epoch.
            EdgectlError: the loss is not finite.
            ConfigError, DataError, ArtifactError: ``resume`` is not of this setup.
            DependencyError: the device asked for is not there.
            LostPeerError: another process has gone.
            PluginError: a plugin's callback failed.
        """
        if resume is not None:
            check_resumable(resume, self.setup, run)
        reporter = follow_run(self.reporter, self.processes)
        sitting = _TrainingSession(self.setup, run, reporter, self.processes, resume)
        with watch_interrupts() as interrupt:
            try:
                sitting.train(interrupt)
            except (KeyboardInterrupt, RuntimeError) as e:
                # told to end, and waiting for a process that has already ended
                stopped = isinstance(e, KeyboardInterrupt) or interrupt.requested
                if stopped:
                    done = sitting.progress.epoch
                    sitting.recorder.interrupted(sitting.progress)
                    raise InterruptedRunError(
                        f"interrupted after {done} of {self.setup.config.train.epochs} epochs; "
                        f"checkpoint written: {run.last}",
                        fix=f"edgectl train --resume {run.path}",
                    ) from e
                if self.processes.is_distributed and is_lost_connection(e):
                    raise LostPeerError(
                        "lost the connection to another process of the run", where=str(run.path)
                    ) from e
                raise
            finally:
                reporter.on_end()
                for tracker in sitting.accelerator.trackers:
                    tracker.finish()
            result = self.processes.broadcast(self._finish(run, sitting.progress))
        assert result is not None  # the first process has one
        return result

    def _finish(self, run: RunDirectory, progress: Progress) -> FitResult | None:
        if not self.processes.is_main:
            return None
        result = finish(run, self.setup, progress)
        plot_curves(read_events(run.events), run.plots)
        plot_confusion(result.metrics, run.plots)
        return result


class _TrainingSession:
    """One process's part of a run: what lives from its start, or resumption, to its end."""

    def __init__(
        self,
        setup: TrainSetup,
        run: RunDirectory,
        reporter: Reporter,
        processes: Processes,
        resume: Checkpoint | None,
    ) -> None:
        self.setup, self.run, self.reporter, self.processes = setup, run, reporter, processes
        self.config = setup.config.train

        seed_everything(self.config.seed)
        model = setup.family.build(setup.model_config, num_classes=len(setup.classes))
        self.loaded: dict[str, Any] | None = None
        if setup.weights is not None and resume is None:
            self.loaded = load_weights(setup, model, setup.weights)
        self.accelerator: Accelerator = build_accelerator(
            self.config, run.path, tensorboard=self.config.tensorboard, processes=processes
        )
        self.device: torch.device = self.accelerator.device
        model.to(self.device).train()
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = ModelEma(model, self.config.ema_decay)
        if processes.is_distributed and self.config.sync_bn:
            model = synchronize_norms(model, self.device.type)
        if self.device.type == "cpu" and self.precision == "bf16":
            model = widen_depthwise(model)
        self.criterion = setup.family.criterion(setup.model_config, num_classes=len(setup.classes))
        self.raw_model, self.raw_optimizer = model, build_optimizer(model, self.config.optimizer)
        self.model: nn.Module
        self.model, self.optimizer = self.accelerator.prepare(model, self.raw_optimizer)
        self.validate = Validator(setup, self.device)
        self.evaluation_interval = self.config.eval_interval or max(1, self.config.epochs // 10)

        self.recorder = Recorder()
        if processes.is_main:
            self.recorder = RunRecorder(
                setup, run, self.accelerator, model, self.raw_optimizer, self.ema
            )
        self.progress = Progress()
        if resume is not None:
            assert resume.training is not None
            self.progress = restore(resume.training, model, self.raw_optimizer, self.ema)
        run_metadata = {
            "device": str(self.device),
            "precision": self.precision,
            "processes": processes.world,
            "weights": self.loaded,
        }
        self.recorder.open(self.progress, resumed=resume is not None, run_metadata=run_metadata)

    @property
    def precision(self) -> str:
        """Number format of the forward pass."""
        return "bf16" if self.accelerator.mixed_precision == "bf16" else "fp32"

    def train(self, interrupt: Interrupt) -> None:
        """All epochs that are left."""
        total = self.config.epochs
        self.reporter.on_start(
            RunStart(
                self.run.path,
                total,
                self.progress.epoch,
                self.setup.train.steps_per_epoch,
                self.device.type if self.processes.is_distributed else str(self.device),
                self.precision,
                torch.get_num_threads(),
                "" if self.loaded is None else describe(self.setup.weights, self.loaded),
                self.processes.world,
            )
        )
        if total == 0:
            self._take_as_they_are()
        while self.progress.epoch < total and not self.progress.stopped:
            if not self.processes.is_main:
                seed_epoch(self.config.seed, self.processes.rank, self.progress.epoch)
            began = time.perf_counter()
            interval = 1 if self.device.type == "cpu" else _SYNC_INTERVAL
            meter = LossMeter(self.progress.epoch + 1, interval, self.processes)
            images = self._epoch(meter, interrupt)
            losses = meter.means()
            self._check_weights()
            seconds = time.perf_counter() - began
            self.progress.epoch += 1
            self.progress.images += images
            self.progress.train_seconds += seconds
            verdict = self._evaluate()
            report = EpochReport(
                epoch=self.progress.epoch,
                epochs=total,
                losses=losses,
                lr=self.raw_optimizer.param_groups[0]["lr"],
                images_per_second=images / seconds,
                metrics=verdict.scalars if verdict else {},
            )
            self.recorder.epoch(report, verdict, self.progress)
            self.recorder.last(verdict, self.progress)
            self.reporter.on_epoch(report)
            interrupt.check()

    def _take_as_they_are(self) -> None:
        """No epochs: the weights loaded are the result, judged like any other.

        Raises ConfigError where some, or all, would be random.
        """
        missing = ["all"] if self.loaded is None else self.loaded["missing"]
        if missing:
            raise ConfigError(
                f"without training these weights would be random: {abridged(missing)}",
                where="train.epochs = 0",
                fix="--weights FILE with every tensor, the same classes included; or --epochs 1 or more",
            )
        if self.processes.is_main:
            verdict = self.validate(self.ema.module)
            self.recorder.best(verdict, self.progress)
            self.recorder.last(verdict, self.progress)
        self.processes.wait()

    def _epoch(self, meter: LossMeter, interrupt: Interrupt) -> int:
        """One pass over the training images; returns their number, over all processes."""
        schedule, base_lr = self.config.schedule, self.config.optimizer.lr
        total_steps = self.config.epochs * self.setup.train.steps_per_epoch
        images = 0
        batches = self.setup.train.epoch(self.progress.epoch, total_epochs=self.config.epochs)
        try:
            for step, batch in enumerate(batches, start=1):
                interrupt.check()
                lr = base_lr * learning_rate_factor(schedule, self.progress.step, total_steps)
                for group in self.raw_optimizer.param_groups:
                    group["lr"] = lr
                meter.add(self._step(batch))
                self.progress.step += 1
                images += len(batch.images)
                self.reporter.on_step(step)
        finally:
            if isinstance(batches, Generator):
                batches.close()  # an epoch cut short must not leave the loader's thread behind
        return images * self.processes.world

    def _step(self, batch: TrainBatch) -> dict[str, Tensor]:
        """One update of the weights and of their average; returns the losses before it."""
        losses = self._losses(batch)
        self.accelerator.backward(losses["loss"])
        clip = self.config.optimizer.clip_norm
        if clip:
            self.accelerator.clip_grad_norm_(self.raw_model.parameters(), clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update(self.raw_model)
        return losses

    def _losses(self, batch: TrainBatch) -> dict[str, Tensor]:
        x = batch.images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        outputs = self.model(normalize(x, self.setup.preprocess))
        # bfloat16 has eight bits of mantissa: enough for convolutions, not for sums of logarithms
        return self.criterion([o.float() for o in outputs], _targets_to(batch.targets, self.device))

    def _check_weights(self) -> None:
        """The last step's loss was finite; its update need not have been."""
        for name, parameter in self.raw_model.named_parameters():
            if not bool(parameter.isfinite().all()):
                raise non_finite(name, self.progress.epoch + 1, self.setup.train.steps_per_epoch)

    def _evaluate(self) -> Verdict | None:
        """Judges the averaged weights where this epoch is due; keeps them where they are best.

        The first process does it, and the others wait for its word on whether to go on: metrics
        need all images in one place, and a dozen evaluations a run are a small part of it.
        """
        epoch = self.progress.epoch
        if epoch % self.evaluation_interval and epoch != self.config.epochs:
            return None
        verdict = self._judge() if self.processes.is_main else None
        self.progress.stopped = self.processes.broadcast(self.progress.stopped)
        return verdict

    def _judge(self) -> Verdict:
        verdict = self.validate(self.ema.module)
        holdout = self.setup.holdout
        if verdict.score is None or holdout is None:
            self.progress.best_epoch = self.progress.epoch
            chosen = True
        else:
            chosen = consider(self.progress, verdict.score, holdout.objects, self.progress.epoch)
        if chosen:
            self.recorder.best(verdict, self.progress)
        patience = self.config.early_stop
        self.progress.stopped = bool(patience) and self.progress.stale >= patience
        return verdict


def _targets_to(targets: Targets, device: torch.device) -> Targets:
    if device.type == "cpu":
        return targets

    def move(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(device, non_blocking=True)

    return Targets(
        [b.to(device, non_blocking=True) for b in targets.boxes_xyxy],
        [v.to(device, non_blocking=True) for v in targets.labels],
        image_labels=move(targets.image_labels),
        image_weights=move(targets.image_weights),
    )
