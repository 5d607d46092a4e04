"""The head of a prompt has the instructions of house, person, project and assistant, in that order."""

from __future__ import annotations

from eclair.chat.standing_instructions import StandingInstructions


def test_instructions_come_in_one_order_and_empty_ones_leave_no_gap() -> None:
    whole = StandingInstructions("House.\n", " Person. ", "\nProject.", "Assistant.")
    assert whole.text == "House.\n\n\nPerson.\n\nProject.\n\nAssistant."
    assert StandingInstructions("", "", "Project.", "  ").text == "Project."
    assert StandingInstructions("House.").text == "House."
