"""Load rule files: an unknown word is an error, and so is a rule that contradicts another."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import RuleError
from mm_ckpt_migrate.mapping.rules.config_rules import config_rule, need, relocation
from mm_ckpt_migrate.mapping.rules.fields import SEGMENT, WORD, Fields
from mm_ckpt_migrate.mapping.rules.lookalikes import Lookalike, Project
from mm_ckpt_migrate.mapping.rules.pattern import Pattern, PatternError, compile_pattern
from mm_ckpt_migrate.mapping.rules.ruleset import Marks, ModuleOrder, Role, Rule, RuleSet
from mm_ckpt_migrate.mapping.rules.yamltext import MAX_BYTES, YamlText

SCHEMA: Final = 1
MAX_RULES: Final = 2_000
LOOKALIKES: Final = "lookalikes.yaml"
_OPERATION: Final = re.compile("self_attn|cross_attn|norm|ffn")
_MARKS: Final = (("present", 1), ("absent", 0), ("old", 1), ("new", 0))


def load_ruleset(path: Path) -> RuleSet:
    """Load one family's rule file.

    Raises:
        RuleError: it is malformed, with the line; or a rule contradicts another or itself.
    """
    raw = _read(path)
    fields = _open(path, raw)
    ruleset = _ruleset(fields, path, hashlib.sha256(raw).hexdigest())
    if not ruleset.rules and not ruleset.needs:
        raise fields.error("it has neither `rules` nor `needs`")
    fields.close()
    return ruleset


def _ruleset(fields: Fields, path: Path, digest: str) -> RuleSet:
    builder = _Builder(_choices(fields))
    rules = builder.rules(fields, "rules")
    releases, models = fields.table("releases"), fields.optional_table("models")
    ruleset = RuleSet(
        family=fields.text("family", WORD),
        number=fields.integer("number") if "number" in fields.left else None,
        title=fields.text("title"),
        released_from=releases.text("from"),
        released_to=releases.text("to"),
        why=fields.text("why"),
        upstream=fields.texts("upstream", minimum=1),
        marks=builder.marks(fields.table("recognise")),
        rules=rules,
        roles=builder.roles(fields),
        order=builder.order(fields),
        config=tuple(config_rule(e, builder.patterns) for e in _section(fields, "config")),
        relocations=tuple(map(relocation, _section(fields, "relocate"))),
        needs=tuple(need(entry, builder.pattern) for entry in _section(fields, "needs")),
        versions=builder.versions(fields),
        control=builder.control(fields, rules),
        mistake=fields.text("mistake") if "mistake" in fields.left else "two parts exchanged",
        path=path,
        digest=digest,
        next_family=fields.text("next", WORD) if "next" in fields.left else None,
        parts=builder.patterns(fields, "parts", minimum=1, optional=True),
        models=models.texts("of", SEGMENT, optional=True),
        not_models=models.texts("not_of", SEGMENT, optional=True),
    )
    releases.close()
    models.close()
    builder.check_names(fields)
    return ruleset


def _section(fields: Fields, name: str) -> Iterator[Fields]:
    """The entries of a section that may be left out, but not be empty."""
    return fields.tables(name, minimum=1, optional=True)


def load_lookalikes(path: Path) -> tuple[tuple[Lookalike, ...], tuple[Project, ...]]:
    """Load the look-alikes, known by their keys, and the projects, known by what files say of themselves.

    Raises:
        RuleError: as `load_ruleset`.
    """
    fields = _open(path, _read(path))
    builder = _Builder({})
    lookalikes = tuple(
        Lookalike(
            name=entry.text("name"),
            present=builder.patterns(entry, "present", minimum=1),
            advice=entry.text("advice"),
        )
        for entry in fields.tables("lookalikes")
    )
    projects = tuple(map(_project, fields.tables("projects", optional=True)))
    fields.close()
    return lookalikes, projects


def _project(fields: Fields) -> Project:
    return Project(
        name=fields.text("name"),
        packages=fields.texts("packages", WORD, minimum=1),
        below=fields.integer("below") if "below" in fields.left else None,
        models=fields.texts("models", SEGMENT, optional=True),
        advice=fields.text("advice"),
    )


def _read(path: Path) -> bytes:
    """As much of it as a rule file may have, and a byte more."""
    try:
        # Not blocking, so that a FIFO is refused rather than waited for.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RuleError(path, None, "cannot be read: it is not a regular file")
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RuleError(path, None, f"cannot be read: {error.strerror}") from error


def _open(path: Path, raw: bytes) -> Fields:
    text = YamlText(path, raw)
    fields = Fields(text, (), text.data)
    if fields.integer("schema") != SCHEMA:
        raise fields.error(f"this tool reads rule files of schema {SCHEMA}", "schema")
    return fields


def _choices(fields: Fields) -> dict[str, frozenset[str]]:
    """`names`: for some captures, the only segments they may stand for."""
    if "names" not in fields.left:
        return {}
    table = fields.table("names")
    for name in table.left:
        if not WORD.fullmatch(name):
            raise table.error(f"{name!r} is no name of a capture", name)
    return {name: frozenset(table.texts(name, SEGMENT, minimum=1)) for name in list(table.left)}


class _Builder:
    """Compiles the patterns of one file, and the records that hold them."""

    def __init__(self, choices: Mapping[str, frozenset[str]]) -> None:
        self.choices = choices
        self.used: set[str] = set()

    def pattern(self, fields: Fields, name: str) -> Pattern:
        return self._compile(fields, fields.text(name), name)

    def patterns(
        self, fields: Fields, name: str, *, minimum: int, optional: bool = False
    ) -> tuple[Pattern, ...]:
        texts = fields.texts(name, minimum=minimum, optional=optional)
        return tuple(self._compile(fields, text, name, i) for i, text in enumerate(texts))

    def _compile(self, fields: Fields, text: str, *inside: str | int) -> Pattern:
        try:
            pattern = compile_pattern(text, self.choices)
        except PatternError as error:
            raise fields.error(str(error), *inside) from None
        self.used.update(pattern.captures)
        return pattern

    def check_names(self, fields: Fields) -> None:
        if unused := set(self.choices) - self.used:
            raise fields.error(f"no pattern has {{{min(unused)}}}", "names", min(unused))

    def marks(self, fields: Fields) -> Marks:
        marks = Marks(*(self.patterns(fields, name, minimum=low) for name, low in _MARKS))
        fields.close()
        return marks

    def rules(self, fields: Fields, section: str) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        minimum = 1 if section == "control" else 0
        for entry in fields.tables(section, minimum=minimum, maximum=MAX_RULES):
            rule = self._rule(entry)
            if any(rule.source.text == other.source.text for other in rules):
                raise entry.error(f"a second rule moves {rule.source.text!r}")
            rules.append(rule)
        return tuple(rules)

    def _rule(self, fields: Fields) -> Rule:
        source = self.pattern(fields, "from")
        drop, optional = fields.flag("drop"), fields.flag("optional")
        if drop == ("to" in fields.left):
            raise fields.error("a rule needs either `to` or `drop: true`")
        target = None if drop else self.pattern(fields, "to")
        if target is not None:
            _check_captures(fields, source, target)
        return Rule(source, target, optional)

    def control(self, fields: Fields, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        """Rules that take the place of those of the same `from`, or come beside them."""
        control = self.rules(fields, "control")
        right = {rule.source.text: rule.target for rule in rules}
        for number, rule in enumerate(control):
            if right.get(rule.source.text, rule.source) == rule.target:
                raise fields.error("the control must differ from the rule", "control", number)
            if rule.target is None and rule.source.text not in right:
                raise fields.error(f"no rule moves {rule.source.text!r}", "control", number)
        return control

    def roles(self, fields: Fields) -> tuple[Role, ...]:
        return tuple(
            Role(
                layers=self.pattern(entry, "layers"),
                config=self.pattern(entry, "config"),
                operation_order=entry.texts("operation_order", _OPERATION, minimum=1),
            )
            for entry in fields.tables("roles", optional=True)
        )

    def versions(self, fields: Fields) -> tuple[tuple[Pattern, int], ...]:
        entries = fields.tables("versions", optional=True)
        return tuple((self.pattern(entry, "module"), entry.integer("version")) for entry in entries)

    def order(self, fields: Fields) -> tuple[ModuleOrder, ...]:
        orders = []
        for entry in fields.tables("order", optional=True):
            layers = self.pattern(entry, "layers") if "layers" in entry.left else None
            children = entry.texts("children", SEGMENT)
            if len(set(children)) < len(children):
                raise entry.error("a child stands in the list twice", "children")
            orders.append(ModuleOrder(layers, children))
        return tuple(orders)


def _check_captures(fields: Fields, source: Pattern, target: Pattern) -> None:
    """A target names each capture of its source, and no other: else names collide or are lost."""
    if unknown := set(target.captures) - set(source.captures):
        raise fields.error(f"{{{min(unknown)}}} does not stand in `from`", "to")
    if lost := set(source.captures) - set(target.captures):
        raise fields.error(f"{{{min(lost)}}} of `from` would be lost", "to")
    if source.has_rest != target.has_rest:
        raise fields.error("`**` must end both `from` and `to`, or neither", "to")
