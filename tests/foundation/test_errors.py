import inspect
import re

import genrecall
from genrecall.foundation import errors
from genrecall.foundation.errors import GenRecallError, unknown_name


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = errors.__doc__.split("```")[1]
    assert re.findall(r"(\w+Error)\b", drawn)[0] == "GenRecallError"
    parents = {}
    for line in drawn.strip().splitlines()[1:]:
        name = re.search(r"\w+Error", line)[0]
        parents[name] = "RequestError" if line.startswith("    ") else "GenRecallError"
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    del classes["GenRecallError"], classes["Iterable"]
    assert {name: found.__base__.__name__ for name, found in classes.items()} == parents


def test_the_package_exports_every_error():
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, GenRecallError):
            assert name in genrecall.__all__
            assert getattr(genrecall, name) is error


def test_public_names_are_sorted_and_exist():
    assert genrecall.__all__ == sorted(genrecall.__all__)
    assert all(hasattr(genrecall, name) for name in genrecall.__all__)


def test_an_unknown_name_is_answered_with_the_known_ones():
    assert unknown_name("field", "x", ["b", "a"]) == "unknown field 'x'; known: a, b."
    assert unknown_name("field", "colour", ["color"]).endswith("Did you mean 'color'?")
    assert unknown_name("field", "x", []) == "unknown field 'x'; known: none."
