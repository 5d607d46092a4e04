"""Arguments of `eclair plan`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path

NUMBERS: dict[str, tuple[type, str, str]] = {
    "people": (int, "N", "people who may ask"),
    "busy_share": (float, "X", "share of them that is busy in the busiest hour, 0 to 1"),
    "questions_per_busy_hour": (float, "N", "questions that a busy person asks in that hour"),
    "questions_per_day": (float, "N", "questions that each person asks in a day, on average"),
    "prompt_tokens": (float, "N", "tokens of a question with its history and sources; from your own usage by default"),
    "answer_tokens": (float, "N", "tokens of an answer; from your own usage by default"),
    "cached_share": (float, "X", "share of a prompt that is cached, 0 to 1; from your own usage by default"),
    "burst": (float, "X", "how unevenly the minutes of an hour are filled; 0 is evenly"),
    "first_word_s": (float, "S", "seconds within which 95 of 100 answers must begin"),
    "words_per_s": (float, "N", "words a second that 95 of 100 answers must have"),
    "tokens_per_step": (float, "N", "tokens that speculative decoding brings for each step; 1 without it"),
    "spare": (int, "N", "replicas beyond those that are needed"),
    "accelerators": (int, "N", "accelerators of a replica; the cheapest number by default"),
}
"""Type, placeholder and help of each number, by its name in a request."""


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `eclair plan` to its parser."""
    parser.add_argument("--model", metavar="ID", help="model of the catalog (`eclair models --all`)")
    parser.add_argument("--on", dest="accelerator", metavar="ID", help="hardware of `--facts`, or here, once measured")
    parser.add_argument("--country", type=str.upper, metavar="CODE", help="country of the electricity, such as DE")
    parser.add_argument("--precision", choices=("bf16", "fp8", "fp4"), help="of the weights; the usual one by default")
    for name, (kind, mark, help) in NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=mark, help=help)
    parser.add_argument("--json", action="store_true", help="print the plan, or the facts, as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plots as an SVG file too")
    parser.add_argument("--sources", action="store_true", help="print the source of each figure too")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--facts", action="store_true", help="print the facts with their sources instead")
    instead.add_argument("--measure", metavar="MODEL", help="measure a model's speed here instead, for `--on here`")
    parser.set_defaults(module="plan")
