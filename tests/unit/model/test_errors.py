from __future__ import annotations

import inspect

from taulu.model import errors
from taulu.model.errors import ERRORS_BY_CODE, Group, TauluError


def test_codes_are_stable_and_name_their_class() -> None:
    for code, kind in ERRORS_BY_CODE.items():
        words = "".join(word.capitalize() for word in code.split("_"))
        assert kind.__name__ == words


def test_every_class_of_the_tree_stands_in_its_drawing() -> None:
    drawing = errors.__doc__ or ""
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    for kind in classes:
        if issubclass(kind, TauluError):
            assert kind.__name__ in drawing
    for code in ERRORS_BY_CODE:
        assert code in drawing


def test_each_group_says_what_to_do() -> None:
    assert {kind.group for kind in ERRORS_BY_CODE.values()} == set(Group)


def test_an_error_keeps_its_facts() -> None:
    error = errors.Overloaded("full", details={"limit": "x"}, retry_after_s=0.5)
    assert (str(error), error.details, error.retry_after_s) == ("full", {"limit": "x"}, 0.5)
