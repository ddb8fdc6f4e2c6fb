"""Values in notebooks: through IPython's own formatter, and what is shown read as Markdown is."""

from __future__ import annotations

import base64
import subprocess
import sys
from array import array
from typing import Any

import pytest
from ipfs_accel import Client, Image, Message
from ipfs_accel.capabilities import Support
from ipfs_accel.testing import Scripted
from ipfs_accel.types import (
    Audio,
    Capabilities,
    ChatResponse,
    Choice,
    Document,
    EmbedResponse,
    Found,
    GeneratedImage,
    ImageResponse,
    Match,
    ModelInfo,
    Opaque,
    Reasoning,
    Refusal,
    ToolCall,
    Usage,
)
from IPython.core.formatters import DisplayFormatter
from markdown_it import MarkdownIt

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
PNG64 = base64.b64encode(PNG).decode()
EVIL = "a|b`c`*d*_e_<img src=x onerror=alert(1)>[f](javascript:g)$h$\n# i &lt; \\|"


def shown(value: Any) -> dict[str, Any]:
    bundle, _ = DisplayFormatter().format(value)
    assert bundle.pop("text/plain")
    return dict(bundle)


def markdown(value: Any) -> str:
    bundle = shown(value)
    assert list(bundle) == ["text/markdown"]
    return str(bundle["text/markdown"])


def html(value: Any) -> str:
    return MarkdownIt("commonmark").enable("table").render(markdown(value))  # type: ignore[no-any-return]


def test_an_answer_shows_what_a_model_wrote_and_what_it_cost() -> None:
    answer = ChatResponse(
        model="m_1*",
        choices=(Choice(message=Message.assistant("# Title\n\n- **one**"), finish_reason="length"),),
        usage=Usage(input_tokens=1000, output_tokens=234),
    )
    assert markdown(answer) == "# Title\n\n- **one**\n\n*m\\_1\\*, 1,234 tokens, length*"
    assert "<h1>Title</h1>" in html(answer)
    assert html(answer).endswith("<p><em>m_1*, 1,234 tokens, length</em></p>\n")


def test_an_answer_of_a_call_shows_its_endpoints_words_and_no_key() -> None:
    with Client(plugins=[Scripted([[Reasoning(text="Hm.\nSo:"), "Good day"]])]) as client:
        answer = client.chat("scripted/any", "q", key="sk-0123456789")
    assert markdown(answer) == "> Hm.\n> So:\n\nGood day"


def test_several_choices_are_told_apart() -> None:
    choices = [Choice(index=index, message=Message.assistant(text)) for index, text in enumerate(["yes", "no"])]
    assert markdown(ChatResponse(choices=tuple(choices))) == "**0**\n\nyes\n\n**1**\n\nno"


def test_each_part_of_a_message_is_shown_or_named() -> None:
    message = Message(
        role="assistant",
        content=(
            Refusal(text="I would rather not."),
            ToolCall(id="c1", name="f_x", arguments='{"a": "```"}'),
            Image(data=PNG),
            Image(url="https://example.com/a<b>.png"),
            Image(url="javascript:alert(1)"),
            Audio(data=b"RIFF....WAVE" + bytes(1988), transcript="hi"),
            Document(data=b"%PDF-1.7", name="a_b.pdf"),
            Opaque(backend="claude", data={"secret": "x"}),
        ),
        name="Ada",
    )
    assert markdown(message).split("\n\n") == [
        "**assistant** (Ada)",
        "I would rather not.",
        "**f\\_x**",
        '````json\n{"a": "```"}\n````',
        f"![image](data:image/png;base64,{PNG64})",
        "![image](<https://example.com/a%3Cb%3E.png>)",
        "*image, javascript:alert(1)*",
        "*audio/wav, 2 kB*",
        "> hi",
        "*application/pdf, a\\_b.pdf, 8 bytes*",
    ]
    result = Message.tool("c_1", ["It is ", "sunny."], is_error=True)
    assert markdown(result) == "**tool**\n\n**c\\_1** failed:\n\nIt is \n\nsunny."


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"RIFF....WEBP", "image/webp"),
    ],
)
def test_a_picture_is_one(data: bytes, kind: str) -> None:
    expected = {kind: base64.b64encode(data).decode()}
    assert shown(Image(data=data)) == expected
    made = GeneratedImage(data=data, media_type=kind)
    assert shown(made) == expected
    assert shown(ImageResponse(images=(made,))) == expected


def test_what_is_no_picture_or_too_large_is_named() -> None:
    assert shown(GeneratedImage(data=b"<svg onload='x'>", media_type="image/svg+xml")) == {
        "text/markdown": "*image/svg+xml, 16 bytes*"
    }
    assert shown(Image(data=PNG + bytes(9_000_000))) == {"text/markdown": "*image/png, 9 MB*"}
    assert shown(GeneratedImage(url="https://example.com/a.png")) == {
        "text/markdown": "![image](<https://example.com/a.png>)"
    }


