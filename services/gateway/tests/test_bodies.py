"""Where the model stands in a body, however it is written."""

from __future__ import annotations

import pytest
from ipfs_accel import strict_json
from ipfs_accel_gateway import _bodies
from ipfs_accel_gateway._reader import Bad

ALONE = [
    rb'{"model":"a/m"}',
    rb'{ "model" : "a/m" , "x": "\u00e9" }',
    rb'{"\u006dodel":"a/m","messages":[]}',
    rb'{"\u006D\u006f\u0064\u0065\u006C" : "a\/\u006d"}',
    rb'{"x":"\"model\":\"q\" \u00e9","model":"a/m"}',
    rb'{"x":["model", "\u00e9"],"model":"a/m","y":"model"}',
]
AMONG_OTHERS = [
    rb'{"x":{"model":"z"},"model":"a/m"}',
    rb'{"model":"a/m","x":[{"model":5}]}',
    rb'{"a\"model":"z","model":"a/m"}',
    rb'{"x":{"\u006dodel":"z"},"model":"a/m"}',
]


@pytest.mark.parametrize("body", [*ALONE, *AMONG_OTHERS], ids=range(10))
def test_the_model_alone_is_replaced(body: bytes) -> None:
    before, after = _bodies.around_model(body)
    assert strict_json.loads(before + b'"new"' + after) == {**strict_json.loads(body), "model": "new"}


@pytest.mark.parametrize("body", ALONE, ids=range(6))
def test_a_body_with_escapes_is_not_gone_through(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_bodies, "_outermost")
    _bodies.around_model(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a/n","model":"a/m"}',
        b'{"model":5,"model":"a/m"}',
        b'{"\\u006dodel":"a/n","model":"a/m"}',
        b'{"model":"a/n","x":{"model":1},"model":"a/m"}',
    ],
    ids=range(4),
)
def test_two_models_are_refused(body: bytes) -> None:
    with pytest.raises(Bad, match="model: "):
        _bodies.around_model(body)
