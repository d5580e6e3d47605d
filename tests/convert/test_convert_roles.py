"""The config inside the checkpoint: where it contradicts the rules, and where it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from golden_cases import CASES, Case, statuses

from mm_ckpt_migrate.errors import ExitCode, FamilyError, MigrateError
from mm_ckpt_migrate.verdicts import ConvertReport, Verdict

pytestmark = pytest.mark.mm

MF, M2F = CASES["maskformer_r18"], CASES["mask2former_r18"]
SELF_FIRST = "'self_attn', 'norm', 'cross_attn', 'norm', 'ffn', 'norm'"
CROSS_FIRST = "'cross_attn', 'norm', 'self_attn', 'norm', 'ffn', 'norm'"
Change = Callable[[Any], Any]


def order(new: str) -> Change:
    """Give the decoder's layers another operation_order."""

    def change(content: Any) -> None:
        head, _, tail = content["meta"]["cfg"].rpartition("operation_order=(")
        content["meta"]["cfg"] = f"{head}operation_order=({new}){tail[tail.index(')') + 1 :]}"

    return change


def roles_of(report: ConvertReport) -> Verdict:
    return next(verdict for verdict in report.verdicts if verdict.rung.value == "roles")


@pytest.mark.parametrize(("case", "new"), [(MF, CROSS_FIRST), (M2F, SELF_FIRST)])
def test_a_customised_order_of_operations(case: Case, new: str, refused: Callable[..., MigrateError]) -> None:
    error = refused(case, order(new))
    assert isinstance(error, FamilyError)
    assert f"that the rules of {case.family} are wrong for" in error.message


def test_an_order_that_no_family_has(refused: Callable[..., MigrateError]) -> None:
    error = refused(MF, order("'norm', 'self_attn', 'norm', 'cross_attn', 'norm', 'ffn'"))
    assert error.hint.startswith("No family computes in that order")
    assert error.exit_code == ExitCode.FAMILY_REFUSED


def test_force_writes_it_and_says_so(attempt: Callable[..., ConvertReport]) -> None:
    report = attempt(MF, order(CROSS_FIRST), force_family=True)
    assert report.exit_code == ExitCode.ROLES_FAILED
    assert "unproven, and forced" in roles_of(report).summary
    assert report.destination is not None


def cfg(text: str | None) -> Change:
    def change(content: Any) -> None:
        if text is None:
            del content["meta"]["cfg"]
        else:
            content["meta"]["cfg"] = text

    return change


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "holds no config"),
        ("", "holds no config"),
        ("model = dict(decode_head=dict())", "states no operation_order"),
        ("import os\nos.system('touch ran')", "cannot be read"),
        ("model = (", "cannot be read"),
        ("_base_ = '../../etc/passwd'", "cannot be read"),
    ],
)
def test_without_a_telling_config_roles_are_skipped(
    text: str | None, reason: str, attempt: Callable[..., ConvertReport]
) -> None:
    report = attempt(MF, cfg(text))
    assert statuses(report)["roles"] == "skipped"
    assert reason in roles_of(report).summary
    assert report.exit_code == ExitCode.OK
