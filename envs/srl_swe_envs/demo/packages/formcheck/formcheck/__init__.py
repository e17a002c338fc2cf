"""Check the input of forms."""

from formcheck.checksums import iban_is_valid, isbn_is_valid, luhn_is_valid
from formcheck.fields import check_email, check_password, check_range
from formcheck.forms import Form

__all__ = [
    "Form",
    "check_email",
    "check_password",
    "check_range",
    "iban_is_valid",
    "isbn_is_valid",
    "luhn_is_valid",
]