def test_several_pictures_and_what_was_said_beside_are_shown_together() -> None:
    one = GeneratedImage(data=PNG, media_type="image/png", revised_prompt="a *red* cat")
    answer = ImageResponse(images=(one, GeneratedImage(url="http://h/b.png")), text="Here:")
    assert shown(answer)["text/markdown"].split("\n\n") == [
        "Here:",
        f"![image](data:image/png;base64,{PNG64})",
        "*a \\*red\\* cat*",
        "![image](<http://h/b.png>)",
    ]


def test_capabilities_are_tables() -> None:
    model = ModelInfo(
        id="m|1",
        description="Small.",
        context_window=128000,
        input_modalities=frozenset({"text", "image"}),
        input_price=0.25,
        features={"tools": Support("yes", "server")},
    )
    value = Capabilities(
        endpoint="openai",
        backend="openai",
        model=model,
        operations={"chat": Support("yes", "hook"), "stream_image": Support("no", "hook")},
        calls=("render",),
    )
    text = markdown(value)
    assert text.startswith("**openai/m\\|1**, by the backend openai\n\nSmall.\n\n| of the model |  |\n| --- | --- |\n")
    assert "| context window, in tokens | 128,000 |" in text
    assert "| takes | image, text |" in text
    assert "| tools | yes (server) |" in text
    assert "| stream\\_image | no (hook) |" in text
    assert text.endswith("*own calls: render*")
    assert html(value).count("<table>") == 2
    assert "<td>stream_image</td>" in html(value)
    assert markdown(Capabilities(endpoint="a", backend="b", operations={})).startswith("**a**, by the backend b")


def test_models_that_were_found_are_a_table_and_a_long_one_is_cut() -> None:
    matches = [
        Match(endpoint="e", model=ModelInfo(id=f"m{number}", input_price=0.1, context_window=8192), unknown=("tools",))
        for number in range(60)
    ]
    value = Found(matches=tuple(matches), skipped={"down": "it is | not there"})
    text = markdown(value)
    assert "| e/m0 | 8,192 | 0.1 |  | tools |" in text
    assert "| e/m49 |" in text
    assert "| e/m50 |" not in text
    assert "*and 10 more*" in text
    assert "| down | it is \\| not there |" in text
    assert markdown(Found(matches=(), skipped={})) == "*no model fits*"


def test_vectors_are_told_by_their_first_numbers() -> None:
    value = EmbedResponse(vectors=(array("f", [0.5] * 1536), array("f", [1.0])), model="e", usage=Usage())
    assert markdown(value).split("\n") == [
        "**2 vectors** of 1 or 1,536 numbers",
        "",
        "*e*",
        "",
        "|  | begins |",
        "| --- | --- |",
        "| 0 | 0.5, 0.5, 0.5, 0.5, … |",
        "| 1 | 1 |",
    ]
    assert markdown(EmbedResponse(vectors=())) == "**0 vectors**"


def test_a_long_text_is_cut() -> None:
    value = ChatResponse(choices=(Choice(message=Message.assistant("x" * 60_000)),))
    assert markdown(value) == "x" * 50_000 + "…\n\n*and 10,000 more characters*"


@pytest.mark.parametrize(
    "value",
    [
        ChatResponse(model=EVIL, choices=(Choice(message=Message.assistant("hi"), finish_reason=EVIL),)),
        Message(role="user", content="hi", name=EVIL),
        Message.assistant(ToolCall(id="1", name=EVIL, arguments="{}")),
        Message.user(Document(data=b"%PDF-", name=EVIL)),
        Capabilities(
            endpoint=EVIL,
            backend=EVIL,
            operations={EVIL: Support("yes", "hook")},
            model=ModelInfo(id=EVIL, description=EVIL),
        ),
        Found(matches=(Match(endpoint=EVIL, model=ModelInfo(id=EVIL)),), skipped={EVIL: EVIL}),
        EmbedResponse(vectors=(), model=EVIL),
    ],
    ids=["answer", "speaker", "tool", "document", "capabilities", "found", "vectors"],
)
def test_names_are_words_and_nothing_else(value: Any) -> None:
    text = html(value)
    assert "<img" not in text
    assert "<a " not in text
    assert "<code>" not in text.replace('<code class="language-json">', "")
    assert "<h1>" not in text
    said = "a|b`c`*d*_e_&lt;img src=x onerror=alert(1)&gt;[f](javascript:g)$h$ # i &amp;lt; \\|"
    assert said in text
    assert "$h$" not in markdown(value)  # it would be a formula


def test_nothing_of_notebooks_is_loaded_before_one_asks() -> None:
    code = (
        "import sys\nfrom ipfs_accel import Message\nmessage = Message.user('q')\n"
        "print('IPython' in sys.modules, 'ipfs_accel.types._shown' in sys.modules)\n"
        "message._repr_markdown_()\nprint('IPython' in sys.modules, 'ipfs_accel.types._shown' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\nFalse True\n"
