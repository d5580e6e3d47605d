"""Take a YAML table apart field by field; what is missing, unknown or of another kind is an error.

pydantic would do this in fewer lines, and costs every run 80 ms of import, a tenth of what the
conversion of a file of 900 MB takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from mm_ckpt_migrate.errors import RuleError
from mm_ckpt_migrate.mapping.rules.ruleset import Constant
from mm_ckpt_migrate.mapping.rules.yamltext import Location, YamlText

MAX_TEXT: Final = 4000  # characters
MAX_ITEMS: Final = 4000
WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
DECIMAL: Final = re.compile(r"-?[0-9]{1,9}\.[0-9]{1,9}")
SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")


class Fields:
    """One table of a rule file. Every field is taken once; `close` refuses what is left.

    All methods raise RuleError, with the line, where a field is not what it must be.
    """

    def __init__(self, text: YamlText, location: Location, value: Any) -> None:
        self.source = text
        self.location = location
        if not isinstance(value, dict):
            raise self.error("a table is expected here")
        self.left = dict(value)

    def error(self, reason: str, *inside: str | int) -> RuleError:
        location = (*self.location, *inside)
        return RuleError(self.source.path, self.source.line(location), reason)

    def text(self, name: str, pattern: re.Pattern[str] | None = None) -> str:
        return self._text(self.value(name), pattern, name)

    def texts(
        self, name: str, pattern: re.Pattern[str] | None = None, *, minimum: int = 0, optional: bool = False
    ) -> tuple[str, ...]:
        items = self._items(name, minimum=minimum, optional=optional)
        return tuple(self._text(item, pattern, name, number) for number, item in enumerate(items))

    def _items(
        self, name: str, *, minimum: int, maximum: int = MAX_ITEMS, optional: bool = False
    ) -> list[Any]:
        """Empty where an optional field is left out."""
        if optional and name not in self.left:
            return []
        value = self.value(name)
        if not isinstance(value, list) or not minimum <= len(value) <= maximum:
            few = f"a list of at least {minimum}" if minimum else "a list"
            raise self.error(f"`{name}` must be {few}", name)
        return value

    def tables(
        self, name: str, *, minimum: int = 0, maximum: int = MAX_ITEMS, optional: bool = False
    ) -> Iterator[Fields]:
        """The tables of a list. Each is closed when the next one is asked for."""
        items = self._items(name, minimum=minimum, maximum=maximum, optional=optional)
        for number, item in enumerate(items):
            table = Fields(self.source, (*self.location, name, number), item)
            yield table
            table.close()

    def table(self, name: str) -> Fields:
        return Fields(self.source, (*self.location, name), self.value(name))

    def optional_table(self, name: str) -> Fields:
        """An empty table where the field is left out."""
        return self.table(name) if name in self.left else Fields(self.source, self.location, {})

    def constants(self) -> dict[str, Constant]:
        """All that is left in this table, as plain values; a quoted decimal number is a float."""
        return {name: self._constant(name) for name in list(self.left)}

    def _constant(self, name: str) -> Constant:
        value = self.value(name)
        if value is None or isinstance(value, (bool, int)):
            return value
        text = self._text(value, None, name)
        return float(text) if DECIMAL.fullmatch(text) else text

    def integer(self, name: str) -> int:
        value = self.value(name)
        if type(value) is not int:
            raise self.error(f"`{name}` must be a number", name)
        return value

    def flag(self, name: str) -> bool:
        """False where the field is left out."""
        value = self.left.pop(name, False)
        if not isinstance(value, bool):
            raise self.error(f"`{name}` must be true or false", name)
        return value

    def close(self) -> None:
        if self.left:
            name = next(iter(self.left))
            raise self.error(f"`{name}` is not a field that belongs here", name)

    def value(self, name: str) -> Any:
        """Any plain value, as YAML has it."""
        if name not in self.left:
            raise self.error(f"the field `{name}` is missing")
        return self.left.pop(name)

    def _text(self, value: Any, pattern: re.Pattern[str] | None, *inside: str | int) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
            raise self.error(f"`{inside[0]}` must hold text", *inside)
        if pattern is not None and not pattern.fullmatch(value):
            raise self.error(f"{value!r} is no word for `{inside[0]}`", *inside)
        return value
