"""Everything in this plugin keeps what labelbench asks of it."""

import pytest

from labelbench.testing import assert_fine, check_backbone, check_evaluator, check_label


def test_the_label():
    assert_fine(check_label("written"))


@pytest.mark.parametrize("name", ["convmixer", "convmixer:8"])
def test_the_backbone(name):
    assert_fine(check_backbone(name))


@pytest.mark.parametrize("name", ["mistakes", "mistakes:2"])
def test_the_evaluator(name):
    assert_fine(check_evaluator(name))
