"""What a backend holds that gives vectors and ranks: numbers are numbers; part of `BackendContract`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from ipfs_accel import errors as e

from .mangled import spoilt
from .trials import Exchange, replying

if TYPE_CHECKING:
    from .trials import Subject, World

__all__ = ["NumberContract"]


class NumberContract:
    """Tests of `embed` and `rerank`; skipped for a backend whose exchanges show neither with numbers in JSON."""

    def test_a_vector_or_score_that_is_no_number_is_refused(self, world: World) -> None:
        """Null or a text in place of a number is the server's fault, and no vector or score."""
        subject: Subject = cast("Any", self).subject()  # it is mixed into the contract
        exchanges: tuple[Exchange, ...] = cast("Any", self).exchanges
        tried = [
            (exchange, replies)
            for exchange in exchanges
            if exchange.operation in {"embed", "rerank"}
            for replies in spoilt(exchange.replies)
        ]
        if not tried:
            pytest.skip("it shows no vectors or scores as JSON numbers")
        for exchange, replies in tried:
            with replying(subject, *replies) as server:
                outcome = subject.run(world, exchange, server.url)
            assert [type(error) for error in outcome.errors] == [e.InvalidResponseError], exchange.operation
