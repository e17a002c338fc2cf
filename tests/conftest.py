"""Which tests run beside each other: a file stays on one worker, and so do all files that use the machine's engine."""

import pytest


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its group."""
    engine = {item.path for item in items if item.get_closest_marker("docker")}
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("engine" if item.path in engine else file))
