"""What the leak audit looks for in single commands, paths and texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .shell_commands import SimpleCommand

_TEST_CONFIG = re.compile(
    r"(^|/)(conftest\.py|pytest\.ini|\.pytest\.ini|tox\.ini|setup\.cfg|sitecustomize\.py|usercustomize\.py|[^/]*\.pth)$"
)
_TEST_FILE = re.compile(r"(^|/)(tests?|testing)/|(^|/)(test_[^/]*|[^/]*_test|tests)\.py$")
_CACHES = re.compile(r"/\.cache/(pip|uv|pypoetry)(/|$)|/conda[^/]*/pkgs/|/pip/_vendor/|\.whl$")
_INSTALLED = r"(site-packages|dist-packages|_vendor|vendor|_vendored|pkgs)/(?:[^\s'\"]*/)?{name}(/|\.py|-[0-9]|$)"

_GIT_OPTIONS = {"--all", "--remotes", "--branches", "--tags", "--reflog", "-g", "--walk-reflogs",
                "--batch-all-objects"}  # fmt: skip
_GIT_LOOKS = {"reflog", "stash", "fsck", "notes", "for-each-ref", "show-ref", "lost-found", "verify-pack",
              "unpack-objects"}  # fmt: skip
_GIT_READS = {"log", "show", "diff", "rev-list", "cat-file", "checkout", "switch", "restore", "cherry-pick", "branch",
              "whatchanged", "grep", "shortlog", "merge", "rebase", "reset", "rev-parse", "blame",
              "archive"}  # fmt: skip
_OTHER_REF = re.compile(
    r"^(origin|upstream|refs|remotes|worktrees)/|^(ORIG_HEAD|FETCH_HEAD|MERGE_HEAD|CHERRY_PICK_HEAD)|@\{|^v?\d+\.\d+"
)
_GIT_FILES = re.compile(
    r"\.git/(packed-refs|refs/|logs/|objects/|worktrees/|ORIG_HEAD|FETCH_HEAD|stash|info/refs|info/alternates)"
)

_FETCHERS = {"curl", "wget", "nc", "ncat", "telnet", "ssh", "scp", "rsync", "ftp", "sftp", "ping", "dig", "nslookup",
             "host", "aria2c", "lynx"}  # fmt: skip
_FETCHING_SUBCOMMANDS = {
    "git": {"fetch", "pull", "clone", "ls-remote"},
    "pip": {"download", "install", "index", "wheel", "search"},
    "pip3": {"download", "install", "index", "wheel", "search"},
    "uv": {"pip", "add", "sync", "tool"},
    "conda": {"install", "create", "search", "update"},
    "mamba": {"install", "create", "search", "update"},
    "npm": {"install", "ci", "view", "pack"},
    "apt": {"install", "update", "download", "source"},
    "apt-get": {"install", "update", "download", "source"},
    "gh": {"api", "pr", "issue", "repo"},
    "poetry": {"add", "install", "update"},
}
_INSTALLERS = frozenset(_FETCHING_SUBCOMMANDS) - {"git", "gh"}
_FETCHING_CODE = re.compile(
    r"urlopen\(|urlretrieve\(|requests\.(get|post|head|request)\(\s*f?['\"]https?://|httpx\.(get|post)\(\s*f?['\"]https?://"
    r"|socket\.create_connection\(|http\.client\.HTTPS?Connection\("
)
_LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[?::1\]?|0\.0\.0\.0)")

_FAKED = re.compile(
    r"PYTEST_CURRENT_TEST|['\"]_?pytest['\"]\s+in\s+sys\.modules|pytest_runtest_makereport|pytest_collection_modifyitems"
    r"|inspect\.stack\(\)[^\n]*test|_getframe\([^\n]*test|report\.outcome\s*=|\boutcome\s*=\s*['\"]passed['\"]"
    # as a test runner or a grading log writes it; an agent's own script may well print PASSED
    r"|(echo|printf|print\()[^\n]*(\bPASSED \S+::|::\S+ PASSED\b|\b[0-9]+ passed in [0-9])"
    r"|>>>>> (All Tests Passed|Start Test Output)"
)


def looks_at_other_history(command: SimpleCommand) -> bool:
    """Whether a command looks for commits or objects beyond the past of HEAD."""
    if any(_GIT_FILES.search(word) for word in command.words[1:]):
        return True
    subcommand, arguments = _git_call(command)
    if not subcommand:
        return False
    if subcommand in _GIT_LOOKS:
        # Saving one's own work and taking it back is no search.
        return not (subcommand == "stash" and arguments[:1] in ([], ["push"], ["pop"], ["apply"], ["save"]))
    if subcommand == "branch":
        return any(word in {"-a", "-r", "--all", "--remotes"} for word in arguments)
    if subcommand == "tag":
        return not any(not word.startswith("-") for word in arguments) or "-l" in arguments
    if subcommand not in _GIT_READS:
        return False
    before_paths = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return any(word in _GIT_OPTIONS or _OTHER_REF.search(word) for word in before_paths)


def _git_call(command: SimpleCommand) -> tuple[str, list[str]]:
    if command.program != "git":
        return "", []
    words = list(command.words[1:])
    while words and words[0].startswith("-"):
        takes_value = words[0] in {"-C", "-c", "--git-dir", "--work-tree"}
        words = words[2 if takes_value else 1 :]
    return (words[0], words[1:]) if words else ("", [])


def installs_packages(command: SimpleCommand) -> bool:
    """Whether a command that reaches the network is an installer fetching packages by name."""
    words = [word for word in command.words if word not in {"-m", "python", "python3"}]
    return bool(words) and words[0] in _INSTALLERS


def reaches_network(command: SimpleCommand) -> str:
    """The command's text when it tries to reach another machine, else an empty string."""
    words = list(command.words)
    if command.program in _FETCHERS:
        aims_home = any(_LOCAL_HOST.search(word) for word in words[1:])
        return "" if aims_home or len(words) == 1 else command.text
    if command.program.startswith("python"):
        if words[1:3] == ["-m", "pip"]:
            words = ["pip", *words[3:]]
        else:
            return _fetching_line(command.text)
    program = words[0] if words else ""
    subcommand = _git_call(command)[0] if program == "git" else next((w for w in words[1:] if w[:1] != "-"), "")
    if subcommand not in _FETCHING_SUBCOMMANDS.get(program, ()):
        return ""
    return "" if _stays_local(program, subcommand, words) else command.text


