"""Claims files: the paper's, one's own, and mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

import made_up
from labelbench.claims.files import load_claims, paper_claims
from labelbench.errors import InputError, UnknownName
from labelbench.leaderboard.leaderboard import build

OWN = """
[labels]
mine = ["npy:mine.npy"]
[[claim]]
id = "mine"
text = "my label does better than speech"
[[claim.comparison]]
kind = "greater"
left = ["mine"]
right = ["speech"]
evaluators = ["accuracy"]
scores = ["nearest"]
minimum-n = 4
margin = 0.005
"""


def test_a_claims_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(OWN, encoding="utf-8-sig")
    means = {"npy:mine.npy": 0.95, "category": 0.9, "official:speech": 0.9}
    records = [one for label, mean in means.items() for one in made_up.seeds(label, "accuracy", {"nearest": mean}, 4)]
    found = build(records, claims=load_claims(file)).verdicts
    assert [(one.claim, one.outcome) for one in found] == [("mine", "reproduced")]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (("margin = 0.005", "magrin = 0.005"), UnknownName, "did you mean margin?"),
        (('kind = "greater"', 'kind = "greatr"'), UnknownName, "did you mean greater?"),
        (('kind = "greater"', 'kind = "equivalent"\nattack = "papr"'), UnknownName, "did you mean paper?"),
        (("margin = 0.005", 'margin = "small"'), InputError, "expected a number"),
        (("margin = 0.005", "margin = -1"), InputError, "margin -1"),
        (("minimum-n = 4", "minimum-n = 2"), InputError, "expected 3 or more"),
        (('left = ["mine"]', 'left = "mine"'), InputError, "expected names"),
        (('right = ["speech"]', ""), InputError, "has no 'right'"),
        (('id = "mine"', ""), InputError, "has no 'id'"),
        (("[[claim]]", "[[clam]]"), UnknownName, "did you mean claim?"),
        (("[labels]", "[labels"), InputError, "not valid TOML"),
        (("margin = 0.005", "keeps = [0.1, 0.9]"), InputError, "keeps-scores"),
        ((OWN, ""), InputError, "has no claim"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_mistakes_in_a_claims_file_are_named(
    tmp_path: Path, change: tuple[str, str], error: type[Exception], words: str
) -> None:
    file = tmp_path / "my.toml"
    file.write_text(OWN.replace(*change))
    with pytest.raises(error, match=r"my\.toml") as caught:
        load_claims(file)
    assert words in str(caught.value)


def test_the_papers_claims_are_all_there() -> None:
    claims = paper_claims().claims
    assert [claim.id for claim in claims] == [f"C{number}" for number in range(1, 8)]
    assert {claim.id for claim in claims if "adaptive" in claim.attacks} == {"C3", "C4", "C6"}


@pytest.mark.parametrize("margin", ["1.0", "inf", "-0.1"])
def test_a_margin_that_no_correlation_can_reach_is_refused(margin: str, tmp_path: Path) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(
        '[[claim]]\nid = "M"\ntext = "rank"\n[[claim.comparison]]\nkind = "correlation"\nleft = ["*"]\n'
        f'evaluators = ["accuracy"]\nscores = ["nearest"]\nstatistic = "label-statistics/rank"\nmargin = {margin}\n'
    )
    with pytest.raises(InputError, match=r"has margin .*; expected 0 or more and below 1"):
        load_claims(file)
