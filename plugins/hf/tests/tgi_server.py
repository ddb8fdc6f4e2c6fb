"""A small TGI: no model, but the routes, checks, limits and errors of the real server's router, version 3.3.7."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from werkzeug import Request, Response

Json = dict[str, Any]

ANSWER = (" Deep", " Learning", " is", " a", " field")
END = {"id": 2, "text": "</s>", "logprob": -0.1, "special": True}
INFO: Json = {
    "model_id": "bigscience/bloom-560m", "model_sha": "e985a63c", "model_pipeline_tag": "text-generation",
    "max_concurrent_requests": 128, "max_best_of": 2, "max_stop_sequences": 4, "max_input_tokens": 16, "max_total_tokens": 24,
    "validation_workers": 2, "max_client_batch_size": 4, "router": "text-generation-router", "version": "3.3.7", "sha": None, "docker_label": None,
}  # fmt: skip
# Type of each parameter, as the server's deserializer wants it.
PARAMETERS: dict[str, tuple[type, ...]] = {
    "best_of": (int,), "temperature": (int, float), "repetition_penalty": (int, float), "frequency_penalty": (int, float), "top_k": (int,),
    "top_p": (int, float), "typical_p": (int, float), "do_sample": (bool,), "max_new_tokens": (int,), "return_full_text": (bool,), "stop": (list,),
    "truncate": (int,), "watermark": (bool,), "details": (bool,), "decoder_input_details": (bool,), "seed": (int,), "top_n_tokens": (int,),
    "grammar": (dict,), "adapter_id": (str,),
}  # fmt: skip
_NEVER_NULL = {"parameters", "stop", "details", "do_sample", "watermark"}
"""What may be left out but not be null, as the numbers may."""
PIECE = 1024
"""Tokens that the real router asks its shard for at once: it stops between such pieces alone."""
STATUS = {
    "validation": 422,
    "template_error": 422,
    "tool_error": 422,
    "generation": 424,
    "overloaded": 429,
    "incomplete_generation": 500,
}


class Refused(Exception):  # noqa: N818 - what the server does
    """An error of the server's own."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class Undeserializable(Exception):  # noqa: N818 - what the body is
    """A body that the web framework refuses before the server sees it."""


def invalid(message: str) -> Refused:
    return Refused(f"Input validation error: {message}", "validation")


def need(condition: object, message: str) -> None:
    if not condition:
        raise invalid(message)


