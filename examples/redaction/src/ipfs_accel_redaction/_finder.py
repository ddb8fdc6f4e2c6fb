"""What is looked for, and where it stands in a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = ["KINDS", "Finder"]

# Every quantifier is bounded or begins where nothing of its own kind can stand before it, so that no text takes long.
KINDS: dict[str, str] = {
    "KEY": r"(?<![\w-])(?:"
    r"sk-[\w-]{16,200}|gsk_\w{20,200}|(?:ghp|gho|ghs|ghu)_\w{36}|github_pat_\w{22,200}|hf_\w{30,60}|AKIA[0-9A-Z]{16}"
    r"|AIza[\w-]{35}|xox[abprs]-[\w-]{10,200}|eyJ[\w-]{10,4000}\.eyJ[\w-]{10,4000}\.[\w-]{10,1000}"
    r")(?![\w-])|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]{0,20000}?-----END [A-Z ]{0,20}PRIVATE KEY-----",
    "EMAIL": r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    "CARD": r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])",
}


class Finder:
    """Finds all kinds in one pass."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self._all = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in kinds.items()) or r"(?!)")

    def replace(self, text: str, hide: Callable[[str, str], str]) -> str:
        """Return a text with everything that is found replaced by what `hide` makes of its kind and text."""

        def replaced(found: re.Match[str]) -> str:
            kind, piece = next((name, each) for name, each in found.groupdict().items() if each is not None)
            return piece if kind == "CARD" and not _has_check_digit(piece) else hide(kind, piece)

        return self._all.sub(replaced, text)


def _has_check_digit(number: str) -> bool:
    """Whether the last digit fits the others, by the formula of Luhn that card numbers follow."""
    digits = [int(each) for each in reversed(number) if each.isdecimal()]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
