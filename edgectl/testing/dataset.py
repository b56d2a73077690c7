"""What every named data set must do: be found, be readable, be the same again."""

from __future__ import annotations

import shutil
from typing import ClassVar

import pytest

import edgectl
from edgectl.errors import EdgectlError
from edgectl.plugins.info import DatasetInfo
from edgectl.plugins.registry import build_registry
from edgectl.testing.line import Project
from edgectl.workflows.data.info import describe_data


class DatasetContract:
    """Attributes:
    dataset: registered name.
    """

    dataset: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, edgectl_project: Project) -> DatasetInfo:
        """As registered; sets that would have to be downloaded are skipped where they are absent."""
        info = build_registry().datasets.get(cls.dataset)
        if info.generate is None:
            try:
                describe_data(cls.dataset, offline=True)
            except EdgectlError:
                pytest.skip("not on this machine")
        return info

    def test_it_says_where_it_comes_from(self, info: DatasetInfo) -> None:
        assert info.summary and info.licence
        assert info.generate or info.url or info.directories

    def test_images_and_labels_are_read(self, info: DatasetInfo, edgectl_project: Project) -> None:
        facts = edgectl_project.expect(describe_data, self.dataset, offline=True)
        assert facts["classes"] and all(facts["classes"])
        assert facts["splits"] and all(s["images"] > 0 for s in facts["splits"].values())

    def test_the_checker_finds_no_errors(self, info: DatasetInfo, edgectl_project: Project) -> None:
        found = edgectl.check_data(self.dataset, offline=True).findings
        assert not [f for f in found if f.severity == "error"]

    def test_a_drawn_set_is_the_same_again(
        self, info: DatasetInfo, edgectl_project: Project
    ) -> None:
        if info.generate is None:
            pytest.skip("not drawn")
        first = edgectl_project.expect(describe_data, self.dataset)
        shutil.rmtree(edgectl_project.path / "cache")
        assert edgectl_project.expect(describe_data, self.dataset) == first
