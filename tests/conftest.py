"""Options of the test run."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected blocks of tests/cases/*.md; review the diff",
    )


def pytest_configure(config: pytest.Config) -> None:
    in_parallel = config.getoption("numprocesses", None) or hasattr(config, "workerinput")
    if config.getoption("--update-golden") and in_parallel:
        raise pytest.UsageError("--update-golden writes files, one process alone: leave -n out")
