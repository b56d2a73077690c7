"""The training loop, on HF accelerate: resumable to the bit, and the same whether one process computes
a batch or several share it. What is trained, a :class:`~edgectl.train.trainee.Trainee` says."""

from __future__ import annotations

import time
from collections.abc import Generator

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from edgectl.errors import ConfigError, InterruptedRunError
from edgectl.labels import Targets
from edgectl.nn.state import abridge_names
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RunDirectory
from edgectl.train.callbacks import follow_run
from edgectl.train.device import build_accelerator
from edgectl.train.distributed.processes import LostPeerError, Processes, is_lost_connection
from edgectl.train.ema import ModelEma
from edgectl.train.interrupt import Interrupt, watch_interrupts
from edgectl.train.losses import LossMeter, non_finite
from edgectl.train.plots import plot_curves
from edgectl.train.progress import EpochReport, Reporter, RunStart
from edgectl.train.recorder import Recorder, RunRecorder
from edgectl.train.result import FitResult
from edgectl.train.resume import check_resumable
from edgectl.train.schedule import learning_rate_factor
from edgectl.train.selection import consider
from edgectl.train.setup import TrainBatch
from edgectl.train.state import Progress, restore, seed_epoch, seed_everything
from edgectl.train.trainee import Resumable, Trainee, Verdict

# Reading a loss makes an accelerator wait; a diverged run may go on that many steps.
_SYNC_INTERVAL = 32


class Trainer:
    """Trains one trainee. A trainer may fit several times; each fit is independent.

    Args:
        processes: those that train together. ``trainee.train`` gives this one's part of every batch.
    """

    def __init__(
        self,
        trainee: Trainee,
        reporter: Reporter | None = None,
        processes: Processes = Processes(),
    ) -> None:
        self.trainee, self.processes = trainee, processes
        self.reporter = reporter if reporter is not None and processes.is_main else Reporter()

    def fit(self, run: RunDirectory, resume: Resumable | None = None) -> FitResult:
        """Trains to the configured number of epochs, or from ``resume`` (the run's ``last.pt``) on.

        ``last.pt`` is replaced at the end of every epoch; a run killed at any moment continues from
        there to the same weights, bit for bit on a CPU, as if it had not been. Of several processes
        the first writes, and all return the same.

        Raises:
            InterruptedRunError: Ctrl-C or SIGTERM; ``last.pt`` holds the last finished epoch.
            EdgectlError: the loss is not finite.
            ConfigError, DataError, ArtifactError: ``resume`` is not of this trainee.
            DependencyError: the device asked for is not there.
            LostPeerError: another process has gone.
            PluginError: a plugin's callback failed.
        """
        if resume is not None:
            check_resumable(resume, self.trainee, run)
        reporter = follow_run(self.reporter, self.processes)
        sitting = _TrainingSession(self.trainee, run, reporter, self.processes, resume)
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
                        f"interrupted after {done} of {self.trainee.settings.epochs} epochs; "
                        f"checkpoint written: {run.last}",
                        fix=f"edgectl {self.trainee.command} --resume {run.path}",
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
        result = self.trainee.finish(run, progress)
        plot_curves(read_events(run.events), run.plots)
        return result


