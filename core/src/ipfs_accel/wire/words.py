"""What hosts say of a failure, in codes and in words of their own: too long a prompt, an empty account, a time to wait.

A code comes first; the words are for those without one. Each pattern is a sentence that a host sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ipfs_accel._headers import Headers
from ipfs_accel.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthExceededError,
    InternalServerError,
    ModelNotFoundError,
    NotSupportedByServerError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
)
from ipfs_accel.hints import duration, rate_limits, retry_after

__all__ = ["Wait", "is_lasting", "kind_of", "wait"]

# By the code of an error, then by its type; what is not here goes by the status.
_CLASSES: dict[str, type[APIStatusError]] = {
    "context_length_exceeded": ContextLengthExceededError,
    "exceed_context_size_error": ContextLengthExceededError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "moderation_blocked": ContentFilterError,
    "image_content_policy_violation": ContentFilterError,
    "bio_policy": ContentFilterError,
    "misalignment_policy_violation": ContentFilterError,
    "responsibleaipolicyviolation": ContentFilterError,
    "insufficient_quota": QuotaExceededError,
    "credit_balance_exhausted": QuotaExceededError,
    "billing_hard_limit_reached": QuotaExceededError,
    "insufficient_balance_error": QuotaExceededError,
    "exceeded_current_quota_error": QuotaExceededError,
    "arrearage": QuotaExceededError,
    "rate_limit_exceeded": RateLimitError,
    "rate_limit_error": RateLimitError,
    "too_many_requests": RateLimitError,
    "slow_down": RateLimitError,
    "invalid_api_key": AuthenticationError,
    "api_key_invalid": AuthenticationError,
    "authentication_error": AuthenticationError,
    "model_not_found": ModelNotFoundError,
    "deploymentnotfound": ModelNotFoundError,
    "server_is_overloaded": OverloadedError,
    "service_unavailable_error": OverloadedError,
    "overloaded_error": OverloadedError,
    "overloaded": OverloadedError,
    "unavailable_error": OverloadedError,
    "not_supported_error": NotSupportedByServerError,
    "internal_error": InternalServerError,
}
# Texts, which are compiled with the first failure.
_TOO_LONG = (
    r"(?i)maximum (?:context|prompt|model|input) length"  # OpenAI, xAI, vLLM, Mistral, Fireworks
    r"|context (?:window|size|length|limit) (?:is |has been |was )?exceed|exceeds? (?:\w+ ){0,2}context"
    # SGLang, LM Studio; MLC; TabbyAPI
    r"|(?:longer|greater|larger) than [^.]{0,30}(?:context|input length limit|max_seq_len)"
    r"|context the overflows|prompt sequence length is greater than"  # LM Studio; mistral.rs
    r"|increase the physical batch size|should not exceed max_num_tokens"  # llama.cpp, of vectors; TensorRT-LLM
    # vLLM, of more than the window, and of a prompt that fills it
    r"|cannot be greater than `?max_model_len|max_tokens must be at least 1, got 0"
    # Moonshot; Gemini; SGLang
    r"|exceed(?:ed|s)? (?:\w+ )?(?:model token limit|max(?:imum)? (?:allowed )?(?:length|number of tokens))"
    r"|(?:prompt|input) (?:is )?too long"  # Anthropic, Bedrock; oMLX
    r"|input token count\b.{0,60}exceeds|prompt token count\b.{0,40}exceeds"  # Gemini, GitHub
    r"|`inputs` (?:tokens \+ `max_new_tokens` must be <=|must have less than) "  # TGI, Together
)
_SPENT = (
    r"(?i)insufficient[ _](?:balance|credits?|funds|quota)|balance is (?:too low|not enough|insufficient)"
    r"|no resource package|used all available credits|doesn't have any credits|account is in arrears"
)
# What a status of 500 does not tell: that the server lacks it, that the request is wrong, that it fails each time.
_LACKED = r"^(?:image|audio|video) input is not supported"  # llama.cpp
_WRONG = (  # Ollama; so do renderers of templates
    r"^invalid (?:JSON schema in format|format: )|^option \".+\" must be |(?i:system message must be at the beginning)"
)
_LASTING = r"requires more system memory|unsupported value: (?:NaN|[+-]Inf)|^template: "  # Ollama
_SAYS: tuple[tuple[str, type[APIStatusError]], ...] = (
    (_SPENT, QuotaExceededError),
    (_TOO_LONG, ContextLengthExceededError),
    (_LACKED, NotSupportedByServerError),
    (_WRONG, BadRequestError),
)
_UNITS = {"milliseconds": "ms", "seconds": "s", "minutes": "m", "hours": "h"}
_AGAIN = (
    r"(?ai)(?:try again|retry)(?: (?:in|after))? "
    r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>milliseconds?|seconds?|minutes?|hours?)\b"
    r"|(?:try again|retry)(?: (?:in|after))? (?P<span>\d[\w.]*[a-z])"
)
_SECONDS = ("retry_after", "retryAfter", "retry_after_seconds")


def kind_of(text: str, names: Iterable[str] = ()) -> type[APIStatusError] | None:
    """Return the class of an error that its names, in small letters and the most exact first, or its sentence tell.

    A limit of the rate is what hosts also call an account that is empty.
    """
    named = next((_CLASSES[name] for name in names if name in _CLASSES), None)
    return named if named not in {None, RateLimitError} else _said(text) or named


def _said(text: str) -> type[APIStatusError] | None:
    return next((kind for words, kind in _SAYS if re.search(words, text)), None)


def is_lasting(text: str) -> bool:
    """Whether a sentence tells of a failure of the server's that another try meets again."""
    return re.search(_LASTING, text) is not None


Wait = tuple[float | None, float | None]
"""Seconds to wait, and the moment until which to wait, in seconds since 1970; None where it is not told."""


def wait(text: str, *places: Any) -> Wait:
    """Return how long to wait, as the sentence of an error says it, or else a member of the objects it came with.

    These may be numbers of seconds, the `RetryInfo` of Google's errors, or headers that a gateway passes on as JSON.
    """
    found = re.search(_AGAIN, text)
    if found is not None:
        unit = found["unit"]
        said = found["span"] or found["number"] + _UNITS[unit.lower().removesuffix("s") + "s"]
        return duration(said.rstrip(".")), None
    for place in places:
        for told in _told(place):
            if told != (None, None):
                return told
    return None, None


def _told(place: Any) -> Iterator[Wait]:
    if isinstance(place, list):
        for each in place:
            yield from _told(each)
    if not isinstance(place, Mapping):
        return
    for name in _SECONDS:
        value = place.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            yield float(value), None
    yield duration(str(place.get("retryDelay"))), None
    if isinstance(headers := place.get("headers"), Mapping):
        yield _passed_on(headers)


def _passed_on(told: Mapping[str, Any]) -> Wait:
    """Read headers that stand in a body: OpenRouter's have the moment of the next try in milliseconds since 1970."""
    headers = Headers([(str(name).lower(), str(value)) for name, value in told.items()])
    seconds = retry_after(headers)
    if seconds is not None:
        return seconds, None
    # A moment is given back as it is by asking how far it is from the first one.
    resets = [reset for _, left, reset in rate_limits(headers, 0.0).values() if reset and not left]
    moment = headers.get("x-ratelimit-reset")
    if moment is not None and moment.isdigit() and len(moment) >= _MOMENT:
        return None, int(moment) / (1000 if len(moment) > _IN_SECONDS else 1)
    return (max(resets) if resets else None), None


_MOMENT, _IN_SECONDS = 10, 11
"""Digits of a moment: at least those of one in seconds since 1970, at most those of one that is not in milliseconds."""
