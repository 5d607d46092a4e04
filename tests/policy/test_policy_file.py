"""The policy file: what it may say, and the sentence for what it may not."""

from __future__ import annotations

import pytest

from eclair.errors import InvalidInput
from eclair.policy.policy_file import parse_policy, write_policy

WHOLE = """
[[groups]]
name = "Die „Klinik“ \\\\ Süd"
[[grants]]
subject = "group:Research"
object = "model:*"
effect = "deny"
[[budgets]]
money = 12.5
currency = "EUR"
soft = 0
[[budgets]]
subject = "role:guest"
watt_hours = 33.33
each = false
[[retention]]
target = "everyone"
days = 365
[[holds]]
target = "person:ada"
reason = "Case 7\\nand more"
[engines."a.b"]
url = "https://api.example.org/v1/chat/completions"
key = "env:MODEL_KEY"
models = ["one", "two"]
endpoints = [{ url = "https://b.example.org/v1", weight = 2.5 }, { url = "https://c.example.org/v1" }]
[web]
policy = "eu"
hosts = ["example.org"]
keys = { brave = "file:/run/secrets/brave" }
"""


def test_what_is_written_reads_as_the_same() -> None:
    tables = parse_policy(WHOLE.encode(), "policy.toml")
    assert parse_policy(write_policy(tables).encode(), "again") == tables
    empty = parse_policy(b"grants = []\n[engines]\n", "policy.toml")
    assert empty == {"grants": {}, "engines": {}}, "an empty table declares that there is nothing"
    assert parse_policy(write_policy(empty).encode(), "again") == empty


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[groups", "p.toml is not TOML:"),
        ("\xff", "p.toml is not TOML:"),
        ("[[people]]\nname = 'a'", "p.toml has people, which there isn't; did you mean"),
        ("[[grants]]\nsubjct = 'everyone'", "p.toml has grants[1].subjct, which there isn't; did you mean subject?"),
        ("[[grants]]\nsubject = 'everyone'\nobject = 'web'", "p.toml has grants[1] without effect; add it."),
        ("groups = 'all'", "p.toml sets groups to something else than a table; write it as [[groups]]."),
        ("web = true", "p.toml sets web to something else than a table; write it as [web]."),
        ("[[budgets]]\ntokens = -1", "p.toml sets budgets[1].tokens, but input should be greater than or equal to 1"),
        ("[[budgets]]\ntokens = '5'", "p.toml sets budgets[1].tokens, but input should be a valid integer"),
        ("[[budgets]]\nmoney = 1", "p.toml sets budgets[1], but money and currency belong together"),
        ("[[budgets]]\nmoney = nan\ncurrency = 'EUR'", "p.toml sets budgets[1].money, but"),
        ("[[budgets]]\ntokens = 1\nimages = 1", "p.toml sets budgets[1], but a budget limits one of"),
        ("[[grants]]\nsubject = 'all'\nobject = 'web'\neffect = 'deny'", "grants[1].subject, but 'all' is nobody"),
        ("[[grants]]\nsubject = 'everyone'\nobject = 'x'\neffect = 'deny'", "grants[1].object, but rights are to web"),
        ("[[retention]]\ntarget = 'everyone'\ndays = 0", "p.toml sets retention[1].days, but"),
        ("[[retention]]\ntarget = 'project:a'\ndays = 'temporary'", "but temporary is for everyone or for a group"),
        ("[engines.a]\nurl = 'x'", "p.toml sets engines.a.url, but 'x' is not an address; begin it with"),
        ("[engines.'a b']\nurl = 'http://a'", "p.toml sets engines.a b, but a server's name is"),
        ("[engines.a]\nurl = 'http://a'\nkey = 'sk-123'", "p.toml sets engines.a.key, but no key stands in this file"),
        ("[web]\nkeys = { brave = 'BSA-1' }", "p.toml sets web.keys.brave, but no key stands in this file"),
        ("[[groups]]\nname = 'a'\n[[groups]]\nname = 'a'", "p.toml has two groups for a; remove one."),
    ],
)
def test_a_bad_file_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_policy(text.encode("latin-1"), "p.toml")
    assert sentence in refused.value.message
    assert "sk-123" not in refused.value.message
    assert "BSA-1" not in refused.value.message
