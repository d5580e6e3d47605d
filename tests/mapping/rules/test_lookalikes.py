"""Files of other projects are named, and none of OpenMMLab's own is called another's."""

from __future__ import annotations

import pytest
from layouts.tables import DET_NEW, all_names, configs
from openmmlab_projects import OPENMMLAB, VIT_CLS
from other_projects import OTHERS

from mm_ckpt_migrate.mapping.rules.detect import Layout, detect, find_lookalike
from mm_ckpt_migrate.mapping.rules.library import Library

OWN_DETECTORS = ("conditional_detr", "dab_detr", "dino", "ddq", "glip", "grounding_dino", "mm_grounding_dino")


ALL = {**OTHERS, **OPENMMLAB}


@pytest.mark.parametrize("project", ALL)
def test_a_file_of_another_project_is_named(project: str, library: Library) -> None:
    keys, name = ALL[project]
    assert len(keys) >= 12
    assert len(set(keys)) == len(keys)
    found = find_lookalike(keys, library.lookalikes)
    assert found is not None
    assert found.name == name
    assert found.advice.endswith(".")


@pytest.mark.parametrize("project", ALL)
def test_no_family_takes_it(project: str, library: Library) -> None:
    keys, _ = ALL[project]
    hits = detect(keys, library.families)
    # mmseg's ViT has the backbone of a classifier; the head is what it has not.
    assert [hit.rules.family for hit in hits] == (["vit"] if keys is VIT_CLS else [])
    assert [name for hit in hits for name in hit.rules.unknown(keys)] == [
        name for name in keys if hits and name.startswith("head.")
    ]


def test_every_entry_is_met(library: Library) -> None:
    """But for those that stand behind a more exact one, and name the same project."""
    met = {id(find_lookalike(keys, library.lookalikes)) for keys, _ in ALL.values()}
    unmet = [entry.name for entry in library.lookalikes if id(entry) not in met]
    assert unmet == ["BEVFormer or MapTR"]


def test_no_model_of_openmmlab_is_called_something_else(library: Library) -> None:
    """Of 820 layouts, the last entry fits the old DETRs alone, which the families claim."""
    *exact, last = library.lookalikes
    assert len(all_names()) == 820
    for layout, keys in all_names().items():
        assert find_lookalike(keys, exact) is None, layout
        if find_lookalike(keys, [last]):
            families = [hit.rules.family for hit in detect(keys, library.families)]
            assert families in (["detr"], ["deformable_detr"]), layout


@pytest.mark.parametrize("folder", OWN_DETECTORS)
def test_a_detector_that_began_with_the_current_names_needs_no_renaming(
    folder: str, library: Library
) -> None:
    """They resemble the migrated DETRs, and none may be taken for one to migrate."""
    own = {name for c, name in configs(DET_NEW).items() if c.startswith(f"{folder}/")}
    assert own
    for name in own:
        hits = detect(all_names()[name], library.families)
        assert {hit.layout for hit in hits} <= {Layout.NEW}
