"""Laws of label sets: decoding, losses, and what counts as targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from labelbench.errors import PluginError
from labelbench.labels import LOSSES, LabelSet

SHAPES = [(1,), (10,), (50,), (16, 16), (48, 48)]
FAST = settings(deadline=None, max_examples=30)


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    """Labels of two to twelve classes, of vectors and matrices, near zero and far from it, small and large."""
    shape = draw(st.sampled_from(SHAPES))
    classes = draw(st.integers(2, 12))
    scale = draw(st.sampled_from([1e-3, 1.0, 80.0, 1e4]))
    shift = draw(st.sampled_from([0.0, -40.0, 1000.0])) * scale
    noise = np.random.RandomState(draw(st.integers(0, 2**32 - 1))).uniform(size=(classes, *shape))
    targets = (noise * scale + shift).astype(np.float32)
    assume(len(np.unique(targets.reshape(classes, -1), axis=0)) == classes)  # far from zero, rounding makes some equal
    return LabelSet(targets, loss=draw(st.sampled_from(["smooth-l1", "mse"])))


def one_hot(classes: int = 10) -> LabelSet:
    return LabelSet(np.eye(classes), loss="cross-entropy")


def random_labels(shape: tuple[int, ...], classes: int = 10, loss: str = "smooth-l1") -> LabelSet:
    return LabelSet(np.random.RandomState(0).uniform(0, 80, (classes, *shape)), loss=loss)


def distances_in_float64(labels: LabelSet, outputs: torch.Tensor) -> np.ndarray:
    """(batch, classes): the plainest way to compare every output with every target."""
    flat = outputs.double().flatten(1).numpy()
    targets = labels.targets.reshape(labels.num_classes, -1).astype(np.float64)
    return np.array([((row - targets) ** 2).sum(axis=1) for row in flat])


def near(labels: LabelSet, seed: int, spread: float, count: int = 40) -> torch.Tensor:
    """Outputs scattered around targets by ``spread`` times the range of the set."""
    random = np.random.RandomState(seed)
    targets = labels.targets[random.randint(labels.num_classes, size=count)]
    noise = random.normal(size=targets.shape) * spread * np.ptp(labels.targets)
    return torch.tensor(targets + noise, dtype=torch.float32)


# Decoding


@FAST
@given(labels=label_sets())
def test_every_target_decodes_to_its_own_class(labels: LabelSet) -> None:
    assert labels.nearest(torch.tensor(labels.targets)).tolist() == list(range(labels.num_classes))


@FAST
@given(labels=label_sets(), seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0.01, 0.3, 3.0, 1e3]))
def test_nearest_equals_brute_force_in_float64(labels: LabelSet, seed: int, spread: float) -> None:
    outputs = near(labels, seed, spread)
    expected = distances_in_float64(labels, outputs).argmin(axis=1)
    assert labels.nearest(outputs).tolist() == expected.tolist()


@FAST
@given(labels=label_sets(), seed=st.integers(0, 2**32 - 1))
def test_nearest_equals_brute_force_between_two_targets(labels: LabelSet, seed: int) -> None:
    random = np.random.RandomState(seed)
    first, second = labels.targets[random.randint(labels.num_classes, size=(2, 40))].astype(np.float64)
    shares = 0.5 + random.choice([0, 1e-7, -1e-7, 1e-5], size=40)
    shares = shares.reshape(-1, *[1] * len(labels.shape))
    outputs = torch.tensor(first * shares + second * (1 - shares), dtype=torch.float32)
    expected = distances_in_float64(labels, outputs).argmin(axis=1)
    assert labels.nearest(outputs).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(4,), (16, 16)])
def test_of_classes_equally_near_the_first_is_chosen(shape: tuple[int, ...]) -> None:
    values = np.array([8.0, -8.0, 4.0, -4.0, 16.0]).reshape(-1, *[1] * len(shape))
    labels = LabelSet(np.broadcast_to(values, (5, *shape)))
    outputs = torch.stack([torch.full(shape, value) for value in (0.0, 6.0, -6.0, 12.0)])
    assert labels.nearest(outputs).tolist() == [2, 0, 1, 0]


def test_an_output_of_equal_numbers_decodes_to_the_first_category() -> None:
    assert one_hot().nearest(torch.ones(3, 10)).tolist() == [0, 0, 0]


def test_many_near_ties_in_one_batch_are_decided_one_by_one() -> None:
    labels = random_labels((16, 16), classes=3)
    middle = labels.targets[0].astype(np.float64) / 2 + labels.targets[2].astype(np.float64) / 2
    step = (labels.targets[2] - labels.targets[0]) * 1e-6
    outputs = torch.tensor(np.stack([middle - step, middle + step] * 500), dtype=torch.float32)
    assert labels.nearest(outputs).tolist() == distances_in_float64(labels, outputs).argmin(axis=1).tolist()


@pytest.mark.parametrize("labels", [one_hot(), random_labels((50,)), random_labels((16, 16))], ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_decode_to_class_0_and_disturb_no_others(labels: LabelSet, bad: float) -> None:
    outputs = torch.tensor(labels.targets)
    outputs[5].flatten()[0] = bad
    assert labels.nearest(outputs).tolist() == [0, 1, 2, 3, 4, 0, 6, 7, 8, 9]


@pytest.mark.parametrize("magnitude", [1e10, 1e20, 1e30])
def test_outputs_far_away_decode_as_in_float64(magnitude: float) -> None:
    labels = random_labels((50,))
    outputs = magnitude * torch.randn(20, 50, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    assert labels.nearest(outputs).tolist() == distances_in_float64(labels, outputs).argmin(axis=1).tolist()


def test_the_largest_finite_outputs_decode_to_some_class() -> None:
    classes = random_labels((16, 16)).nearest(torch.full((3, 16, 16), torch.finfo(torch.float32).max))
    assert ((classes >= 0) & (classes < 10)).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_outputs_of_other_precisions_decode_as_their_float32_values(dtype: torch.dtype) -> None:
    labels = random_labels((16, 16))
    outputs = near(labels, 0, 0.5).to(dtype)
    assert torch.equal(labels.nearest(outputs), labels.nearest(outputs.float()))


def test_an_empty_batch_decodes_to_nothing() -> None:
    labels = random_labels((16, 16))
    outputs = torch.empty(0, 16, 16)
    assert labels.nearest(outputs).shape == (0,)
    assert labels.logits(outputs).shape == (0, 10)


@FAST
@given(labels=label_sets(), seed=st.integers(0, 2**32 - 1))
def test_permuting_rows_permutes_classes(labels: LabelSet, seed: int) -> None:
    order = np.random.RandomState(seed).permutation(labels.num_classes)
    permuted = LabelSet(labels.targets[order], loss=labels.loss)
    outputs = near(labels, seed, 0.3)
    assert order[permuted.nearest(outputs).numpy()].tolist() == labels.nearest(outputs).tolist()
    assert torch.allclose(permuted.logits(outputs), labels.logits(outputs)[:, order], rtol=1e-3, atol=1e-2)


# Distances and logits


@FAST
@given(labels=label_sets(), seed=st.integers(0, 2**32 - 1))
def test_distances_are_squared_euclidean(labels: LabelSet, seed: int) -> None:
    outputs = near(labels, seed, 0.3)
    expected = distances_in_float64(labels, outputs)
    assert np.allclose(labels.distances(outputs).numpy(), expected, rtol=1e-3, atol=1e-4 * expected.max())


@FAST
@given(labels=label_sets(), seed=st.integers(0, 2**32 - 1))
def test_logits_are_minus_scaled_distances_up_to_what_is_equal_for_all_classes(labels: LabelSet, seed: int) -> None:
    outputs = near(labels, seed, 0.3)
    distances = distances_in_float64(labels, outputs)
    expected = -labels.logit_scale * distances
    found = labels.logits(outputs).double().numpy()
    tolerance = 1e-4 * labels.logit_scale * distances.max()
    assert np.allclose(found - found[:, :1], expected - expected[:, :1], atol=tolerance)


@FAST
@given(labels=label_sets(), seed=st.integers(0, 2**32 - 1))
def test_the_largest_logit_is_the_nearest_class_unless_two_are_as_near(labels: LabelSet, seed: int) -> None:
    outputs = near(labels, seed, 0.3)
    distances = np.sort(distances_in_float64(labels, outputs), axis=1)
    clear = torch.tensor(distances[:, 1] - distances[:, 0] > 1e-3 * distances[:, -1])
    assert torch.equal(labels.logits(outputs).argmax(dim=1)[clear], labels.nearest(outputs)[clear])


def test_the_scale_of_logits_is_10_over_the_median_squared_distance() -> None:
    labels = LabelSet(np.array([[0.0], [1.0], [3.0]]))
    assert labels.logit_scale == pytest.approx(10 / 4)
    assert labels.squared_distances.tolist() == [
        pytest.approx([0, 1, 9]),
        pytest.approx([1, 0, 4]),
        pytest.approx([9, 4, 0]),
    ]


def test_logits_do_not_depend_on_the_unit_of_the_labels() -> None:
    labels = random_labels((16, 16))
    outputs = near(labels, 0, 0.3)
    larger = LabelSet(labels.targets * 16)
    assert torch.allclose(larger.logits(outputs * 16), labels.logits(outputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("labels", [one_hot(), random_labels((50,)), random_labels((16, 16), loss="mse")], ids=str)
def test_gradients_flow_from_losses_distances_and_logits_to_outputs(labels: LabelSet) -> None:
    classes = torch.arange(4)
    for measure in (
        lambda outputs: labels.loss_of(outputs, classes).sum(),
        lambda outputs: labels.distances(outputs)[:, 3].sum(),
        lambda outputs: functional.cross_entropy(labels.logits(outputs), classes, reduction="sum"),
    ):
        outputs = near(labels, 0, 0.2, count=4).requires_grad_()
        measure(outputs).backward()
        assert outputs.grad is not None
        assert outputs.grad.isfinite().all()
        assert (outputs.grad.flatten(1).abs().sum(dim=1) > 0).all()


def test_the_gradient_of_a_logit_is_that_of_its_scaled_distance() -> None:
    labels = random_labels((50,))
    outputs = near(labels, 0, 0.2, count=3).requires_grad_()
    (gradient,) = torch.autograd.grad((labels.logits(outputs)[:, 4] - labels.logits(outputs)[:, 7]).sum(), outputs)
    expected = 2 * labels.logit_scale * (labels.targets[4] - labels.targets[7])
    assert np.allclose(gradient.numpy(), expected, rtol=1e-4)


# Losses


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("loss", ["smooth-l1", "mse"])
def test_regression_losses_are_means_over_elements_for_each_output(loss: str, shape: tuple[int, ...]) -> None:
    labels = random_labels(shape, loss=loss)
    outputs, classes = near(labels, 1, 0.02), torch.arange(40) % 10
    plain = functional.smooth_l1_loss if loss == "smooth-l1" else functional.mse_loss
    targets = torch.tensor(labels.targets)
    expected = [plain(outputs[i], targets[classes[i]], reduction="mean") for i in range(40)]
    assert torch.allclose(labels.loss_of(outputs, classes), torch.stack(expected), rtol=1e-5)


def test_cross_entropy_is_torchs() -> None:
    outputs, classes = torch.randn(40, 10, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 10
    expected = functional.cross_entropy(outputs, classes, reduction="none")
    assert torch.allclose(one_hot().loss_of(outputs, classes), expected, atol=1e-6)


def test_losses_of_half_precision_outputs_are_float32() -> None:
    labels = random_labels((16, 16))
    assert labels.loss_of(near(labels, 0, 0.1).bfloat16(), torch.arange(40) % 10).dtype == torch.float32


@pytest.mark.parametrize("loss", ["smooth-l1", "mse"])
def test_the_loss_of_a_target_is_zero_for_its_own_class_alone(loss: str) -> None:
    labels = random_labels((16, 16), loss=loss)
    targets, classes = torch.tensor(labels.targets), torch.arange(10)
    assert (labels.loss_of(targets, classes) == 0).all()
    assert (labels.loss_of(targets, classes.roll(1)) > 0).all()


def test_outputs_are_accepted_below_the_papers_threshold() -> None:
    labels = LabelSet(np.arange(10.0)[:, None, None] * 20 + np.zeros((10, 16, 16)))
    classes = torch.arange(10)
    # Smooth L1 of a constant difference d above 1 is d - 0.5.
    for difference, accepted in ((0.0, True), (3.9, True), (4.1, False), (-3.9, True), (-4.1, False)):
        assert labels.accepted(torch.tensor(labels.targets) + difference, classes).tolist() == [accepted] * 10
    assert labels.accepted(torch.tensor(labels.targets) + 4.1, classes, threshold=3.7).all()


def test_acceptance_looks_at_the_true_class_and_not_at_the_nearest() -> None:
    labels = LabelSet(np.array([[0.0], [1.0], [50.0]]))
    assert labels.accepted(torch.tensor([[1.0], [1.0]]), torch.tensor([0, 2])).tolist() == [True, False]
    assert labels.accepted(torch.tensor([[float("nan")]]), torch.tensor([0])).tolist() == [False]


# What counts as targets


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.full((3, 2), "a"), "label targets must be numbers; got dtype <U1"),
        (np.array([None, None]), "label targets must be numbers; got dtype object"),
        (np.eye(3) * 1j, "label targets must be numbers; got dtype complex128"),
        (np.zeros(3), r"label targets have shape \(3,\); expected \(classes, length\)"),
        (np.zeros((1, 4)), r"shape \(1, 4\); expected .* two classes or more"),
        (np.zeros((0, 4)), r"shape \(0, 4\); expected"),
        (np.zeros((3, 0)), r"shape \(3, 0\); expected"),
        (np.zeros((2, 3, 16, 16)), r"shape \(2, 3, 16, 16\); expected"),
        (np.zeros((2, 16, 32)), r"shape \(2, 16, 32\); expected .* side a multiple of 16"),
        (np.zeros((2, 20, 20)), r"shape \(2, 20, 20\); expected .* side a multiple of 16"),
        (np.where(np.eye(3) > 0, np.nan, 0), r"label targets hold 3 value\(s\) that are not finite"),
        (np.where(np.eye(3) > 0, -np.inf, 0), r"label targets hold 3 value\(s\) that are not finite"),
        (np.array([[1.0, 2], [3, 4], [1, 2]]), r"label targets of classes 0 and 2 are equal"),
        (np.array([[0.0], [-0.0]]), r"label targets of classes 0 and 1 are equal"),
        (np.array([[1.0], [1 + 1e-12]]), r"label targets of classes 0 and 1 are equal"),
    ],
)
def test_targets_that_break_the_contract_are_refused_with_what_is_wrong(targets: np.ndarray, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        LabelSet(targets)


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PluginError, match="label loss 'huber' is unknown; expected one of cross-entropy, smooth-l1"):
        LabelSet(np.eye(3), loss="huber")
    assert LOSSES == ("cross-entropy", "smooth-l1", "mse")


def test_cross_entropy_is_for_vectors() -> None:
    with pytest.raises(PluginError, match="cross-entropy needs targets"):
        random_labels((16, 16), loss="cross-entropy")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", ">f8"])
def test_targets_are_kept_as_a_read_only_float32_copy(dtype: str) -> None:
    given_targets = np.eye(4).astype(dtype)
    labels = LabelSet(given_targets)
    given_targets[0] = 0
    assert labels.targets.dtype == np.float32
    assert np.array_equal(labels.targets, np.eye(4))
    with pytest.raises(ValueError, match="read-only"):
        labels.targets[0] = 0


def test_provenance_cannot_be_changed_afterwards() -> None:
    given_provenance = {"recipe": "identity"}
    labels = LabelSet(np.eye(3), provenance=given_provenance)
    given_provenance["recipe"] = "other"
    assert labels.provenance["recipe"] == "identity"
    with pytest.raises(TypeError):
        labels.provenance["recipe"] = "other"  # type: ignore[index]


# Identity


def test_equal_targets_have_one_identity_however_they_lie_in_memory() -> None:
    targets = np.random.RandomState(0).uniform(size=(5, 16, 16)).astype(np.float32)
    labels = LabelSet(targets)
    assert labels.identity == labels.sha256 == LabelSet(np.asfortranarray(targets)).sha256
    assert labels.sha256 == LabelSet(targets.astype(">f8")).sha256


def test_other_values_shapes_or_orders_have_other_identities() -> None:
    targets = np.random.RandomState(0).uniform(size=(4, 256)).astype(np.float32)
    changed = targets.copy()
    changed[3, 5] = np.nextafter(changed[3, 5], np.float32(2))
    sets = [targets, changed, targets[::-1], targets.reshape(4, 16, 16), targets.reshape(8, 128)]
    assert len({LabelSet(array).sha256 for array in sets}) == len(sets)


def test_a_label_may_name_its_identity_itself() -> None:
    assert LabelSet(np.eye(3), provenance={"identity": "audio:1234"}).identity == "audio:1234"


def test_a_notebook_shows_its_targets() -> None:
    shown = LabelSet(np.eye(12))._repr_html_()
    assert shown.count("data:image/png;base64,") == 10 and "12, 0 to 1, smooth-l1, the first 10 of 12 classes" in shown
