"""What the tests of the log readers share."""

import json

import pytest

from srl_swe.logs import Reading, scan_logs


@pytest.fixture
def scan(tmp_path):
    """Writes values as a file (`jsonl=True`: one per line) and gives every event of scanning it."""

    def run(*values, name="log.json", jsonl=False, folder="."):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(value) for value in values]
        assert jsonl or len(lines) == 1
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return list(scan_logs([path]))

    return run


@pytest.fixture
def read(scan):
    """As `scan`, for a log that gives exactly one trajectory and nothing else."""

    def run(*values, **options):
        events = scan(*values, **options)
        assert [type(event) for event in events] == [Reading], events
        assert events[0].unexplained == 0
        return events[0]

    return run
