"""What edgectl has itself goes through the hooks of plugins."""

from __future__ import annotations

from edgectl.data.formats import FORMATS, known_formats
from edgectl.data.formats.writing import WRITERS, find_writer, writer_names
from edgectl.data.inspect.checks import CHECKS, known_checks
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind, load_task


def test_every_format_is_registered_in_the_order_it_is_tried():
    own = {f.name for f in FORMATS}
    assert [f.name for f in known_formats() if f.name in own] == [f.name for f in FORMATS]
    assert {w.name for w in WRITERS} <= set(writer_names())
    assert all(find_writer(w.name) is w for w in WRITERS)


def test_every_check_is_registered():
    assert set(CHECKS) <= set(known_checks())


def test_every_family_has_a_task_that_reads_its_heads():
    registry = build_registry()
    for info in registry.families.infos():
        task = registry.tasks.get(info.task)
        family = load_entry(info.entry, info.name)
        config = family.config_type.model_validate(
            family.presets(info.default_variant).get("model", {}), strict=False
        )
        outputs = family.outputs(config, num_classes=3)
        assert {o.kind for o in outputs} <= set(task.heads), info.name
        assert all(o.channels == head_kind(o.kind).channels(3) for o in outputs), info.name


def test_the_light_facts_of_a_task_are_those_of_its_code():
    for info in build_registry().tasks.infos():
        outputs = [OutputSpec("x", info.heads[0], 8, head_kind(info.heads[0]).channels(2))]
        metrics = load_task(info.name).metrics(("a", "b"), outputs, (32, 32))
        assert (metrics.main, metrics.tuned) == (info.main_metric, info.operating_point)
        assert info.main_metric in metrics.build().compute()
