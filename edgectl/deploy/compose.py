"""A microcontroller's program around a network, by whichever backend writes such programs.

What the artifact holds does not matter, as long as its backend reads it as an op list: one backend reads,
another writes, and neither knows of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgectl.artifacts.artifact import Artifact
from edgectl.artifacts.manifest import Manifest, Tensors
from edgectl.backends.contract import ArtifactReader, BoardProgram, BoardProgrammer, ProgramReader
from edgectl.deploy.golden import golden_images
from edgectl.export.convert import synthetic_images
from edgectl.labels import Sample
from edgectl.plugins.info import BackendInfo, BoardInfo
from edgectl.plugins.registry import installed

GOLDEN_IMAGES = 4


class Composer:
    """An op list on its way into a program.

    Raises:
        ArtifactError: the file cannot be read.
    """

    def __init__(
        self,
        artifact: Artifact,
        reader: ProgramReader,
        writer: BoardProgrammer,
        info: BackendInfo,
        board: BoardInfo,
    ) -> None:
        self._artifact, self._writer, self._info, self._board = artifact, writer, info, board
        self._program = reader.read_program(artifact.model_file)

    def images(self, samples: Sequence[Sample]) -> tuple[np.ndarray, list[str]]:
        """(what the program tests itself with, their names): of the data set, or patches and noise. They take
        half of the flash the model leaves, at most."""
        tensors = self._artifact.manifest.tensors
        free = self._board.flash_bytes - (tensors.flash_bytes or self._artifact.model_bytes)
        shape = self._program.tensors[self._program.inputs[0]].shape
        count = max(1, min(GOLDEN_IMAGES, free // (2 * int(np.prod(shape)))))
        if samples:
            chosen = samples[:count]
            return golden_images(chosen, self._artifact.preprocess), [s.path.name for s in chosen]
        return synthetic_images(shape, count), [f"synthetic {i}" for i in range(count)]

    def write(self, directory: Path, images: np.ndarray) -> Manifest:
        """Adds the program; returns the manifest of the network in it, without a list of files."""
        manifest = self._artifact.manifest
        request = BoardProgram(self._program, manifest, self._board, images)
        model = self._writer.write_board_program(request, directory)
        return manifest.model_copy(
            update={
                "backend": self._info.name,
                "model": model.relative_to(directory).as_posix(),
                "tensors": Tensors.from_description(self._writer.describe(model)),
                "runtime": None,
            }
        )


def find_composer(artifact: Artifact, backend: ArtifactReader, board: BoardInfo) -> Composer | None:
    """None where the file is no op list of int8, or nobody writes programs."""
    if artifact.manifest.precision != "int8" or not isinstance(backend, ProgramReader):
        return None
    for info, writer in installed().graph_writers():
        if isinstance(writer, BoardProgrammer):
            return Composer(artifact, backend, writer, info, board)
    return None