class Tgi:
    """One server; `fail` makes the next generation fail as the sheet says it can."""

    def __init__(self, **settings: Any) -> None:
        self.key: str | None = settings.pop("key", None)
        self.healthy = settings.pop("healthy", True)
        self.fail: Refused | None = None
        self.cut = False
        self.times = 1  # how often the answer's words are said
        self.info = {**INFO, **settings}
        self.seen: list[tuple[str, Any]] = []
        self.routes: dict[str, Callable[[Any], Response]] = {
            "/generate": lambda body: self.whole(self.generate(body), body),
            "/generate_stream": lambda body: self.stream(self.generate_events(body)),
            "/": self.compatible,
            "/v1/chat/completions": self.chat,
            "/v1/completions": self.completions,
            "/tokenize": lambda body: answer(self.encode(body["inputs"])),
            "/chat_tokenize": lambda body: answer(
                {"tokenize_response": self.encode(self.template(body)), "templated_text": self.template(body)}
            ),
            "/invocations": self.invoked,
            "/vertex": self.vertex,
        }

    def __call__(self, request: Request) -> Response:  # noqa: PLR0911 - as many as the server has ways to answer
        if request.method == "GET":
            return self.get(request.path)
        if self.key and request.headers.get("authorization", "").lower() != f"bearer {self.key}".lower():
            return Response(status=401)
        if len(request.get_data()) > 2_000_000:
            text = "Failed to buffer the request body: length limit exceeded"
            return Response(text, 413, content_type="text/plain")
        try:
            body = json.loads(request.get_data())
        except ValueError as error:
            return Response(f"Failed to parse the request body as JSON: {error}", 400, content_type="text/plain")
        self.seen.append((request.path, body))
        try:
            return self.routes[request.path](body)
        except Undeserializable as error:
            text = f"Failed to deserialize the JSON body into the target type: {error}"
            return Response(text, 422, content_type="text/plain")
        except Refused as error:
            return answer({"error": str(error), "error_type": error.kind}, STATUS.get(error.kind, 422))

    def get(self, path: str) -> Response:
        if path in {"/health", "/ping"}:
            return Response() if self.healthy else answer({"error": "unhealthy", "error_type": "healthcheck"}, 503)
        if path == "/metrics":
            return Response("tgi_request_count 1\n", content_type="text/plain")
        return answer(self.info) if path == "/info" else Response(status=404)

    # generation

    def encode(self, text: str) -> list[Json]:
        words, start, found = text.split(" "), 0, [{"id": 1, "text": "", "start": 0, "stop": 0}]
        for word in words:
            found.append({"id": 10 + len(word), "text": word, "start": start, "stop": start + len(word)})
            start += len(word) + 1
        return found

    def check(self, body: Any) -> Json:
        """Do what the real server's deserializer and validation do, in its order."""
        if not isinstance(body.get("inputs"), str):
            raise Undeserializable("inputs: invalid type, expected a string")
        given = body.get("parameters", {"do_sample": True})
        nulls = (
            ["parameters"] if given is None else [name for name in _NEVER_NULL & given.keys() if given[name] is None]
        )
        if nulls:
            raise Undeserializable(f"{nulls[0]}: invalid type: null")
        for name, value in given.items():
            kinds = PARAMETERS.get(name)
            if (
                kinds
                and value is not None
                and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds))
            ):
                raise Undeserializable(f"parameters.{name}: invalid type")
        p = {name: value for name, value in given.items() if value is not None}
        best_of = p.get("best_of", 1)
        sampling = p.get("do_sample") or {"temperature", "top_k", "top_p", "typical_p"} & p.keys()
        need(
            0 < best_of <= self.info["max_best_of"],
            f"`best_of` must be > 0 and <= {self.info['max_best_of']}. Given: {best_of}",
        )
        need(best_of == 1 or sampling, "you must use sampling when `best_of` is > 1")
        need(p.get("temperature", 1) > 0, "`temperature` must be strictly positive")
        need(p.get("repetition_penalty", 1) > 0, "`repetition_penalty` must be strictly positive")
        need(-2 <= p.get("frequency_penalty", 0) <= 2, "`frequency_penalty` must be >= -2.0 and <= 2.0")
        for name in ("top_p", "typical_p"):
            need(0 < p.get(name, 0.5) < 1, f"`{name}` must be > 0.0 and < 1.0")
        need(p.get("top_k", 1) > 0, "`top_k` must be strictly positive")
        need(p.get("max_new_tokens", 1) > 0, "`max_new_tokens` must be strictly positive")
        stops, most = p.get("stop", []), self.info["max_stop_sequences"]
        need(len(stops) <= most, f"`stop` supports up to {most} stop sequences. Given: {len(stops)}")
        need(best_of == 1 or "seed" not in p, "`seed` must not be set when `best_of` > 1")
        need(p.get("top_n_tokens", 0) <= 5, f"`top_n_tokens` must be >= 0 and <= 5. Given: {p.get('top_n_tokens')}")
        need(body["inputs"], "`inputs` cannot be empty")
        longest, total = self.info["max_input_tokens"], self.info["max_total_tokens"]
        need(
            0 < p.get("truncate", 1) <= longest,
            f"`truncate` must be strictly positive and less than {longest}. Given: {p.get('truncate')}",
        )
        length = min(len(self.encode(body["inputs"])), p.get("truncate", 1 << 30))
        wanted = p.get("max_new_tokens", total - length)
        checked = min(wanted, PIECE)  # of a longer answer only the first piece is looked at
        need(
            length + checked <= total,
            f"`inputs` tokens + `max_new_tokens` must be <= {total}. Given: {length} `inputs` tokens and {checked} `max_new_tokens`",
        )
        need(length <= longest, f"`inputs` must have less than {longest} tokens. Given: {length}")
        self.check_grammar(p.get("grammar"))
        return {**p, "length": length, "wanted": wanted}

    def check_grammar(self, grammar: Any) -> None:
        if grammar is None:
            return
        if grammar.get("type") not in {"json", "json_object", "json_schema", "regex"} or "value" not in grammar:
            raise Undeserializable("grammar: unknown variant or missing field `value`")
        schema = grammar["value"].get("schema") if grammar["type"] == "json_schema" else grammar["value"]
        need(
            grammar["type"] == "regex" or "properties" in schema,
            "grammar is not valid: Grammar must have a 'properties' field",
        )

    def tokens(self, p: Json) -> tuple[list[Json], str]:
        """Return the tokens of an answer and why it ends."""
        found: list[Json] = []
        text = ""
        most = p["wanted"] if p["wanted"] <= PIECE else -(-p["wanted"] // PIECE) * PIECE
        for number, word in enumerate(itertools.chain.from_iterable(itertools.repeat(ANSWER, self.times))):
            if number == most:
                return found, "length"
            found.append({"id": 100 + number, "text": word, "logprob": -0.25, "special": False})
            text += word
            if any(text.endswith(stop) for stop in p.get("stop", ())):
                return found, "stop_sequence"
        if most <= len(found):
            return found, "length"
        # The limit is looked at first, so that an end at the last allowed token is told as one by it.
        return [*found, END], "eos_token" if most > len(found) + 1 else "length"

    def sequence(self, p: Json) -> Json:
        tokens, reason = self.tokens(p)
        found = {
            "finish_reason": reason,
            "generated_tokens": len(tokens),
            "seed": p.get("seed"),
            "prefill": [],
            "tokens": tokens,
        }
        if p.get("top_n_tokens"):
            found["top_tokens"] = [
                [{**token, "logprob": token["logprob"] - n} for n in range(p["top_n_tokens"])] for token in tokens
            ]
        if p.get("decoder_input_details"):
            found["prefill"] = [{"id": 1, "text": "<s>", "logprob": None}]
        return found

    def generate(self, body: Any) -> tuple[Json, Json]:
        if self.fail:
            raise self.fail
        p = self.check(body)
        sequence = self.sequence(p)
        echo = body["inputs"] if p.get("return_full_text") else ""
        text = echo + "".join([token["text"] for token in sequence["tokens"] if not token["special"]])
        found: Json = {"generated_text": text}
        if p.get("details") or p.get("decoder_input_details"):
            found["details"] = sequence
            if p.get("best_of", 1) > 1:
                found["details"]["best_of_sequences"] = [{"generated_text": text, **sequence}]
        return found, {
            "x-prompt-tokens": str(p["length"]),
            "x-generated-tokens": str(sequence["generated_tokens"]),
            "x-compute-type": "cpu",
        }

    def whole(self, found: tuple[Json, Json], _body: Any) -> Response:
        response = answer(found[0])
        response.headers.update(found[1])
        return response

    def invoked(self, body: Any) -> Response:
        if "messages" in body:
            return self.chat(body)
        return self.completions(body) if "prompt" in body else self.compatible(body)

    def vertex(self, body: Any) -> Response:
        """Answer each instance with its text alone, whichever form it has."""
        if not body["instances"]:
            return answer({"error": "Input validation error", "error_type": "Input validation error"}, 422)
        texts = []
        for each in body["instances"]:
            chat = (
                {"inputs": self.template(each), "parameters": self.chat_parameters(each)}
                if "messages" in each
                else each
            )
            texts.append(self.generate(chat)[0]["generated_text"])
        return answer({"predictions": texts})

    def compatible(self, body: Any) -> Response:
        body = {**body, "parameters": {"return_full_text": True, **body.get("parameters", {})}}
        if body.get("stream"):
            return self.stream(self.generate_events(body))
        found, headers = self.generate(body)
        return self.whole(([found], headers), body)  # type: ignore[arg-type]

    def generate_events(self, body: Any) -> Iterator[Json]:
        try:
            p = self.check(body)
            need(p.get("best_of", 1) == 1, "`best_of` != 1 is not supported when streaming tokens")
            need(
                not p.get("decoder_input_details"),
                "`decoder_input_details` == true is not supported when streaming tokens",
            )
            sequence = self.sequence(p)
            tokens = sequence["tokens"]
            text = (body["inputs"] if p.get("return_full_text") else "") + "".join(
                [token["text"] for token in tokens if not token["special"]]
            )
            for index, token in enumerate(tokens, 1):
                if self.fail and index == len(tokens):
                    raise self.fail
                if self.cut and index == len(tokens):
                    return
                event: Json = {"index": index, "token": token, "generated_text": None, "details": None}
                if p.get("top_n_tokens"):
                    event["top_tokens"] = sequence["top_tokens"][index - 1]
                if index == len(tokens):
                    event["generated_text"] = text
                    if p.get("details"):
                        event["details"] = {
                            "finish_reason": sequence["finish_reason"],
                            "generated_tokens": len(tokens),
                            "seed": p.get("seed"),
                            "input_length": p["length"],
                        }
                yield event
        except Refused as error:
            yield {"error": str(error), "error_type": error.kind}

    def stream(self, events: Iterator[Json], *, done: bool = False) -> Response:
        text = ":\n\n" + "".join([f"data:{json.dumps(event)}\n\n" for event in events])
        return Response(text + ("data: [DONE]\n\n" if done else ""), content_type="text/event-stream")

    # OpenAI's dialect

    def template(self, body: Any) -> str:
        lines = []
        for message in body["messages"]:
            content = message.get("content")
            if content is None and "tool_calls" not in message:
                raise Undeserializable("messages: data did not match any variant of untagged enum MessageBody")
            for part in content if isinstance(content, list) else ():
                if part.get("type") not in {"text", "image_url"}:
                    raise Undeserializable("messages: unknown variant")
            said = content if isinstance(content, str) else json.dumps(content or message["tool_calls"])
            lines.append(f"{message['role']}:{said}")
        return " ".join(lines)

    def chat_parameters(self, body: Any) -> Json:
        if "stream_options" in body and body["stream_options"] is None:
            raise Undeserializable("stream_options: invalid type: null")
        if "max_tokens" in body and "max_completion_tokens" in body:
            raise Undeserializable("duplicate field `max_tokens`")
        names = [tool["function"]["name"] for tool in body.get("tools") or ()]
        if any("parameters" not in tool["function"] for tool in body.get("tools") or ()):
            raise Undeserializable("tools: missing field `arguments`")
        choice = body.get("tool_choice")
        named = choice["function"]["name"] if isinstance(choice, dict) else choice
        if names and named not in {None, "auto", "none", "required", *names}:
            raise Refused(f"Tool error: Tool with name {named} not found", "tool_error")
        for name, kind in (("stop", list), ("logit_bias", list), ("response_format", dict)):
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise Undeserializable(f"{name}: invalid type")
        if body.get("response_format") and body.get("tools"):
            raise Refused("Tool error: Grammar and tools are mutually exclusive", "tool_error")
        temperature = body.get("temperature")
        penalty = body.get("presence_penalty")
        named = {
            "temperature": None if temperature == 0 else temperature, "do_sample": temperature != 0, "top_p": body.get("top_p"), "seed": body.get("seed"),
            "stop": body.get("stop"), "max_new_tokens": body.get("max_tokens", body.get("max_completion_tokens")), "details": True,
            "frequency_penalty": body.get("frequency_penalty"), "repetition_penalty": None if penalty is None else penalty + 2.0,
            "top_n_tokens": body.get("top_logprobs"), "grammar": body.get("response_format"),
        }  # fmt: skip
        return {name: value for name, value in named.items() if value is not None}

    def chat(self, body: Any) -> Response:
        generated = {"inputs": self.template(body), "parameters": self.chat_parameters(body)}
        head = {
            "id": "",
            "created": 1706270978,
            "model": body.get("model", self.info["model_id"]),
            "system_fingerprint": "3.3.7-native",
        }
        calls = body.get("tools") and body.get("tool_choice", "auto") != "none"
        if body.get("stream"):
            events = self.tool_chunks(head, generated) if calls else self.chat_chunks(head, body, generated)
            return self.stream(events, done=not self.cut)
        found, headers = self.generate(generated)
        details = found["details"]
        call = {
            "id": "0",
            "type": "function",
            "function": {"description": None, "name": "get_weather", "arguments": '{"city":"Paris"}'},
        }
        message: Json = (
            {"role": "assistant", "tool_calls": [call]}
            if calls
            else {"role": "assistant", "content": found["generated_text"]}
        )
        content = [{"token": t["text"], "logprob": t["logprob"], "top_logprobs": []} for t in details["tokens"]]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": {"content": content} if body.get("logprobs") else None,
            "finish_reason": usual(details["finish_reason"]),
        }
        counts = (int(headers["x-prompt-tokens"]), details["generated_tokens"])
        return answer({"object": "chat.completion", **head, "choices": [choice], "usage": usage(*counts)})

    def chat_chunks(self, head: Json, body: Any, generated: Json) -> Iterator[Json]:
        for event in self.generate_events(generated):
            if "error" in event:
                yield {"error": {"message": event["error"], "http_status_code": 422}}
                return
            token, details = event["token"], event["details"]
            logprobs = (
                {"content": [{"token": token["text"], "logprob": token["logprob"], "top_logprobs": []}]}
                if body.get("logprobs")
                else None
            )
            delta = {"role": "assistant", "content": "" if token["special"] else token["text"]}
            choice = {
                "index": 0,
                "delta": delta,
                "logprobs": logprobs,
                "finish_reason": usual(details["finish_reason"]) if details else None,
            }
            yield {"object": "chat.completion.chunk", **head, "choices": [choice], "usage": None}
            if details and (body.get("stream_options") or {}).get("include_usage"):
                yield {
                    "object": "chat.completion.chunk",
                    **head,
                    "choices": [],
                    "usage": usage(details["input_length"], details["generated_tokens"]),
                }

    def tool_chunks(self, head: Json, generated: Json) -> Iterator[Json]:
        p = self.check(generated)
        for name, piece in (("get_weather", "{"), (None, '"city":'), (None, '"Paris"}')):
            call = {"index": 0, "id": "0", "type": "function", "function": {"name": name, "arguments": piece}}
            choice = {
                "index": 0,
                "delta": {"role": "assistant", "tool_calls": [call]},
                "logprobs": None,
                "finish_reason": None,
            }
            yield {"object": "chat.completion.chunk", **head, "choices": [choice], "usage": None}
        yield {"object": "chat.completion.chunk", **head, "choices": [], "usage": usage(p["length"], 3)}

    def completions(self, body: Any) -> Response:
        if body.get("suffix") is not None:
            raise Refused(
                "Suffix is not supported and can be achieved by preprocessing the prompt.", "suffix not supported"
            )
        prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
        if not all(isinstance(prompt, str) for prompt in prompts):
            raise Undeserializable("prompt: data did not match any variant of untagged enum PromptDeserializer")
        most = self.info["max_client_batch_size"]
        if len(prompts) > most:
            raise Refused(f"Number of prompts exceeds the maximum allowed batch size of {most}", "batch size exceeded")
        parameters = self.chat_parameters({name: value for name, value in body.items() if name != "presence_penalty"})
        head = {
            "object": "text_completion",
            "id": "",
            "created": 1,
            "model": self.info["model_id"],
            "system_fingerprint": "3.3.7-native",
        }
        if body.get("stream"):
            streams = [
                self.completion_chunks(head, index, {"inputs": prompt, "parameters": parameters})
                for index, prompt in enumerate(prompts)
            ]
            return self.stream((event for events in streams for event in events), done=True)
        choices, counts = [], [0, 0]
        for index, prompt in enumerate(prompts):
            found, headers = self.generate({"inputs": prompt, "parameters": parameters})
            choices.insert(
                0,
                {
                    "index": index,
                    "text": found["generated_text"],
                    "logprobs": None,
                    "finish_reason": usual(found["details"]["finish_reason"]),
                },
            )
            counts = [counts[0] + int(headers["x-prompt-tokens"]), counts[1] + found["details"]["generated_tokens"]]
        return answer({**head, "choices": choices, "usage": usage(*counts)})

    def completion_chunks(self, head: Json, index: int, generated: Json) -> Iterator[Json]:
        for event in self.generate_events(generated):
            if "error" in event:
                yield {"error": {"message": event["error"], "http_status_code": 422}}
                return
            details = event["details"]
            choice = {
                "index": index,
                "text": event["token"]["text"],
                "logprobs": None,
                "finish_reason": details["finish_reason"] if details else "",
            }
            yield {
                **head,
                "choices": [choice],
                **({"usage": usage(details["input_length"], details["generated_tokens"])} if details else {}),
            }


def usual(reason: str) -> str:
    return "stop" if reason == "eos_token" else reason


def usage(inputs: int, outputs: int) -> Json:
    return {"prompt_tokens": inputs, "completion_tokens": outputs, "total_tokens": inputs + outputs}


def answer(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
