"""Whole forms."""

from collections.abc import Callable


class Form:
    """Named fields with their checks."""

    def __init__(self) -> None:
        self.checks: dict[str, list[Callable[[str], list[str]]]] = {}
        self.optional: set[str] = set()

    def field(self, name: str, *checks: Callable[[str], list[str]], optional: bool = False) -> "Form":
        """Add a field; gives the form, so that calls can be chained."""
        self.checks.setdefault(name, []).extend(checks)
        if optional:
            self.optional.add(name)
        return self

    def complaints(self, data: dict[str, str]) -> dict[str, list[str]]:
        """All complaints by field; fields without any are left out."""
        result: dict[str, list[str]] = {}
        for name, checks in self.checks.items():
            value = data.get(name, "").strip()
            if not value:
                if name not in self.optional:
                    result[name] = ["missing"]
                continue
            found = [complaint for check in checks for complaint in check(value)]
            if found:
                result[name] = found
        for name in data:
            if name not in self.checks:
                result[name] = ["unknown"]
        return result

    def is_valid(self, data: dict[str, str]) -> bool:
        """Whether there is nothing to complain about."""
        return not self.complaints(data)

    def summary(self, data: dict[str, str]) -> str:
        """One line for people."""
        complaints = self.complaints(data)
        count = sum(len(found) for found in complaints.values())
        if count == 0:
            return "all fine"
        noun = "problem" if count == 1 else "problems"
        return f"{count} {noun} in " + ", ".join(sorted(complaints))
