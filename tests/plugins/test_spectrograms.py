"""The way from a waveform to a spectrogram, and the shuffle in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from labelbench import InputError
from labelbench_labels.spectrograms import FLOOR_DB, SAMPLE_RATE, resized, shuffle_time, spectrogram


def tone(hertz: float, seconds: float = 0.5, rate: int = SAMPLE_RATE) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return np.rint(12_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


@pytest.mark.parametrize("side", [16, 64, 128])
def test_a_spectrogram_is_a_square_in_decibels_below_its_maximum(side: int) -> None:
    made = spectrogram(tone(440), SAMPLE_RATE, side)
    assert made.shape == (side, side)
    assert made.dtype == np.float64
    assert made.min() == -FLOOR_DB
    assert -30 < made.max() <= 0


def test_rows_are_frequency_from_low_to_high_and_columns_are_time() -> None:
    rising = spectrogram(np.concatenate([tone(300), tone(3000)]), SAMPLE_RATE, 64)
    loudest = rising.argmax(axis=0)
    assert set(loudest[:25]) == {loudest[0]}
    assert set(loudest[-25:]) == {loudest[-1]}
    assert loudest[0] < loudest[-1]


def test_bands_reach_to_8_kilohertz() -> None:
    assert spectrogram(tone(7900), SAMPLE_RATE, 64)[:, 32].argmax() == 63


def test_the_sampling_rate_of_the_file_does_not_matter() -> None:
    high = spectrogram(tone(1000, rate=44_100), 44_100, 64)
    low = spectrogram(tone(1000), SAMPLE_RATE, 64)
    np.testing.assert_array_equal(high[:, 32].argmax(), low[:, 32].argmax())
    inner = slice(8, -8)
    assert np.abs(high[:, inner] - low[:, inner])[low[:, inner] > -50].max() < 0.1


def test_silence_around_the_word_does_not_matter() -> None:
    silence = np.zeros(20 * 512, np.int16)
    word = np.concatenate([silence, tone(700), silence])
    longer = np.concatenate([silence, word, silence])
    np.testing.assert_array_equal(spectrogram(longer, SAMPLE_RATE, 64), spectrogram(word, SAMPLE_RATE, 64))


@pytest.mark.parametrize(
    ("samples", "said"),
    [(np.zeros(22_050, np.int16), "silent"), (tone(440, 0.05), "50 ms of sound; expected a spoken word, 93 ms")],
)
def test_what_holds_no_word_is_refused(samples: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        spectrogram(samples, SAMPLE_RATE, 64)


IMAGES = arrays.arrays(
    np.float64, st.tuples(st.integers(8, 70), st.integers(8, 70)), elements=st.floats(-80, 0, width=32)
)


@given(IMAGES, st.sampled_from([16, 32, 64]))
@settings(max_examples=30)
def test_a_resized_image_stays_within_the_range_of_the_image(image: np.ndarray, side: int) -> None:
    square = resized(image, side)
    assert square.shape == (side, side)
    assert image.min() <= square.min() <= square.max() <= image.max()


@given(arrays.arrays(np.float64, (32, 32), elements=st.floats(-80, 0)))
@settings(max_examples=20)
def test_an_image_that_has_the_size_stays_as_it_is(image: np.ndarray) -> None:
    np.testing.assert_array_equal(resized(image, 32), image)


@given(IMAGES, st.sampled_from([16, 48]))
@settings(max_examples=20)
def test_resizing_turns_and_mirrors_with_the_image(image: np.ndarray, side: int) -> None:
    np.testing.assert_allclose(resized(image[:, ::-1], side), resized(image, side)[:, ::-1], atol=1e-10)
    np.testing.assert_allclose(resized(image.T, side), resized(image, side).T, atol=1e-10)


@pytest.mark.parametrize("classes", [10, 100])
def test_shuffled_official_speech_is_the_official_shuffle_bit_for_bit(shared: Path, classes: int) -> None:
    folder = shared / "labels" / "official"
    speech = np.load(folder / f"cifar{classes}_speech.npy")
    expected = np.load(folder / f"cifar{classes}_shuffle.npy")
    shuffled = shuffle_time(speech)
    assert shuffled.dtype == expected.dtype
    assert shuffled.tobytes() == expected.tobytes()


@given(st.integers(1, 8), st.integers(1, 5), st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_shuffling_moves_whole_columns_and_leaves_no_class_in_order(
    classes: int, height: int, width: int, seed: int
) -> None:
    columns = np.broadcast_to(np.arange(width), (classes, height, width))
    for moved in shuffle_time(columns, seed):
        assert (moved == moved[0]).all()
        assert sorted(moved[0]) == list(range(width))
        assert list(moved[0]) != list(range(width))


@given(st.integers(2, 12), st.data())
def test_the_first_classes_are_shuffled_alike_whatever_follows(classes: int, data: st.DataObject) -> None:
    few = data.draw(st.integers(1, classes))
    images = np.arange(classes * 3 * 16, dtype=np.float32).reshape(classes, 3, 16)
    np.testing.assert_array_equal(shuffle_time(images)[:few], shuffle_time(images[:few]))
