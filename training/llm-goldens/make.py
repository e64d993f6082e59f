#!/usr/bin/env python3
"""Makes tiny random models and what transformers computes with them. Usage: make.py OUT

Writes OUT/<family>/ with config.json, model.safetensors (bf16), tokenizer.json, tokenizer_config.json and
goldens.safetensors: for each length N `ids.N` (i32), `logits.N` (f32, of the last position) and `greedy.N` (i32).
"""
import json
import os
import sys

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LENGTHS = [30, 300, 1900]
GREEDY = 24
SHARED = dict(
    vocab_size=320,
    hidden_size=64,
    intermediate_size=160,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=2048,
    rms_norm_eps=1e-6,
)
SCALED = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=256)
FAMILIES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, dict(tie_word_embeddings=True), dict(rope_type="default"), 1e6),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, dict(tie_word_embeddings=True, head_dim=32), dict(rope_type="default"), 1e6),
    "llama": (LlamaConfig, LlamaForCausalLM, dict(tie_word_embeddings=False), SCALED, 5e5),
}


def tokenizer() -> Tokenizer:
    """Every byte a token, and the marks."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(MARKS)
    return made


def model(name: str, ends: int):
    """The model, its weights random and rounded to bf16."""
    config, kind, extra, rope, base = FAMILIES[name]
    made = kind(config(**SHARED, **extra, rope_parameters={"rope_theta": base, **rope}, bos_token_id=256, eos_token_id=ends))
    generator = torch.Generator().manual_seed(20261129)
    with torch.no_grad():
        for parameter_name, parameter in made.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in parameter_name:
                value = 1 + 0.1 * noise
            elif parameter_name.endswith("bias"):
                value = 0.1 * noise
            else:
                value = 0.08 * noise
            parameter.copy_(value.to(torch.bfloat16).float())
    return made.float().eval()


def main() -> None:
    torch.set_num_threads(1)
    for name in FAMILIES:
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        tokens = tokenizer()
        ends = tokens.token_to_id("<|im_end|>")
        tokens.save(os.path.join(folder, "tokenizer.json"), pretty=False)
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
            json.dump({"chat_template": TEMPLATE, "eos_token": "<|im_end|>", "bos_token": "<|endoftext|>"}, file, indent=1)
        made = model(name, ends)
        made.config.save_pretrained(folder)
        weights = {key: value.to(torch.bfloat16).contiguous() for key, value in made.state_dict().items()
                   if not (key == "lm_head.weight" and made.config.tie_word_embeddings)}
        save_file(weights, os.path.join(folder, "model.safetensors"))
        goldens = {}
        generator = torch.Generator().manual_seed(7)
        for length in LENGTHS:
            ids = torch.randint(0, 256, (1, length), generator=generator)
            with torch.no_grad():
                logits = made(ids).logits[0, -1]
                greedy = made.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=GREEDY,
                                       do_sample=False, eos_token_id=None, pad_token_id=0)[0, length:]
            goldens[f"ids.{length}"] = ids[0].to(torch.int32)
            goldens[f"logits.{length}"] = logits.float().contiguous()
            goldens[f"greedy.{length}"] = greedy.to(torch.int32).contiguous()
            print(name, length, "largest logit", float(logits.abs().max()))
        save_file(goldens, os.path.join(folder, "goldens.safetensors"))


main()
