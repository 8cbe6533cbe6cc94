"""Everything in this plugin keeps what labelbench asks of it."""

from labelbench.testing import assert_fine, check_backbone, check_dataset, check_evaluator, check_label


def test_the_label():
    assert_fine(check_label("written"))


def test_the_backbone():
    assert_fine(check_backbone("convmixer:8"))


def test_the_evaluator():
    assert_fine(check_evaluator("mistakes:2"))


def test_the_data_set():
    assert_fine(check_dataset("shapes"))
