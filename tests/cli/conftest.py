"""A shop that was run through the command line, and commands run in this process."""

import pytest
from command import main_code
from tiny_shop import write_shop


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A shop whose config has been run through the command line; only to be read."""
    folder = tmp_path_factory.mktemp("cli")
    config = write_shop(folder, settings={"evaluate": {"searches": 20, "latency_searches": 3}})
    main_code(["run", str(config), "--out", str(folder / "run")])
    return folder


@pytest.fixture(scope="session")
def bundle(finished):
    return str(finished / "run/bundle")


@pytest.fixture
def genrecall(capsys):
    """Run a command that must succeed; returns what it prints."""

    def call(*arguments):
        capsys.readouterr()
        code = main_code(arguments)
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return printed.out

    return call


@pytest.fixture
def error(capsys):
    """Run a command that must fail; returns its message, which is all that stderr ends with."""

    def call(*arguments):
        capsys.readouterr()
        assert main_code(arguments) == 1
        lines = capsys.readouterr().err.splitlines()
        (at,) = [number for number, line in enumerate(lines) if line.startswith("error: ")]
        return "\n".join(lines[at:]).removeprefix("error: ")

    return call
