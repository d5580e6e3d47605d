"""Sides of a comparison, made of golden files."""

from __future__ import annotations

from pathlib import Path

from golden_cases import CASES, Case

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.mapping.plan import Plan, make_plan
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verify.raw_outputs import model_request
from mm_ckpt_migrate.verify.rungs.forward import Side, control_names

CASE = CASES["mask2former_swin"]


def side(process: ReleaseProcess, file: Path, config: str = CASE.new_config) -> Side:
    path = Path(config)
    return Side(process, model_request(read_config(path), path), file)


def planned(case: Case, families: dict[str, RuleSet]) -> tuple[Plan, dict[str, str]]:
    with Source(case.old) as source:
        schema = open_checkpoint(source).schema
    rules = families[case.family]
    return make_plan(schema, rules), control_names(schema, rules)
