from __future__ import annotations

import pytest

from labelbench.errors import ConflictError, InputError, MachineError, PluginError, Unavailable, UnknownName, one_line


def test_an_unknown_name_says_what_is_near() -> None:
    assert str(UnknownName("label", "catgory", ["category", "constant"])) == (
        "unknown label 'catgory'; did you mean category?"
    )


def test_an_unknown_name_without_a_near_one_lists_all() -> None:
    assert str(UnknownName("label", "zzz", ["b", "a"])) == "unknown label 'zzz'; known: a, b"


@pytest.mark.parametrize(
    ("kind", "code"), [(InputError, 2), (ConflictError, 2), (PluginError, 3), (MachineError, 4), (Unavailable, 4)]
)
def test_exit_codes(kind: type[InputError], code: int) -> None:
    assert kind("x").exit_code == code


def test_messages_become_one_line() -> None:
    assert one_line(InputError("a\nb")) == "a b"
    assert one_line(ValueError("a\n b")) == "ValueError: a b"
    assert one_line(KeyError()) == "KeyError"
