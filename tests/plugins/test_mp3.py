"""An MP3 stream is walked to its end, and a cut one is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from labelbench_labels.mp3 import count_frames


def encoded(rate: int = 24_000, channels: int = 1, mode: str = "VARIABLE") -> bytes:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)
    content = io.BytesIO()
    sound = np.repeat(tone[:, None], channels, axis=1)
    soundfile.write(content, sound, rate, format="MP3", bitrate_mode=mode, compression_level=0.9)
    return content.getvalue()


COUNTED = encoded(mode="VARIABLE")
UNCOUNTED = encoded(mode="CONSTANT")


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_every_version_and_rate_that_an_encoder_writes_is_walked_to_its_end(
    rate: int, channels: int, mode: str
) -> None:
    samples = 1152 if rate >= 32_000 else 576
    frames = count_frames(encoded(rate, channels, mode))
    assert rate / 2 <= frames * samples <= rate / 2 + 5 * samples


@given(st.integers(0, len(COUNTED) - 1))
def test_a_stream_that_counts_its_frames_is_refused_wherever_it_is_cut(length: int) -> None:
    with pytest.raises(ValueError, match=r"cut|no sound|expected"):
        count_frames(COUNTED[:length])


@given(st.integers(0, len(UNCOUNTED) - 1))
def test_a_stream_that_does_not_is_refused_unless_cut_between_frames(length: int) -> None:
    assert b"Xing" not in UNCOUNTED
    assert b"Info" not in UNCOUNTED
    whole = count_frames(UNCOUNTED)
    try:
        assert 0 < count_frames(UNCOUNTED[:length]) < whole
    except ValueError:
        return
    # Where a cut passes, one byte more or less does not.
    with pytest.raises(ValueError, match=r"cut|expected"):
        count_frames(UNCOUNTED[: length + 1])


def test_tags_around_the_stream_are_no_frames() -> None:
    before = b"ID3\x04\0\0\0\0\x01\x02" + bytes(130)
    after = b"TAG" + bytes(125)
    assert count_frames(before + COUNTED + after) == count_frames(COUNTED)


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut|no sound|expected"):
        count_frames(b"\0" + data)
