"""Conformance kit for plugin authors. Three lines in a test file::

    from edgectl.testing.family import FamilyContract

    class TestMine(FamilyContract):
        family = "mine"

and likewise :class:`~edgectl.testing.backend.BackendContract` and
:class:`~edgectl.testing.dataset.DatasetContract`. pytest finds the fixtures by itself.
"""