class _TrainingSession:
    """One process's part of a run: what lives from its start, or resumption, to its end."""

    def __init__(
        self,
        trainee: Trainee,
        run: RunDirectory,
        reporter: Reporter,
        processes: Processes,
        resume: Resumable | None,
    ) -> None:
        self.trainee, self.run, self.reporter, self.processes = trainee, run, reporter, processes
        self.settings = trainee.settings

        seed_everything(self.settings.seed)
        self.begin = trainee.start(resuming=resume is not None)
        self.accelerator: Accelerator = build_accelerator(
            self.settings, run.path, tensorboard=self.settings.tensorboard, processes=processes
        )
        self.device: torch.device = self.accelerator.device
        model = self.begin.network.to(self.device).train()
        self.ema = ModelEma(model, self.settings.ema_decay) if trainee.averaged else None
        model = trainee.prepare(model, self.device, self.precision, processes)
        self.raw_model, self.raw_optimizer = model, trainee.build_optimizer(model)
        self.base_lr = [float(group["lr"]) for group in self.raw_optimizer.param_groups]
        self.model: nn.Module
        self.model, self.optimizer = self.accelerator.prepare(model, self.raw_optimizer)
        self.evaluation_interval = self.settings.eval_interval or max(1, self.settings.epochs // 10)
        self.recorder = self._open_recorder(resume)

    def _open_recorder(self, resume: Resumable | None) -> Recorder:
        """Brings the state back where there is one, and writes what a run begins with."""
        recorder = Recorder()
        if self.processes.is_main:
            recorder = RunRecorder(
                self.trainee,
                self.run,
                self.accelerator,
                self.raw_model,
                self.raw_optimizer,
                self.ema,
                self.begin.provenance,
            )
        self.progress = Progress()
        if resume is not None:
            assert resume.training is not None
            self.progress = restore(resume.training, self.raw_model, self.raw_optimizer, self.ema)
        run_metadata = {
            "device": str(self.device),
            "precision": self.precision,
            "processes": self.processes.world,
        }
        recorder.open(self.progress, resumed=resume is not None, run_metadata=run_metadata)
        return recorder

    @property
    def precision(self) -> str:
        """Number format of the forward pass."""
        return "bf16" if self.accelerator.mixed_precision == "bf16" else "fp32"

    @property
    def shipped(self) -> nn.Module:
        """The network whose weights would ship now."""
        return self.raw_model if self.ema is None else self.ema.module

    def train(self, interrupt: Interrupt) -> None:
        """All epochs that are left."""
        self.reporter.on_start(self._describe_start())
        if self.settings.epochs == 0:
            self._take_as_they_are()
        while self.progress.epoch < self.settings.epochs and not self.progress.stopped:
            if not self.processes.is_main:
                seed_epoch(self.settings.seed, self.processes.rank, self.progress.epoch)
            self._train_epoch(interrupt)
            interrupt.check()

    def _describe_start(self) -> RunStart:
        return RunStart(
            self.run.path,
            self.settings.epochs,
            self.progress.epoch,
            self.trainee.train.steps_per_epoch,
            self.device.type if self.processes.is_distributed else str(self.device),
            self.precision,
            torch.get_num_threads(),
            self.begin.note,
            self.processes.world,
        )

    def _train_epoch(self, interrupt: Interrupt) -> None:
        """Steps, evaluation, events, checkpoints."""
        began = time.perf_counter()
        interval = 1 if self.device.type == "cpu" else _SYNC_INTERVAL
        meter = LossMeter(self.progress.epoch + 1, interval, self.processes, self.trainee.remedy)
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
            epochs=self.settings.epochs,
            losses=losses,
            lr=self.raw_optimizer.param_groups[0]["lr"],
            images_per_second=images / seconds,
            metrics=verdict.scalars if verdict else {},
            holdout=verdict.score if verdict else None,
        )
        self.recorder.epoch(report, verdict, self.progress)
        self.recorder.last(verdict, self.progress)
        self.reporter.on_epoch(report)

    def _take_as_they_are(self) -> None:
        """No epochs: the weights loaded are the result, judged like any other.

        Raises ConfigError where some, or all, would be random.
        """
        if self.begin.random:
            raise ConfigError(
                f"without training these weights would be random: {abridge_names(self.begin.random)}",
                where="train.epochs = 0",
                fix="--weights FILE with every tensor, the same classes included; or --epochs 1 or more",
            )
        if self.processes.is_main:
            verdict = self._validate()
            self.recorder.best(verdict, self.progress)
            self.recorder.last(verdict, self.progress)
        self.processes.wait()

    def _epoch(self, meter: LossMeter, interrupt: Interrupt) -> int:
        """One pass over the training images; returns their number, over all processes."""
        loader, epochs = self.trainee.train, self.settings.epochs
        total_steps = epochs * loader.steps_per_epoch
        images = 0
        batches = loader.epoch(self.progress.epoch, total_epochs=epochs)
        try:
            for step, batch in enumerate(batches, start=1):
                interrupt.check()
                factor = learning_rate_factor(
                    self.settings.schedule, self.progress.step, total_steps
                )
                for group, lr in zip(self.raw_optimizer.param_groups, self.base_lr, strict=True):
                    group["lr"] = lr * factor
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
        x = batch.images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        heads = self.trainee.forward(self.model, x)
        targets = _targets_to(batch.targets, self.device)
        losses = self.trainee.compute_losses(heads, x, targets)
        self.accelerator.backward(losses["loss"])
        clip = self.settings.optimizer.clip_norm
        if clip:
            self.accelerator.clip_grad_norm_(self.raw_model.parameters(), clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.ema is not None:
            self.ema.update(self.raw_model)
        return losses

    def _check_weights(self) -> None:
        """The last step's loss was finite; its update need not have been."""
        for name, parameter in self.raw_model.named_parameters():
            if not bool(parameter.isfinite().all()):
                raise non_finite(
                    name,
                    self.progress.epoch + 1,
                    self.trainee.train.steps_per_epoch,
                    self.trainee.remedy,
                )

    def _evaluate(self) -> Verdict | None:
        """Judges the weights that would ship where this epoch is due; keeps them where they are best.

        The first process does it, and the others wait for its word on whether to go on: metrics
        need all images in one place, and a dozen evaluations a run are a small part of it.
        """
        epoch = self.progress.epoch
        if epoch % self.evaluation_interval and epoch != self.settings.epochs:
            return None
        verdict = self._judge() if self.processes.is_main else None
        self.progress.stopped = self.processes.broadcast(self.progress.stopped)
        return verdict

    def _validate(self) -> Verdict:
        network = self.shipped
        training = network.training
        verdict = self.trainee.validate(network.eval(), self.device)
        network.train(training)
        return verdict

    def _judge(self) -> Verdict:
        verdict = self._validate()
        holdout = self.trainee.holdout
        if verdict.score is None or holdout is None:
            self.progress.best_epoch = self.progress.epoch
            chosen = True
        else:
            chosen = consider(self.progress, verdict.score, holdout.objects, self.progress.epoch)
        if chosen:
            self.recorder.best(verdict, self.progress)
        patience = self.settings.early_stop
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
