"""Instructions about code in a chat: what is to change, what stands around it, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.front import SelfRunning, fronting

from model_runtime.http.faults import BadBody
from model_runtime.http.instruction import Instruction, read_messages
from model_runtime.http.marks import Hole

if TYPE_CHECKING:
    from pathlib import Path

CODE = "def area(w, h):\n    return 0"
FENCED = f"```python\n{CODE}\n```"


def asked(*messages: str) -> Instruction:
    """Return what a user's messages ask for."""
    read = read_messages([("user", message) for message in messages])
    assert isinstance(read, Instruction)
    return read


@pytest.mark.parametrize(
    "message",
    [
        f"Return the product.\n\n{FENCED}",
        f"{FENCED}\n\nReturn the product.",
        (
            f"Consider the following code:\n{FENCED}\n"
            "Edit the code to perfectly satisfy the following user request:\nReturn the product.\n"
            "Output nothing except for the code. No code block, no English explanation."
        ),
        (
            f"Here is the code before editing:\n{FENCED}\n\nHere is the edit requested:\n"
            '"Return the product."\n\nHere is the code after editing:'
        ),
        (
            f"{FENCED}\n\nPlease rewrite the above file to address the following request:\n\n"
            "Return the product.\n\nYou should rewrite the entire file without any natural language"
            " explanation. DO NOT surround the code in a code block and DO NOT explain yourself."
        ),
        (
            f"{FENCED}\n\nYou are an expert programmer. You will rewrite the above code to do the"
            " following:\n\nReturn the product.\n\nOutput only a code block:"
        ),
        (
            f"File: area.py\n\nCode to edit:\n\n{FENCED}\n\nInstruction: Return the product.\n\n"
            "Reply with the rewritten code only."
        ),
        f"<code>\n{CODE}\n</code>\nReturn the product.",
        f"Return the product.\n~~~python\n{CODE}\n~~~",
    ],
)
def test_edit_commands_are_understood(message: str) -> None:
    """However an editor puts it, the code is the code and the wish is the wish."""
    read = asked(message)

    assert (read.code, read.words) == (CODE, "Return the product.")
    assert read.around == Hole("", "")


def test_what_stands_around_is_context() -> None:
    """Blocks that are said to stand before and behind do, and the one in between changes."""
    read = asked(
        "Surrounding code (for context only, do not include it in your reply):\n\n"
        "This is the code before the selection:\n```python\nimport math\n```\n\n"
        "This is the code after the selection:\n```python\nprint(area(2, 3))\n```\n\n"
        f"Code to edit:\n{FENCED}\n\nInstruction: Return the product."
    )

    assert read.code == CODE
    assert read.around == Hole("import math\n", "\nprint(area(2, 3))")


def test_a_blank_is_filled() -> None:
    """Where the message marks the place, code is written there and nothing is changed."""
    read = asked(
        "```python\ndef area(w, h):\n    [BLANK]\n```\n\nAbove is the file. Fill in the blank with"
        ' code that satisfies the following request:\n\n"Return the product."'
    )

    assert (read.code, read.words) == ("", "Return the product.")
    assert read.around == Hole("def area(w, h):\n    ", "")


def test_a_part_of_a_document_is_rewritten() -> None:
    """Tags inside of the code say which part."""
    read = asked(
        "<document>\nimport math\n<rewrite_this>\nx = 1\n</rewrite_this>\nprint(x)\n</document>\n"
        "Double it."
    )

    assert (read.code, read.words) == ("x = 1", "Double it.")
    assert read.around.prefix == "import math\n"
    assert read.around.suffix.strip() == "print(x)"


def test_the_code_may_have_come_earlier() -> None:
    """The last message is the wish where it has no code of its own."""
    read = asked(f"Here is my code.\n{FENCED}", "Return the product.")

    assert (read.code, read.words) == (CODE, "Return the product.")


def test_a_prompt_with_marks_is_filled() -> None:
    """Some proxies send fill-in-the-middle prompts as a message."""
    assert read_messages([("user", "<fim_prefix>a<fim_suffix>b<fim_middle>")]) == Hole("a", "b")


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        (["What is the capital of France?"], "there is no chat"),
        (["Write a poem."], "there is no chat"),
        ([f"Explain this.\n{FENCED}"], "explains none"),
        ([f"{FENCED}\nWhat does it do?"], "explains none"),
        ([FENCED], "what to change"),
        ([""], "there is no chat"),
        ([], "there is no chat"),
    ],
)
def test_what_is_not_about_code_is_refused(messages: list[str], says: str) -> None:
    """In plain words that say what to send."""
    with pytest.raises(BadBody, match=says):
        asked(*messages)


def chat(content: Any, **fields: Any) -> dict[str, Any]:
    """Return a chat's body."""
    return {"messages": [{"role": "user", "content": content}], **fields}


async def test_the_runtime_is_asked_to_rewrite(short_path: Path) -> None:
    """With the span's own text, the words, the language, and the edit's place in the queue."""
    engine = SelfRunning()
    engine.text = "x = 2"
    content = [{"type": "text", "text": "Double it.\r\n```python\r\nx = 1\r\ny = x\r\n```"}]
    async with fronting(short_path, engine) as front:
        reply = (await front.post("/v1/chat/completions", **chat(content))).json()
        request = await engine.started()

    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["message"]["content"] == "x = 2"
    assert (request.mode, request.instruction, request.lane) == ("rewrite", "Double it.", "edit")
    assert (request.spans[0].text, request.language) == ("x = 1\ny = x", "python")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_block_that_is_wanted_is_given(
    short_path: Path, path: str, *, stream: bool
) -> None:
    """Who asks for a code block gets one, in whole and in pieces; others get the code."""
    engine = SelfRunning()
    engine.text = "x = 2"
    content = "Double it. Your answer should be inside of a code block.\n```python\nx = 1\n```"
    async with fronting(short_path, engine) as front:
        reply = await front.post(path, **chat(content, stream=stream))

    assert r"```python\nx = 2\n```" in reply.text


async def test_a_chat_is_refused_in_plain_words(short_path: Path) -> None:
    """In each dialect's own shape."""
    async with fronting(short_path) as front:
        openai = await front.post("/v1/chat/completions", **chat("Hello!"))
        ollama = await front.post("/api/chat", **chat("Hello!"))
        nothing = await front.post("/v1/chat/completions")

    assert [reply.status_code for reply in (openai, ollama, nothing)] == [400, 400, 400]
    assert "no chat" in openai.json()["error"]["message"]
    assert "no chat" in ollama.json()["error"]


async def test_infill_endpoints_take_an_instruction(short_path: Path) -> None:
    """And a mode with its text, by `remask`."""
    engine = SelfRunning()
    choose = {"mode": "rewrite", "text": "x = 1\r\n", "instruction": "Double it.", "strength": 0.5}
    async with fronting(short_path, engine) as front:
        body = {"input_prefix": "a\r\n", "input_suffix": "b", "remask": choose}
        reply = await front.post("/infill", **body)
        request = await engine.started()
        wrong = await front.post("/infill", **body | {"remask": {"mode": "poem"}})

    assert reply.status_code == 200
    assert (request.mode, request.instruction, request.strength) == ("rewrite", "Double it.", 0.5)
    assert request.spans[0].text == "x = 1\n"
    assert wrong.status_code == 400
