"""Makes FLUX pipelines of random numbers, as small as their classes allow, in diffusers' layout.

It is run by the interpreter that has torch and diffusers: `python tiny.py FOLDER PIPELINE…`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

torch: Any = importlib.import_module("torch")
diffusers: Any = importlib.import_module("diffusers")
transformers: Any = importlib.import_module("transformers")
tokenizers: Any = importlib.import_module("tokenizers")

TEMPLATE = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}"


def _letters() -> list[str]:
    return sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def clip_tokenizer() -> Any:
    letters = _letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(
        vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77
    )


def t5_tokenizer() -> Any:
    words = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    inner = tokenizers.Tokenizer(tokenizers.models.Unigram([(word, -float(at)) for at, word in enumerate(words)], 2))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    return transformers.T5TokenizerFast(tokenizer_object=inner, extra_ids=0, model_max_length=512)


def qwen_tokenizer() -> Any:
    words = [*_letters(), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    made = transformers.Qwen2TokenizerFast(
        vocab={word: number for number, word in enumerate(words)},
        merges=[],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    made.chat_template = TEMPLATE
    return made


def clip_encoder(words: int) -> Any:
    return transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            vocab_size=words,
            hidden_size=32,
            intermediate_size=37,
            num_hidden_layers=2,
            num_attention_heads=4,
            projection_dim=32,
            bos_token_id=words - 2,
            eos_token_id=words - 1,
        )
    )


def t5_encoder(words: int) -> Any:
    return transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=words, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
        )
    )


def vae(kind: str) -> Any:
    sizes = {
        "block_out_channels": (8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "layers_per_block": 1,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    }
    if kind == "AutoencoderKL":
        sizes |= {"shift_factor": 0.1159, "scaling_factor": 0.3611}
    return getattr(diffusers, kind)(**sizes)


def scheduler() -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


def flux(name: str) -> Any:
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    return getattr(diffusers, name)(
        scheduler=scheduler(),
        vae=vae("AutoencoderKL"),
        text_encoder=clip_encoder(len(clip)),
        tokenizer=clip,
        text_encoder_2=t5_encoder(len(t5)),
        tokenizer_2=t5,
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=name == "FluxKontextPipeline",
        ),
    )


def klein() -> Any:
    words = qwen_tokenizer()
    torch.manual_seed(0)
    encoder = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=28,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
        )
    )
    return diffusers.Flux2KleinPipeline(
        scheduler=scheduler(),
        vae=vae("AutoencoderKLFlux2"),
        text_encoder=encoder,
        tokenizer=words,
        transformer=diffusers.Flux2Transformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=256,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=True,
    )


MADE: dict[str, Callable[[], Any]] = {
    "FluxPipeline": lambda: flux("FluxPipeline"),
    "FluxKontextPipeline": lambda: flux("FluxKontextPipeline"),
    "Flux2KleinPipeline": klein,
}


def main() -> None:
    torch.manual_seed(0)
    for kind in sys.argv[2:]:
        MADE[kind]().save_pretrained(Path(sys.argv[1]) / kind, safe_serialization=True)


if __name__ == "__main__":
    main()