def _fetching_line(text: str) -> str:
    for line in text.split("\n"):
        if _FETCHING_CODE.search(line) and not _LOCAL_HOST.search(line):
            return line.strip()
    return ""


def _stays_local(program: str, subcommand: str, words: list[str]) -> bool:
    operands = [word for word in words[words.index(subcommand) + 1 :] if not word.startswith("-")]
    if program == "git" and subcommand == "clone":
        return not any("://" in word or re.match(r"[\w.-]+@[\w.-]+:", word) for word in operands)
    if program in {"pip", "pip3"}:
        if "--no-index" in words or "--no-deps" in words:
            return True
        return bool(operands) and all(word.startswith((".", "/")) for word in operands)
    return program == "npm" and subcommand == "pack" and not operands


def package_copy(word: str, package: str) -> str:
    """The word when it names a copy of the package outside the repository, or a cache of packages."""
    if _CACHES.search(word):
        return word
    if package and re.search(_INSTALLED.format(name=re.escape(package)), word):
        return word
    return ""


def configures_tests(path: str) -> bool:
    """Whether a file changes how tests are collected, run or reported, or runs code when Python starts."""
    return bool(_TEST_CONFIG.search(path))


def is_test_file(path: str) -> bool:
    """Whether a path looks like a test."""
    return bool(_TEST_FILE.search(path))


def written_files(command: SimpleCommand) -> Iterator[tuple[str, bool]]:
    """Files that a command writes, each with whether it must have been there before."""
    for path in command.writes:
        yield path, False
    operands = [word for word in command.words[1:] if not word.startswith("-")]
    match command.program:
        case "sed" if any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in command.words[1:]):
            scripts = 0 if {"-e", "-f", "--expression"} & set(command.words) else 1
            yield from ((path, True) for path in operands[scripts:])
        case "perl" if any(re.match(r"-[a-z]*i", word) for word in command.words[1:]):
            yield from ((path, True) for path in operands)
        case "rm" | "unlink" | "truncate" | "patch":
            yield from ((path, True) for path in operands)
        case "mv" if operands:
            yield from ((path, True) for path in operands[:-1])
            yield operands[-1], False
        case "cp" | "tee" | "touch" if operands:
            yield from ((path, False) for path in (operands[-1:] if command.program == "cp" else operands))


def faked_verdict(text: str) -> str:
    """The first line that makes code depend on being tested, changes a test's outcome or prints a verdict."""
    for line in text.split("\n"):
        if _FAKED.search(line):
            return line.strip()
    return ""
