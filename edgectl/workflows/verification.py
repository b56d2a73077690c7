"""``deploy verify``: a bundle compiled and run on golden images, against the integers it was exported as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgectl.artifacts.artifact import open_artifact
from edgectl.artifacts.manifest import Manifest
from edgectl.backends.device import DeviceReport, DeviceVerifier
from edgectl.config.schema import RunConfig
from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import resize_image
from edgectl.deploy.compose import GOLDEN_IMAGES
from edgectl.errors import DataError, GateFailedError, UsageError
from edgectl.export.convert import synthetic_images
from edgectl.files import MANIFEST, find_artifacts
from edgectl.labels import Sample
from edgectl.plugins.registry import Registry
from edgectl.runs.locate import resolve_model
from edgectl.workflows.arguments import PathLike, read_path
from edgectl.workflows.console import Console
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.datasets import open_data


def verify_bundle(
    bundle: PathLike | None = None,
    *,
    cpus: Sequence[str] = ("m4",),
    serial: PathLike | None = None,
    console: Console | None = None,
    offline: bool = False,
) -> DeviceReport:
    """``edgectl deploy verify``: each argument is its option.

    Args:
        bundle: an artifact, a bundle that ``deploy`` wrote, or a run, whose newest fitting export is
            taken; None is the latest run.
        serial: a real board's print-out, judged instead.

    Raises:
        UsageError: nothing there that could be verified.
        BackendUnavailableError: no compiler or emulator.
        ArtifactError: damaged files, or an incomplete print-out.
        GateFailedError: bytes differ. The report is the error's ``result``.
    """
    context = open_context(console, offline)
    directory = _directory(context.registry, read_path(bundle))
    verifier = _verifier(context.registry, directory)
    images = _images(context, directory)
    verification = verifier.verification(directory / verifier.device_file, images)
    dump = read_path(serial)
    if dump is not None:
        report = DeviceReport((verification.of_dump(dump),))
    else:
        checks = []
        for cpu in cpus:
            context.console.note(f"{cpu}: building and running on {len(images)} images")
            checks.append(verification.on(cpu))
        report = DeviceReport(tuple(checks))
    _require_equal(report)
    return report


def _require_equal(report: DeviceReport) -> None:
    for check in report.checks:
        if check.passed:
            continue
        layer = f"; the first layer that differs is '{check.first}'" if check.first else ""
        said = f"{check.differs} output bytes differ, by {check.largest} at most{layer}"
        if not check.differs:
            said = (
                f"{check.results_wrong} results are not those of Python, though every byte is right"
            )
        error = GateFailedError(
            f"{check.name}: {said}",
            fix="please report this with the artifact",
        )
        error.result = report
        raise error


def _directory(registry: Registry, bundle: Path | None) -> Path:
    if bundle is not None and bundle.is_dir() and _find_verifier(registry, bundle) is not None:
        return bundle
    location = resolve_model(bundle)
    run = location.run
    exports = find_artifacts(run.path) if run else []
    fitting = [d for d in exports if _find_verifier(registry, d) is not None]
    if location.kind == "artifact" or not fitting:
        raise UsageError(
            "nothing here that runs without its vendor's tools",
            where=str(bundle or location.path),
            fix="export C first: edgectl export --backend c",
        )
    return max(fitting, key=lambda d: (d / MANIFEST).stat().st_mtime)


def _verifier(registry: Registry, directory: Path) -> DeviceVerifier:
    found = _find_verifier(registry, directory)
    assert found is not None
    return found


def _find_verifier(registry: Registry, directory: Path) -> DeviceVerifier | None:
    """The backend whose model file lies in a directory."""
    for _, backend in registry.graph_writers():
        if isinstance(backend, DeviceVerifier) and (directory / backend.device_file).is_file():
            return backend
    return None


def _images(context: Context, directory: Path) -> np.ndarray:
    """uint8 (N, H, W, C): the bundle's own, else of the data set's *valid*, else synthetic ones."""
    stored = sorted((directory / "golden").glob("*.rgb"))
    if not (directory / MANIFEST).is_file():
        raise UsageError(
            f"no {MANIFEST} beside the model",
            where=str(directory),
            fix="name the artifact directory the bundle was made of",
        )
    artifact = open_artifact(directory)
    manifest = artifact.manifest
    shape = manifest.tensors.inputs[0].shape
    assert shape is not None
    if stored:
        return np.stack([_read_pixels(p, shape[1:]) for p in stored])
    samples = _samples(context, manifest)
    if not samples:
        return synthetic_images(shape, GOLDEN_IMAGES)
    spec = manifest.preprocess
    images = (read_labelled(s, spec.pad_value)[0] for s in samples)
    return np.stack([resize_image(image, spec)[0] for image in images])


def _read_pixels(path: Path, shape: Sequence[int]) -> np.ndarray:
    pixels = np.frombuffer(path.read_bytes(), np.uint8)
    if pixels.size != int(np.prod(shape)):
        raise DataError(f"{pixels.size} bytes; the model takes {tuple(shape)}", where=str(path))
    return pixels.reshape(shape)


def _samples(context: Context, manifest: Manifest) -> Sequence[Sample]:
    if not manifest.data.name:
        return ()
    config = RunConfig()
    try:
        # nothing is downloaded for four images
        index = open_data(replace(context, offline=True), manifest.data.name, config, quiet=True)
    except (UsageError, DataError) as e:
        context.console.warn(f"{e.message}: synthetic images instead")
        return ()
    samples = index.splits.get(config.data.valid_split, ())
    return samples[:: max(1, len(samples) // GOLDEN_IMAGES)][:GOLDEN_IMAGES]
