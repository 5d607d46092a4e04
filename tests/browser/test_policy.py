"""The policy file in the administration: where the store differs, and the button that mends it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.axe import AXE, check
from tests.browser.conftest import Opening, Starting

POLICY = """
[[groups]]
name = "Research"
[[retention]]
target = "everyone"
days = 365
"""


def test_what_differs_is_shown_applied_and_downloaded(opening: Opening, starting: Starting, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    served = starting(ECLAIR_POLICY_FILE=str(file))
    context = opening(served, viewport={"width": 390, "height": 800})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.request.put("/api/retention/rules", data={"scope": "everyone", "subject": "", "days": 30})
    page.goto("/admin/policy")
    differences = page.get_by_role("list", name=f"Some things here differ from {file}.")
    expect(differences.get_by_role("listitem")).to_have_count(2)
    expect(differences.get_by_role("listitem").nth(0)).to_contain_text("Research Missing here")
    expect(differences.get_by_role("listitem").nth(1)).to_contain_text("days: 30 here, 365 in the file")
    check(page)
    page.get_by_role("button", name="Apply the file").press("Enter")
    expect(page.get_by_role("status").filter(has_text=f"Everything matches {file}.")).to_be_visible()
    expect(differences).to_have_count(0)
    assert [each["days"] for each in page.request.get("/api/retention/rules").json()["rules"]] == [365]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the current state").click()
    assert download.value.suggested_filename == "policy.toml"
    assert 'name = "Research"' in Path(download.value.path()).read_text()


def test_a_bad_file_says_so_in_the_page(opening: Opening, starting: Starting, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("[[budgets]]\ntokens = 0\n")
    page = opening(starting(ECLAIR_POLICY_FILE=str(file))).new_page()
    page.goto("/admin/policy")
    expect(page.get_by_text("sets budgets[1].tokens")).to_be_visible()
    expect(page.get_by_role("button", name="Apply the file")).to_have_count(0)
    file.write_text("")
    page.reload()
    expect(page.get_by_text(f"Everything matches {file}.")).to_be_visible()
