"""Pictures and thoughts in the answers of OpenAI's dialect, whole and streamed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ipfs_accel._headers import Headers
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import BlockEnd, Image, Opaque, Reasoning, Text
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.openai_answers import read_chat
from ipfs_accel.wire.openai_responses_answers import ResponseDecoder, assembler, read_response
from ipfs_accel.wire.openai_streams import ChatDecoder
from ipfs_accel.wire.sse import ServerSentEvent

PNG = b"\x89PNG\r\n\x1a\n1"
DATA = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
SHOWN = {"type": "image_url", "image_url": {"url": DATA}}
LINKED = {"type": "image_url", "image_url": "https://x.example/a.png"}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
PICTURE, LINK = Image(data=PNG, media_type="image/png"), Image(url="https://x.example/a.png")

MESSAGES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "beside the content": ([Text(text="a"), PICTURE], {"content": "a", "images": [SHOWN]}),
    "without any text": ([PICTURE, LINK], {"content": None, "images": [SHOWN, LINKED]}),
    "in the content": ([Text(text="a"), PICTURE], {"content": [{"type": "text", "text": "a"}, SHOWN]}),
    "thoughts in the content": (
        [Reasoning(text="Hm."), Text(text="a")],
        {"content": [THOUGHT, {"type": "text", "text": "a"}]},
    ),
    "thoughts in a string": ([Reasoning(text="Hm.")], {"content": [{"type": "thinking", "thinking": "Hm."}]}),
    "what is none": ([Text(text="a")], {"content": "a", "images": [None, {"type": "image_url"}, {"image_url": {}}]}),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_chats_parts(name: str) -> None:
    expected, message = MESSAGES[name]
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    answer = read_chat(HttpResponse(status=200, headers=Headers([]), body=json.dumps(body).encode()))
    assert list(answer.message.content) == expected
    out, decode = chat_assembler(merge=True), ChatDecoder()
    for delta, reason in ((message, None), ({"images": message.get("images"), "content": ""}, "stop")):  # shown twice
        chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        decode(ServerSentEvent(data=json.dumps(chunk)), out)
    assert list(out.conclude().message.content) == expected
    ends = [event.part for event in out.take() if isinstance(event, BlockEnd)]
    assert sorted(ends, key=repr) == sorted(expected, key=repr)


def test_a_picture_of_the_servers_own_tool() -> None:
    item = {"type": "image_generation_call", "id": "ig", "result": base64.b64encode(PNG).decode()}
    end = {"id": "r", "status": "completed", "output": [item]}
    expected = (PICTURE, Opaque(backend="openai", data=item))
    answer = read_response(HttpResponse(status=200, headers=Headers([]), body=json.dumps(end).encode()))
    assert answer.message.content == expected
    decode, out = ResponseDecoder(), assembler()
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    for event in (done, {"type": "response.completed", "response": end}):
        decode(ServerSentEvent(data=json.dumps(event)), out)
    assert out.conclude().message.content == expected
    assert tuple([event.part for event in out.take() if isinstance(event, BlockEnd)]) == expected
