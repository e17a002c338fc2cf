"""Single fields; every check gives a list of complaints."""


def check_email(text: str) -> list[str]:
    """Complaints about a mail address."""
    if text.count("@") != 1:
        return ["needs one @"]
    name, _, domain = text.partition("@")
    complaints = []
    if not name:
        complaints.append("name is empty")
    if "." not in domain or domain.startswith(".") or domain.endswith("."):
        complaints.append("domain is wrong")
    if any(char.isspace() for char in text):
        complaints.append("has blanks")
    return complaints


def check_password(text: str, minimum: int = 8) -> list[str]:
    """Complaints about a password."""
    complaints = []
    if len(text) < minimum:
        complaints.append(f"shorter than {minimum}")
    if not any(char.isdigit() for char in text):
        complaints.append("no digit")
    if text.lower() == text or text.upper() == text:
        complaints.append("needs both cases")
    return complaints


def check_range(value: str, low: int, high: int) -> list[str]:
    """Complaints about a whole number between two limits, both allowed."""
    try:
        number = int(value)
    except ValueError:
        return ["not a number"]
    if number < low:
        return [f"below {low}"]
    if number > high:
        return [f"above {high}"]
    return []


def check_choice(value: str, choices: tuple[str, ...]) -> list[str]:
    """Complaints about a value that must be one of the choices; case is ignored."""
    if value.lower() in [choice.lower() for choice in choices]:
        return []
    return ["not one of " + ", ".join(choices)]
