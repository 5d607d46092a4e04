"""Compares a sentence with the result of a computation, which it may put in other words."""

from __future__ import annotations

from eclair.text.facts import extract_facts
from eclair.text.language import capitalizes_nouns, identify_language
from eclair.text.terms import split_terms
from eclair.text.written_numbers import is_certain


def states_result(claim: str, result: str, question: str) -> bool:
    """Tell whether a sentence states the one figure of a result, with no other figure or name than those at hand.

    Tables of groups are compared cell by cell elsewhere.
    """
    if "|" in result:
        return False
    stated, known = extract_facts(claim), extract_facts(f"{result} {question}")
    figures = [number for number in stated.numbers if is_certain(number)]
    value = extract_facts(result.split("\n")[0]).numbers[-1:]
    if not any(figure.matches(number) for figure in figures for number in value):
        return False
    if not all(any(figure.matches(number) for number in known.numbers) for figure in figures):
        return False
    if capitalizes_nouns(identify_language(claim)):
        return True
    stems = {term.stem for term in split_terms(f"{result} {question}")}
    return all(term.stem in stems for term in stated.terms if term.is_capitalized and not term.starts_sentence)
