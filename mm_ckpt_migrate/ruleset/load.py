"""Load rule files: every word in them is known, and every promise they make is checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mm_ckpt_migrate.errors import RuleError
from mm_ckpt_migrate.ruleset.model import Lookalike, Marks, Role, Rule, RuleSet
from mm_ckpt_migrate.ruleset.pattern import Pattern, PatternError, compile_pattern
from mm_ckpt_migrate.ruleset.yamltext import Location, YamlText

MAX_RULES: Final = 2_000
LOOKALIKES: Final = "lookalikes.yaml"

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Sentence = Annotated[str, Field(min_length=1, max_length=4000)]
Choice = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Operation = Literal["self_attn", "cross_attn", "norm", "ffn"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Releases(_Strict):
    from_: Sentence = Field(alias="from")
    to: Sentence


class _Recognise(_Strict):
    present: list[str] = Field(min_length=1)
    absent: list[str]
    old: list[str] = Field(min_length=1)
    new: list[str]


class _Move(_Strict):
    from_: str = Field(alias="from")
    to: str | None = None
    drop: bool = False
    optional: bool = False


class _Role(_Strict):
    layers: str
    config: str
    operation_order: list[Operation] = Field(min_length=1)


class _RuleFile(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    family: Word
    number: int | None = None
    title: Sentence
    releases: _Releases
    why: Sentence
    upstream: list[Sentence] = Field(min_length=1)
    names: dict[Word, list[Choice]] = {}
    recognise: _Recognise
    rules: list[_Move] = Field(min_length=1, max_length=MAX_RULES)
    roles: list[_Role] = []
    control: list[_Move] = Field(min_length=1)


class _Lookalike(_Strict):
    name: Sentence
    present: list[str] = Field(min_length=1)
    advice: Sentence


class _LookalikeFile(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    lookalikes: list[_Lookalike]


_Model = TypeVar("_Model", bound=BaseModel)


def load_ruleset(path: Path) -> RuleSet:
    """Load one family's rule file.

    Raises:
        RuleError: it is malformed, with the line; or a rule contradicts another or itself.
    """
    raw = _read(path)
    text = YamlText(path, raw)
    file = _validate(text, _RuleFile)
    builder = _Builder(text, {n: frozenset(c) for n, c in file.names.items()})
    rules = builder.rules("rules", file.rules)
    control = builder.rules("control", file.control)
    sources = {rule.source.text for rule in rules}
    for index, rule in enumerate(control):
        if rule.source.text not in sources:
            raise builder.error(("control", index), f"no rule moves {rule.source.text!r}")
        if rule in rules:
            raise builder.error(("control", index), "the control must differ from the rule")
    marks = file.recognise
    return RuleSet(
        file.family, file.number, file.title, file.releases.from_, file.releases.to, file.why,
        tuple(file.upstream),
        Marks(*(builder.patterns(("recognise", n), getattr(marks, n)) for n in _MARK_NAMES)),
        rules, builder.roles(file.roles), control, path, hashlib.sha256(raw).hexdigest(),
    )  # fmt: skip


def load_lookalikes(path: Path) -> tuple[Lookalike, ...]:
    """Load the list of files to name and refuse; raises as `load_ruleset` does."""
    text = YamlText(path, _read(path))
    file = _validate(text, _LookalikeFile)
    builder = _Builder(text, {})
    return tuple(
        Lookalike(
            entry.name, builder.patterns(("lookalikes", i, "present"), entry.present), entry.advice
        )
        for i, entry in enumerate(file.lookalikes)
    )


_MARK_NAMES: Final = ("present", "absent", "old", "new")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RuleError(path, None, f"cannot be read: {error.strerror}") from error


def _validate(text: YamlText, model: type[_Model]) -> _Model:
    try:
        return model.model_validate(text.data)
    except ValidationError as error:
        first = error.errors()[0]
        location: Location = first["loc"]
        where = ".".join(map(str, location))
        raise RuleError(
            text.path, text.line(location), f"{where}: {first['msg'].lower()}"
        ) from None


class _Builder:
    def __init__(self, text: YamlText, choices: Mapping[str, frozenset[str]]) -> None:
        self.text = text
        self.choices = choices

    def error(self, location: Location, reason: str) -> RuleError:
        return RuleError(self.text.path, self.text.line(location), reason)

    def pattern(self, location: Location, text: str) -> Pattern:
        try:
            return compile_pattern(text, self.choices)
        except PatternError as error:
            raise self.error(location, str(error)) from None

    def patterns(self, location: Location, texts: list[str]) -> tuple[Pattern, ...]:
        return tuple(self.pattern((*location, i), text) for i, text in enumerate(texts))

    def rules(self, section: str, moves: list[_Move]) -> tuple[Rule, ...]:
        rules = tuple(self._rule((section, i), move) for i, move in enumerate(moves))
        for index, rule in enumerate(rules):
            if any(rule.source.text == other.source.text for other in rules[:index]):
                raise self.error((section, index), f"a second rule moves {rule.source.text!r}")
        return rules

    def _rule(self, location: Location, move: _Move) -> Rule:
        source = self.pattern((*location, "from"), move.from_)
        if (move.to is None) != move.drop:
            raise self.error(location, "a rule needs either `to` or `drop: true`")
        if move.to is None:
            return Rule(source, None, move.optional)
        target = self.pattern((*location, "to"), move.to)
        if unknown := set(target.captures) - set(source.captures):
            raise self.error((*location, "to"), f"{{{min(unknown)}}} does not stand in `from`")
        if lost := set(source.captures) - set(target.captures):
            raise self.error((*location, "to"), f"{{{min(lost)}}} of `from` would be lost")
        if source.has_rest != target.has_rest:
            raise self.error((*location, "to"), "`**` must end both `from` and `to`, or neither")
        return Rule(source, target, move.optional)

    def roles(self, roles: list[_Role]) -> tuple[Role, ...]:
        return tuple(
            Role(
                self.pattern(("roles", i, "layers"), role.layers),
                self.pattern(("roles", i, "config"), role.config),
                tuple(role.operation_order),
            )
            for i, role in enumerate(roles)
        )
