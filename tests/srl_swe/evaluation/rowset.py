"""A task set of our own in swebench's row form, whose image is made on the spot in seconds and without a network.

The repository is one shell script with a shell test that prints pytest's summary lines, so that neither pip nor a
Python in the image is needed: what is tested here is grading, not Python.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from srl_swe.evaluation.items import Item
from srl_swe.evaluation.rows import Row, parse_row, write_rows

IMAGE = "srl-swe/test-rows:1"

ADD = "echo $(($1 - $2))\n"
TEST = """\
check() { if [ "$(bash add.sh $2)" = "$3" ]; then echo "PASSED $1"; else echo "FAILED $1"; status=1; fi; }
status=0
check tests/add::zero "0 0" 0
check tests/add::one "4 0" 4
"""
SCRIPT = f"""\
set -e
mkdir -p /testbed/tests; cd /testbed
git init -q -b main
printf '{ADD.replace(chr(10), chr(92) + "n")}' > add.sh
cat > tests/add <<'END'
{TEST}exit $status
END
git add -A
GIT_AUTHOR_DATE=2024-01-01T00:00:00Z GIT_COMMITTER_DATE=2024-01-01T00:00:00Z \\
    git -c user.name=a -c user.email=a@b commit -q -m start
rm -rf .git/logs .git/COMMIT_EDITMSG
"""
TEST_PATCH = """\
diff --git a/tests/add b/tests/add
--- a/tests/add
+++ b/tests/add
@@ -2,4 +2,5 @@
 status=0
 check tests/add::zero "0 0" 0
 check tests/add::one "4 0" 4
+check tests/add::sum "4 3" 7
 exit $status
"""
GOLD = """\
diff --git a/add.sh b/add.sh
--- a/add.sh
+++ b/add.sh
@@ -1 +1 @@
-echo $(($1 - $2))
+echo $(($1 + $2))
"""
WRONG = GOLD.replace("$1 + $2", "$1 + 2 * $2")
NOT_APPLICABLE = GOLD.replace("add.sh", "subtract.sh")
SLOW = GOLD.replace("echo $(($1 + $2))", "sleep 300; echo $(($1 + $2))")


def script(test: str = "bash tests/add") -> str:
    # One stream, because Docker does not keep the order of two: a result may come behind the end of the tests' output.
    return f"""\
#!/bin/bash
exec 2>&1
set -uxo pipefail
cd /testbed
git config --global --add safe.directory /testbed
git checkout HEAD tests/add
git apply -v - <<'EOF_114329324912'
{TEST_PATCH}
EOF_114329324912
: '>>>>> Start Test Output'
{test}
: '>>>>> End Test Output'
git checkout HEAD tests/add
"""


def record(task: str = "own__adder-1", *, test: str = "bash tests/add", **changes: object) -> dict[str, object]:
    return {
        "instance_id": task,
        "repo": "own/adder",
        "base_commit": "HEAD",
        "problem_statement": "add.sh subtracts",
        "hints_text": "",
        "created_at": "2024-01-01",
        "patch": GOLD,
        "test_patch": TEST_PATCH,
        "version": "1",
        "FAIL_TO_PASS": ["tests/add::sum"],
        "PASS_TO_PASS": ["tests/add::zero", "tests/add::one"],
        "environment_setup_commit": "",
        "difficulty": "<15 min fix",
        "image": IMAGE,
        "eval_script": script(test),
        "log_parser": "parse_log_pytest",
        "eval_type": "pass_and_fail",
        **changes,
    }


def row(task: str = "own__adder-1", *, test: str = "bash tests/add") -> Row:
    return parse_row(record(task, test=test), "test")


def item(task: str = "own__adder-1", *, test: str = "bash tests/add", image: str = "") -> Item:
    made = row(task, test=test)
    made = replace(made, task=replace(made.task, image=image or made.task.image))
    return Item(task=made.task, row=made)


def write_row_file(path: Path, rows: list[Row]) -> Path:
    write_rows(path, rows)
    return path
