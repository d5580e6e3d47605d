"""What an expression in a config means, and which expressions have no meaning here."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.errors import ConfigError

READ = [
    ("dict(a=1, b=dict(c=[2, (3,)]))", {"a": 1, "b": {"c": [2, (3,)]}}),
    ("dict({'a.b': 1}, c=2)", {"a.b": 1, "c": 2}),
    ("dict(dict(a=1, b=2), b=3)", {"a": 1, "b": 3}),
    ("dict([('a', 1)], **dict(b=2))", {"a": 1, "b": 2}),
    ("dict(zip(['a', 'b'], (1, 2)))", {"a": 1, "b": 2}),
    ("{'a': 1, **{'b': 2}}", {"a": 1, "b": 2}),
    ("[1, *(2, 3)]", [1, 2, 3]),
    ("(True, None, -1, +2.5, 1e-4, 'x' 'y')", (True, None, -1, 2.5, 1e-4, "xy")),
    ("not 0", True),
    ("list((1, 2))", [1, 2]),
    ("list({'a': 1})", ["a"]),
    ("tuple(i * 2 for i in range(3))", (0, 2, 4)),
    ("tuple()", ()),
    ("1 / 4.0", 0.25),
    ("7 // 2 + 7 % 4 - 2 ** 3", -2),
    ("2 ** (1.0 / 3)", 2 ** (1.0 / 3)),
    ("2 ** -1", 0.5),
    ("[1.0] * 2 + [0.1]", [1.0, 1.0, 0.1]),
    ("2 * ('a',)", ("a", "a")),
    ("'ab' + 'c' * 2", "abcc"),
    ("[x * 0.1 for x in range(5, 8)]", [5 * 0.1, 6 * 0.1, 7 * 0.1]),
    ("[(i, j) for i in [1, 2] for j in range(i)]", [(1, 0), (2, 0), (2, 1)]),
    ("{f's{i}.{j}': 0 for i, n in enumerate([1, 2]) for j in range(n)}", {"s0.0": 0, "s1.0": 0, "s1.1": 0}),
    ("range(0, 3)", [0, 1, 2]),
    ("range(5, 0, -2)", [5, 3, 1]),
    ("sum([18, 36]) + len('abc') + max(1, 2) + min([3, 4]) + abs(-1)", 63),
    ("[int(512 * 0.3), int('7'), float('1e3'), str(5)]", [153, 7, 1000.0, "5"]),
    ("float('inf')", float("inf")),
    ("'%s_%03d' % ('a', 7)", "a_007"),
    ("'%(n)s%%' % dict(n=1)", "1%"),
    ("'%.2f' % 1", "1.00"),
    ("f'{1:03d}-{\"a\"!r}-{0.5:.1%}-{2:{3}}'", "001-'a'-50.0%-  2"),
    ("f'{{}}'", "{}"),
    ("[10, 20, 30][-1]", 30),
    ("'data/coco/'[:-1]", "data/coco"),
    ("(1, 2, 3)[::2]", (1, 3)),
    ("dict(a=dict(b=4))['a']['b']", 4),
    ("dict(a=1).get('b', 2)", 2),
    ("[k for k in dict(a=1).keys()]", ["a"]),
    ("[v for k, v in dict(a=1).items()] + [v for v in dict(b=2).values()]", [1, 2]),
]

REFUSED = [
    ("open('/etc/passwd')", "a call of open() is not read"),
    ("__import__('os')", "a call of __import__() is not read"),
    ("eval('1')", "a call of eval() is not read"),
    ("getattr(1, 'real')", "a call of getattr() is not read"),
    ("os.system('true')", "the name 'os' is not assigned"),
    ("().__class__", "the attribute '__class__' of a tuple is not read"),
    ("''.__class__.__mro__", "the attribute '__class__' of a str is not read"),
    ("dict(a=1).a", "the attribute 'a' of a dict is not read"),
    ("'{0.__class__}'.format(1)", "a call of str.format() is not read"),
    ("f'{().__class__}'", "the attribute '__class__' of a tuple is not read"),
    ("f'{[1]}'", "a list in an f-string is not read"),
    ("dict.fromkeys('ab')", "the name 'dict' is not assigned"),
    ("(lambda: 1)()", "something else than a known function"),
    ("lambda: 1", "a lambda is not read"),
    ("1 if 2 else 3", "a conditional expression is not read"),
    ("1 < 2", "a comparison is not read"),
    ("1 and 2", "an 'and' or 'or' is not read"),
    ("(i for i in [1])", "a generator in this place is not read"),
    ("dict(a=(i for i in [1]))", "a generator in this place is not read"),
    ("{1, 2}", "a set is not read"),
    ("{i for i in [1]}", "a set is not read"),
    ("(a := 1)", "an assignment inside an expression is not read"),
    ("[i for i in [1] if i]", "a condition in a comprehension is not read"),
    ("[i for i in 'abc']", "a loop over a value of type str is not read"),
    ("[i for i, j in [(1, 2, 3)]]", "3 values are assigned to 2 names"),
    ("[a for a.b in [1]]", "an assignment to the construct Attribute is not read"),
    ("b'x'", "does not hold a bytes"),
    ("1j", "does not hold a complex"),
    ("...", "does not hold a ellipsis"),
    ("(-8) ** 0.5", "does not hold a complex"),
    ("{1: 2}", "a dict key is a int, not a string"),
    ("dict([1])", "something else than pairs"),
    ("dict(1, 2)", "takes at most 1"),
    ("dict(*[1])", "a * in this place is not read"),
    ("dict(**[1])", "** is given a list"),
    ("list(a=1)", "list() with keyword arguments is not read"),
    ("range()", "one to three whole numbers"),
    ("range(1, 2, 0)", "one to three whole numbers"),
    ("range(1.5)", "one to three whole numbers"),
    ("sum(['a'])", "something else than numbers"),
    ("len(1)", "len() of a int"),
    ("max([])", "max() of nothing"),
    ("int('x')", "int() fails"),
    ("int(float('inf'))", "int() fails"),
    ("int([1])", "something else than a number"),
    ("str([1])", "str() of a list"),
    ("1 + 'a'", "cannot compute int + str"),
    ("[1] + (2,)", "cannot compute list + tuple"),
    ("[1] - [1]", "cannot compute list - list"),
    ("1 << 2", "the operator LShift is not one that configs use"),
    ("~1", "cannot apply Invert to int"),
    ("not []", "cannot apply Not to list"),
    ("1 / 0", "division by zero"),
    ("1e308 ** 2", "cannot compute this number"),
    ("'%s' % [1]", "something else than strings and numbers"),
    ("'%d' % 'a'", "does not fit its values"),
    ("'%y' % 1", "not one that configs use"),
    ("f'{1:x>y}'", "does not fit"),
    ("f'{1:__class__}'", "not one that configs use"),
    ("f'{\"a\":d}'", "does not fit"),
    ("[1][1]", "there is no element 1 among 1"),
    ("[1]['a']", "there is no element 'a' in this list"),
    ("dict(a=1)['b']", "there is no element 'b' in this dict"),
    ("[1][::0]", "slice"),
    ("[1]['a':]", "a slice bound is no whole number"),
    ("dict(a=1)['a':]", "slice"),
    ("dict(a=1).pop('b')", "pop() of a missing key"),
    ("dict(a=1).clear()", "a call of dict.clear() is not read"),
    ("[3, 1].sort()", "a call of list.sort() is not read"),
    ("undefined", "the name 'undefined' is not assigned"),
]


@pytest.mark.parametrize(("source", "value"), READ)
def test_read(source: str, value: object) -> None:
    result = read_config_text(f"x = {source}", "dump")["x"]
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(("source", "reason"), REFUSED)
def test_refused(source: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config_text(f"a = 1\nx = {source}", "dump")
    assert reason in caught.value.reason
    assert caught.value.line == 2
    assert caught.value.path == "dump"


def test_an_assigned_name_hides_a_function() -> None:
    with pytest.raises(ConfigError, match="something else than a known function"):
        read_config_text("len = 3\nx = len([1])", "dump")


def test_the_line_is_that_of_the_fault_inside_a_long_statement() -> None:
    with pytest.raises(ConfigError, match="dump:3: a lambda"):
        read_config_text("x = dict(\n    a=1,\n    b=lambda: 1,\n    c=2)", "dump")
