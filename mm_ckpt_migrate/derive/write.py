"""A proposal as the text of a rule file."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mm_ckpt_migrate.derive.assignment import Assignment, DerivedRule, Layouts, Level, Role, Tie
from mm_ckpt_migrate.derive.control import kinds_of
from mm_ckpt_migrate.derive.marks import ProposedMarks
from mm_ckpt_migrate.derive.stubs import Texts
from mm_ckpt_migrate.mapping.rules.ruleset import ModuleOrder
from mm_ckpt_migrate.names import fold, safe_text

_WIDTH = 98


@dataclass(frozen=True, slots=True)
class Proposal:
    """All parts of a rule file.

    Attributes:
        order: None where the new order of the modules cannot be said in a rule file.
    """

    family: str
    layouts: Layouts
    assignment: Assignment
    rules: tuple[DerivedRule, ...]
    marks: ProposedMarks
    roles: tuple[Role, ...]
    order: tuple[ModuleOrder, ...] | None
    control: tuple[Texts, ...]


def rule_file(proposal: Proposal) -> str:
    """The text, for people to read and to correct, and for `load_ruleset`."""
    parts = [
        _head(proposal),
        _recognition(proposal.marks),
        _rules(proposal.rules),
        _unmatched(proposal.assignment),
        _ties(proposal.assignment.ties),
        _roles(proposal.roles),
        _order(proposal.order),
        _control(proposal.control),
    ]
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part))) + "\n"


def _head(proposal: Proposal) -> Iterator[str]:
    assignment, layouts = proposal.assignment, proposal.layouts
    old, new = _plain(layouts.old_origin), _plain(layouts.new_origin)
    yield from _comment(
        f"Derived from the structure of {old} and the model of {new}: a proposal, not proven. "
        f"{len(assignment.pairs)} keys move, {len(assignment.kept)} have the same name and shape "
        "in both and stay."
    )
    if not assignment.covers:
        yield from _comment(
            "IT DOES NOT COVER THE MODEL: see `unmatched` below. As it is, no file can migrate."
        )
    if assignment.open_ties:
        yield from _comment(
            "SOME OF IT IS A GUESS: see `undecided` below. The wrong one loads as well, and "
            "computes garbage. Let `derive --legacy` or the old code tell."
        )
    yield from _comment(
        "certain: nothing else in that place has these shapes, if nothing was added or taken out "
        "upstream. decided: by the old config or the "
        "old code. likely: by names or numbers alone. undecided: a guess."
    )
    yield from ("schema: 1", f"family: {proposal.family}", f"title: {_quoted(proposal.family)}", "")
    yield from ("releases:", f"  from: {_quoted('that of ' + old)}")
    yield from (f"  to: {_quoted('that of ' + new)}", "")
    why = f"Derived from {old} and {new}; not proven. Say here why the names changed."
    yield f"why: {_quoted(why)}"
    yield from ("", "upstream:", f"  - {_quoted('unknown: name the change that made this necessary')}")


def _recognition(marks: ProposedMarks) -> Iterator[str]:
    yield from _comment(
        "One model is all that was seen: make sure that these marks fit no other family."
        + ("" if marks.both else " No key stays, so that files with new names are not recognised.")
    )
    yield "recognise:"
    for name, patterns in (("present", marks.present), ("old", marks.old), ("new", marks.new)):
        yield f"  {name}:" + ("" if patterns else " []")
        yield from (f"    - {_quoted(text)}" for text in patterns)
    yield "  absent: []"


def _rules(rules: Sequence[DerivedRule]) -> Iterator[str]:
    yield "rules:"
    for rule in rules:
        worst = [reason.text for reason in rule.reasons if reason.level == rule.level]
        decided = [r.text for r in rule.reasons if r.level is Level.DECIDED is not rule.level]
        word = rule.level.word.upper() if rule.level is Level.UNDECIDED else rule.level.word
        yield from _comment(f"{word}: {'; '.join((*worst, *decided))}.", "  ")
        yield f"  - from: {_quoted(rule.source)}"
        yield f"    to:   {_quoted(rule.target)}"


def _unmatched(assignment: Assignment) -> Iterator[str]:
    if assignment.missing:
        yield "# unmatched: the new model needs these, and nothing in the old file fits them."
        yield from (f"#   {_plain(line)}" for line in fold(assignment.missing))
    if assignment.lost:
        yield "# unmatched: the old file has these, and the new model has no place for them."
        yield "# Make rules of those that may really be left behind; their contents are lost then."
        for line in assignment.lost:
            yield f"#  - from: {_quoted(line)}"
            yield "#    drop: true"


def _ties(ties: Sequence[Tie]) -> Iterator[str]:
    for tie, count in ((alike[0], len(alike)) for alike in kinds_of(ties)):
        word = "decided" if tie.decided else "undecided"
        alike = f" here and likewise in {count - 1} more places" if count > 1 else ""
        yield from _comment(f"{word}{alike}: {tie.reason.text}:")
        shown = zip(tie.olds, tie.news, strict=True)
        yield from (f"#   {_plain(old)} -> {_plain(new)}" for old, new in shown)
        yield from (f"#   {_plain(path)} would fit as well" for path in tie.spare)
        if not tie.decided:
            yield "#   or in any other order"


def _roles(roles: Sequence[Role]) -> Iterator[str]:
    if roles:
        yield "roles:"
    for role in roles:
        yield f"  - layers: {_quoted(role.layers)}"
        yield f"    config: {_quoted(role.config)}"
        yield f"    operation_order: [{', '.join(role.operation_order)}]"


def _order(order: Sequence[ModuleOrder] | None) -> Iterator[str]:
    if order is None:
        yield from _comment(
            "The new order of the modules cannot be said in this file: convert trainings with the "
            "target model built, never with --no-build."
        )
    elif order:
        yield "order:"
    for entry in order or ():
        line = f"children: [{', '.join(map(_word, entry.children))}]"
        if entry.layers is not None:
            yield f"  - layers: {_quoted(entry.layers.text)}"
            yield f"    {line}"
        else:
            yield f"  - {line}"


def _control(control: Sequence[Texts]) -> Iterator[str]:
    yield from _comment("The wrong mapping that the forward check must catch; it loads strictly, too.")
    first, last = (text.removesuffix(".**") for text in (control[0][0], control[-1][0]))
    yield f"mistake: {_quoted(f'{first} and {last} exchanged')}"
    yield "control:"
    for source, target in control:
        yield f"  - from: {_quoted(source)}"
        yield f"    to:   {_quoted(target)}"


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        _plain(text),
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain(text: str) -> str:
    """Names of files and keys come from anywhere: nothing of them may end a line."""
    return safe_text(text, 1000)


def _quoted(text: str) -> str:
    """JSON's strings are YAML's."""
    return json.dumps(_plain(text), ensure_ascii=True)


def _word(text: str) -> str:
    return text if re.fullmatch("[a-z_]+", text) and text not in _YAML_WORDS else _quoted(text)


_YAML_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
