"""The docstrings under the fields of a section of the config."""

import ast
import inspect
import textwrap


def field_docs(section):
    """What stands under each field, by its name; fields of the sections that it extends count."""
    docs = {}
    for part in reversed(section.__mro__):
        if part.__module__.startswith("pydantic") or part is object:
            continue
        (written,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        for field, told in zip(written.body, written.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(told, ast.Expr):
                docs[field.target.id] = ast.literal_eval(told.value)
    return docs
