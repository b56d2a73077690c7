"""The training loop, on HF accelerate: one device, resumable to the bit, averaged weights out."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from edgectl.data.preprocess import normalise
from edgectl.errors import ConfigError, InterruptedRunError
from edgectl.train.checkpoint import Checkpoint
from edgectl.train.device import build_accelerator
from edgectl.train.ema import ModelEma
from edgectl.train.events import EventLog, read_events
from edgectl.train.interrupt import Interrupt, watch_interrupts
from edgectl.train.losses import LossMeter, non_finite
from edgectl.train.optimizer import build_optimizer
from edgectl.train.plots import plot_confusion, plot_curves
from edgectl.train.progress import EpochReport, Reporter, RunStart
from edgectl.train.provenance import provenance, versions
from edgectl.train.result import FitResult, finish
from edgectl.train.resume import check_resumable
from edgectl.train.rundir import RunDirectory
from edgectl.train.schedule import learning_rate_factor
from edgectl.train.selection import consider
from edgectl.train.setup import TrainBatch, TrainSetup
from edgectl.train.state import Progress, capture, restore, seed_everything
from edgectl.train.validation import Validator, Verdict
from edgectl.train.weights import abridged, describe
from edgectl.types import Targets

# Reading a loss makes an accelerator wait; a diverged run may go on that many steps.
_SYNC_INTERVAL = 32


class Trainer:
    """Trains one setup. A trainer may fit several times; each fit is independent."""

    def __init__(self, setup: TrainSetup, reporter: Reporter | None = None) -> None:
        self.setup = setup
        self.reporter = reporter or Reporter()

    def fit(self, run: RunDirectory, resume: Checkpoint | None = None) -> FitResult:
        """Trains to the configured number of epochs, or from ``resume`` (the run's ``last.pt``) on.

        ``last.pt`` is replaced at the end of every epoch; a run killed at any moment continues from
        there to the same weights, bit for bit on a CPU, as if it had not been.

        Raises:
            InterruptedRunError: Ctrl-C or SIGTERM; ``last.pt`` holds the last finished epoch.
            EdgectlError: the loss is not finite.
            ConfigError, DataError, ArtifactError: ``resume`` is not of this setup.
            DependencyError: the device asked for is not there.
        """
        if resume is not None:
            check_resumable(resume, self.setup, run)
        sitting = _Sitting(self.setup, run, self.reporter, resume)
        with watch_interrupts() as interrupt:
            try:
                sitting.train(interrupt)
            except KeyboardInterrupt as e:
                done = sitting.progress.epoch
                sitting.log.append("interrupted", epoch=done)
                raise InterruptedRunError(
                    f"interrupted after {done} of {self.setup.config.train.epochs} epochs; "
                    f"checkpoint written: {run.last}",
                    fix=f"edgectl train --resume {run.path}",
                ) from e
            finally:
                self.reporter.on_end()
                sitting.accelerator.end_training()
            result = finish(run, self.setup, sitting.progress)
            plot_curves(read_events(run.events), run.plots)
            plot_confusion(result.metrics, run.plots)
        return result


class _Sitting:
    """One process's part of a run: what lives from its start, or resumption, to its end."""

    def __init__(
        self,
        setup: TrainSetup,
        run: RunDirectory,
        reporter: Reporter,
        resume: Checkpoint | None,
    ) -> None:
        self.setup, self.run, self.reporter = setup, run, reporter
        self.config = setup.config.train
        self.log = EventLog(run.events)
        self.versions = versions()
        self.started = time.perf_counter()

        seed_everything(self.config.seed)
        model = setup.family.build(setup.model_config, num_classes=len(setup.classes))
        self.loaded: dict[str, Any] | None = None
        if setup.weights is not None and resume is None:
            self.loaded = setup.family.load_weights(model, setup.model_config, setup.weights)
        self.accelerator: Accelerator = build_accelerator(
            self.config, run.path, tensorboard=self.config.tensorboard
        )
        self.device: torch.device = self.accelerator.device
        model.to(self.device).train()
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = ModelEma(model, self.config.ema_decay)
        self.criterion = setup.family.criterion(setup.model_config, num_classes=len(setup.classes))
        self.raw_model, self.raw_optimizer = model, build_optimizer(model, self.config.optimizer)
        self.model: nn.Module
        self.model, self.optimizer = self.accelerator.prepare(model, self.raw_optimizer)
        self.validate = Validator(setup, self.device)
        self.evaluation_interval = self.config.eval_interval or max(1, self.config.epochs // 10)

        if resume is None:
            self.progress = Progress()
            self._open_run()
        else:
            assert resume.training is not None
            self.progress = restore(resume.training, self.raw_model, self.raw_optimizer, self.ema)
            self.log.rewind(self.progress.epoch)
            self.log.append("resumed", epoch=self.progress.epoch, versions=self.versions)
        self.earlier_seconds = self.progress.seconds

    @property
    def precision(self) -> str:
        """Number format of the forward pass."""
        return "bf16" if self.accelerator.mixed_precision == "bf16" else "fp32"

    def train(self, interrupt: Interrupt) -> None:
        """All epochs that are left."""
        total = self.config.epochs
        if self.config.tensorboard:
            self.accelerator.init_trackers("tensorboard")
        self.reporter.on_start(
            RunStart(
                self.run.path,
                total,
                self.progress.epoch,
                self.setup.train.steps_per_epoch,
                str(self.device),
                self.precision,
                torch.get_num_threads(),
                "" if self.loaded is None else describe(self.setup.weights, self.loaded),
            )
        )
        if total == 0:
            self._take_as_they_are()
        while self.progress.epoch < total and not self.progress.stopped:
            began = time.perf_counter()
            meter = LossMeter(
                self.progress.epoch + 1, 1 if self.device.type == "cpu" else _SYNC_INTERVAL
            )
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
            self._record(report, verdict)
            self._save_last(verdict)
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
        verdict = self.validate(self.ema.module)
        self._checkpoint(verdict).save(self.run.best)
        self._save_last(verdict)

    def _epoch(self, meter: LossMeter, interrupt: Interrupt) -> int:
        """One pass over the training pictures; returns their number."""
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
                images += len(batch.pictures)
                self.reporter.on_step(step)
        finally:
            if isinstance(batches, Generator):
                batches.close()  # an epoch cut short must not leave the loader's thread behind
        return images

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
        x = batch.pictures.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        outputs = self.model(normalise(x, self.setup.preprocess))
        # bfloat16 has eight bits of mantissa: enough for convolutions, not for sums of logarithms
        return self.criterion([o.float() for o in outputs], _targets_to(batch.targets, self.device))

    def _check_weights(self) -> None:
        """The last step's loss was finite; its update need not have been."""
        for name, parameter in self.raw_model.named_parameters():
            if not bool(parameter.isfinite().all()):
                raise non_finite(name, self.progress.epoch + 1, self.setup.train.steps_per_epoch)

    def _evaluate(self) -> Verdict | None:
        """Judges the averaged weights where this epoch is due; keeps them where they are best."""
        epoch = self.progress.epoch
        if epoch % self.evaluation_interval and epoch != self.config.epochs:
            return None
        verdict = self.validate(self.ema.module)
        holdout = self.setup.holdout
        if verdict.score is None or holdout is None:
            self.progress.best_epoch = epoch
            chosen = True
        else:
            chosen = consider(self.progress, verdict.score, holdout.objects, epoch)
        if chosen:
            self._checkpoint(verdict).save(self.run.best)
        patience = self.config.early_stop
        self.progress.stopped = bool(patience) and self.progress.stale >= patience
        return verdict

    def _record(self, report: EpochReport, verdict: Verdict | None) -> None:
        self.progress.seconds = self.earlier_seconds + time.perf_counter() - self.started
        point = verdict.operating_point if verdict else None
        self.log.append(
            "epoch",
            epoch=report.epoch,
            losses=dict(report.losses),
            lr=report.lr,
            metrics=dict(report.metrics),
            holdout=verdict.score if verdict else None,
            threshold=point.threshold if point else None,
            images_per_second=round(report.images_per_second, 1),
            seconds=round(self.progress.seconds, 3),
        )
        if self.config.tensorboard:
            scalars: dict[str, Any] = {f"train/{k}": v for k, v in report.losses.items()}
            scalars |= {f"valid/{k}": v for k, v in report.metrics.items()}
            scalars["train/lr"] = report.lr
            self.accelerator.log(scalars, step=report.epoch)

    def _open_run(self) -> None:
        """The papers of a new run, and a checkpoint to resume from if the first epoch is cut."""
        self.run.write_config(self.setup.config)
        papers = provenance(
            seed=self.config.seed,
            data=self.setup.data,
            device=str(self.device),
            precision=self.precision,
        )
        if self.loaded is not None:
            papers["weights"] = {"file": str(self.setup.weights), **self.loaded}
        self.run.write_provenance(papers)
        self.log.append("started", epoch=0, epochs=self.config.epochs)
        self._save_last(None)

    def _save_last(self, verdict: Verdict | None) -> None:
        checkpoint = self._checkpoint(verdict)
        checkpoint.training = capture(self.raw_model, self.raw_optimizer, self.ema, self.progress)
        checkpoint.save(self.run.last)

    def _checkpoint(self, verdict: Verdict | None) -> Checkpoint:
        setup = self.setup
        return Checkpoint(
            family=setup.family_name,
            variant=setup.config.variant,
            task=setup.task,
            config=setup.config.model_dump(mode="json"),
            classes=list(setup.classes),
            input_size=setup.preprocess.input_size,
            preprocess=setup.preprocess.to_dict(),
            outputs=[spec.to_dict() for spec in setup.outputs],
            weights=dict(self.ema.module.state_dict()),
            epoch=self.progress.epoch,
            data=setup.data,
            versions=self.versions,
            metrics=verdict.metrics if verdict else {},
            operating_point=verdict.operating_point if verdict else None,
        )


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
