"""Whether something can be done: yes, no or unknown, and who says so; `types` has what is said of whom."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ipfs_accel._values import frozen

SupportValue: TypeAlias = Literal["yes", "no", "unknown"]
SupportSource: TypeAlias = Literal["hook", "server", "catalogue", "configuration", "nobody"]


@frozen
class Support:
    """Whether something is supported, and who says so.

    It has no truth value on purpose: "unknown" is neither true nor false. Compare `value`.

    Attributes:
        value: yes, no or unknown.
        source: hook (the plugin has it for this endpoint or not, or servers of the kind that answered), server (it said
            so itself), catalogue (the plugin's dated data), configuration (the user's word), or nobody.
    """

    value: SupportValue
    source: SupportSource

    def __bool__(self) -> bool:
        """Refuse: a caller has to decide what unknown means to it."""
        raise TypeError("a Support is yes, no or unknown: compare its .value instead of testing its truth")

    def __str__(self) -> str:
        """Return, for example, `yes (server)`."""
        return f"{self.value} ({self.source})"


UNKNOWN = Support("unknown", "nobody")
