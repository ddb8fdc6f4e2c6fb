"""Run one service on OPEA's own framework; needs the package opea-comps, so its own virtual environment.

    python opea_server.py llm PORT
    python opea_server.py embedding PORT
    python opea_server.py broken PORT
    python opea_server.py chatqna PORT LLM_PORT
    python opea_server.py codegen PORT LLM_PORT

The framework (services, orchestrator, forms of requests and answers) is OPEA's; what the models say is made up here.
"""

import asyncio
import json
import sys
import time

from comps import (
    CustomLogger,
    EmbedDoc,
    LLMParamsDoc,
    MicroService,
    SearchedDoc,
    ServiceOrchestrator,
    ServiceRoleType,
    ServiceType,
    TextDoc,
    opea_microservices,
    register_microservice,
    register_statistics,
    statistics_dict,
)
from comps.cores.mega.utils import handle_message
from comps.cores.proto.api_protocol import (
    ChatCompletionRequest,
    ChatCompletionResponse,
    ChatCompletionResponseChoice,
    ChatMessage,
    EmbeddingRequest,
    EmbeddingResponse,
    EmbeddingResponseData,
    UsageInfo,
)
from comps.cores.proto.docarray import LLMParams
from fastapi import Request
from fastapi.responses import StreamingResponse

HOST = "127.0.0.1"
logger = CustomLogger("server")


def llm(port, *, is_broken=False):
    name = "opea_service@llm"

    @register_microservice(
        name=name, service_type=ServiceType.LLM, endpoint="/v1/chat/completions", host=HOST, port=port
    )
    @register_statistics(names=[name])
    async def run(input: LLMParamsDoc | ChatCompletionRequest | SearchedDoc):
        if is_broken:
            raise RuntimeError("the model is down")
        begun = time.time()
        is_chat = isinstance(input, ChatCompletionRequest)
        said = input.messages if is_chat else input.query
        text = said if isinstance(said, str) else " | ".join(f"{each['role']}: {each['content']}" for each in said)
        words = f'Écho "it\'s" {text}'.split(" ")
        is_list = is_chat and not isinstance(said, str)
        statistics_dict[name].append_latency(time.time() - begun, time.time() - begun)
        if input.stream:
            return StreamingResponse(stream(words, is_list), media_type="text/event-stream")
        if not is_list:
            choice = {"index": 0, "text": " ".join(words), "finish_reason": "stop", "logprobs": None}
            return {
                "id": "cmpl-1",
                "object": "text_completion",
                "created": 1,
                "model": "echo",
                "choices": [choice],
                "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
            }
        message = ChatMessage(role="assistant", content=" ".join(words))
        return ChatCompletionResponse(
            model="echo",
            choices=[ChatCompletionResponseChoice(index=0, message=message, finish_reason="stop")],
            usage=UsageInfo(prompt_tokens=3, completion_tokens=5, total_tokens=8),
        )

    opea_microservices[name].start()


async def stream(words, is_list):
    for index, word in enumerate(words):
        piece = word if not index else f" {word}"
        if is_list:
            value = {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "model": "echo",
                "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}],
            }
        else:
            value = {
                "id": "cmpl-1",
                "object": "text_completion",
                "model": "echo",
                "choices": [{"index": 0, "text": piece, "finish_reason": None}],
            }
        yield f"data: {json.dumps(value)}\n\n"
        await asyncio.sleep(0.02)  # one event in each read of the orchestrator, which drops two that come together
    yield "data: [DONE]\n\n"


def embedding(port):
    name = "opea_service@embedding"

    @register_microservice(
        name=name, service_type=ServiceType.EMBEDDING, endpoint="/v1/embeddings", host=HOST, port=port
    )
    @register_statistics(names=[name])
    async def run(input: TextDoc | EmbeddingRequest) -> EmbedDoc | EmbeddingResponse:
        if isinstance(input, TextDoc):
            return EmbedDoc(text=input.text, embedding=[1.0, 2.0])
        texts = [input.input] if isinstance(input.input, str) else input.input
        data = [
            EmbeddingResponseData(index=index, embedding=[float(len(text)), 0.5]) for index, text in enumerate(texts)
        ]
        return EmbeddingResponse(
            data=data, model="echo", usage=UsageInfo(prompt_tokens=len(texts), total_tokens=len(texts))
        )

    opea_microservices[name].start()


def align_generator(self, gen, **kwargs):
    """Pass text on as upstream's ChatQnA does: as Python writes bytes."""
    for line in gen:
        line = line.decode()
        start, end = line.find("{"), line.rfind("}") + 1
        line = line[start:end]
        try:
            choice = json.loads(line)["choices"][0]
            piece = choice["delta"].get("content") if "delta" in choice else choice.get("text")
            if piece:
                yield f"data: {piece.encode('utf-8')!r}\n\n"
        except ValueError:
            yield f"data: {line.encode('utf-8')!r}\n\n"
    yield "data: [DONE]\n\n"


def align_inputs(self, inputs, cur_node, runtime_graph, llm_parameters_dict, **kwargs):
    return {
        "messages": inputs["text"],
        "stream": llm_parameters_dict["stream"],
        "max_tokens": llm_parameters_dict["max_tokens"],
    }


def align_outputs(self, data, cur_node, inputs, runtime_graph, llm_parameters_dict, **kwargs):
    return {"text": data["choices"][0]["text"]}


def mega(title, path, port, llm_port, *, as_bytes):
    ServiceOrchestrator.align_inputs = align_inputs
    ServiceOrchestrator.align_outputs = align_outputs
    if as_bytes:
        ServiceOrchestrator.align_generator = align_generator
    orchestrator = ServiceOrchestrator()
    orchestrator.add(
        MicroService(
            name="llm",
            host=HOST,
            port=llm_port,
            endpoint="/v1/chat/completions",
            use_remote_service=True,
            service_type=ServiceType.LLM,
        )
    )

    async def handle(request: Request):
        data = await request.json()
        is_stream = data.get("stream", True)
        chat = ChatCompletionRequest.model_validate(data)
        prompt = handle_message(chat.messages)
        parameters = LLMParams(max_tokens=chat.max_tokens or 1024, stream=is_stream, model=chat.model)
        results, graph = await orchestrator.schedule(initial_inputs={"text": prompt}, llm_parameters=parameters)
        for response in results.values():
            if isinstance(response, StreamingResponse):
                return response
        text = results[graph.all_leaves()[-1]]["text"]
        choice = ChatCompletionResponseChoice(
            index=0, message=ChatMessage(role="assistant", content=text), finish_reason="stop"
        )
        return ChatCompletionResponse(model=title.lower(), choices=[choice], usage=UsageInfo())

    service = MicroService(
        title, service_role=ServiceRoleType.MEGASERVICE, host=HOST, port=port, endpoint=path,
        input_datatype=ChatCompletionRequest, output_datatype=ChatCompletionResponse,
    )  # fmt: skip
    service.add_route(path, handle, methods=["POST"])
    service.start()


if __name__ == "__main__":
    kind, port, *rest = sys.argv[1], int(sys.argv[2]), *map(int, sys.argv[3:])
    if kind in {"llm", "broken"}:
        llm(port, is_broken=kind == "broken")
    elif kind == "embedding":
        embedding(port)
    elif kind == "chatqna":
        mega("ChatQnAService", "/v1/chatqna", port, rest[0], as_bytes=True)
    else:
        mega("CodeGenService", "/v1/codegen", port, rest[0], as_bytes=False)
