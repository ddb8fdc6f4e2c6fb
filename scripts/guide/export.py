"""Write trained weights as a GGUF file, and read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from recipe import Shape
from vocabulary import ANSWER, BEGIN, END, QUESTION, STOP, UNKNOWN, Vocabulary

__all__ = ["read", "write"]

DESCRIPTION = (
    "answers questions about ipfs-accel, and knows nothing else; "
    "trained from scratch by scripts/guide of its repository, on text that is written there"
)
# Each question stands alone: earlier turns are not shown to a model that learnt none. `normal` in `corpus` is its twin.
CHAT_TEMPLATE = (
    f"{{{{- '{QUESTION} ' }}}}"
    "{{- messages[-1].content | lower | replace('?', '') | replace('!', '') | trim }}"
    f"{{{{- '{ANSWER}' }}}}"
)


def write(
    path: Path, weights: dict[str, np.ndarray[Any, Any]], vocabulary: Vocabulary, shape: Shape, made_from: str
) -> None:
    """Write the file: matrices in Q8_0, the rest in full; it says what it was made from."""
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, shape)
    writer.add_string("guide.made_from", made_from)
    _add_vocabulary(writer, vocabulary)
    for name, weight in weights.items():
        if weight.ndim == 1:
            writer.add_tensor(name, weight)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], Vocabulary]:
    """Read a file as `write` writes it, its matrices as floats."""
    reader = gguf.GGUFReader(path)
    weights = {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    return weights, Vocabulary(tokens[len(Vocabulary.control) + 256 :])


def _describe(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("ipfs-accel guide")
    writer.add_description(DESCRIPTION)
    writer.add_license("Apache-2.0")
    writer.add_author("The ipfs-accel developers")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    # The model knows one answer to a question: the likeliest, where a request does not say otherwise.
    writer.add_float32("general.sampling.temp", 0.0)


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    kind = gguf.TokenType
    names = [*vocabulary.control, *(f"<0x{byte:02X}>" for byte in range(256)), *vocabulary.pieces]
    n_control, n_pieces = len(vocabulary.control), len(vocabulary.pieces)
    writer.add_vocab_size(len(names))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([name.encode() for name in names])
    writer.add_token_scores([0.0] * (n_control + 256) + [-float(rank) for rank in range(1, n_pieces + 1)])
    writer.add_token_types(
        [kind.UNKNOWN, *[kind.CONTROL] * (n_control - 1), *[kind.BYTE] * 256, *[kind.NORMAL] * n_pieces]
    )
    writer.add_bos_token_id(vocabulary.control_id(BEGIN))
    writer.add_eos_token_id(vocabulary.control_id(STOP))
    writer.add_unk_token_id(vocabulary.control_id(UNKNOWN))
    writer.add_eot_token_id(vocabulary.control_id(END))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
