"""docs/write-a-*.md, followed: every command is run, every difference applied."""

from __future__ import annotations

import re
import subprocess

import pytest

BLOCK = re.compile(r"^```(sh|diff)\n(.*?)^```$", re.S | re.M)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "distribution"),
    [("write-a-family", "edgectl-shapes"), ("write-a-backend", "edgectl-mychip")],
)
def test_the_page_can_be_followed(environment, request, tmp_path, page, distribution):
    text = (request.config.rootpath / "docs" / f"{page}.md").read_text()
    blocks = BLOCK.findall(text)
    assert len(blocks) >= 5
    # nothing is fetched: what the projects depend on is there
    offline = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    variables = environment.variables(tmp_path) | offline
    for kind, content in blocks:
        words = ["sh", "-ex"] if kind == "sh" else ["patch", "-p1", "--fuzz=0"]
        done = subprocess.run(
            words, input=content, cwd=tmp_path, env=variables, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{content}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    environment.uninstall(distribution, tmp_path)
