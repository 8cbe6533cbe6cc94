"""Whether an MP3 stream is whole: decoders play a cut one without a word."""

from __future__ import annotations

# Kilobits per second by bitrate index 1 to 14, of layer III: MPEG 1, and MPEG 2 and 2.5 (ISO 11172-3, 13818-3).
_KILOBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# Samples per second by version bits and index.
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_HEADER = 4  # bytes, the first of them this:
_SYNC = 0xFF
_VERSION_1 = 3
_MONO = 3


def count_frames(data: bytes) -> int:
    """Walk an MP3 stream from frame to frame.

    A cut is seen if it goes through a frame, or if the first frame counts the others (Xing or Info header).

    Args:
        data: layer III frames, perhaps with an ID3v2 tag before and an ID3v1 tag after them.

    Returns:
        Number of frames.

    Raises:
        ValueError: the stream holds no frame, something else between frames, a last frame that is cut, or fewer
            frames than its Xing or Info header counts.
    """
    start, end = _without_tags(data)
    position, frames, promised = start, 0, 0
    while position < end:
        if end - position < _HEADER and data[position] == _SYNC:
            raise ValueError(f"it is cut: a frame begins at byte {position} and ends at byte {end}")
        length = _frame_length(data[position : position + _HEADER])
        if length is None:
            kind = "MP3 data" if frames == 0 else "an MP3 frame"
            raise ValueError(f"expected {kind} at byte {position} of {len(data)}")
        if position + length > end:
            raise ValueError(f"it is cut: a frame at byte {position} needs {length} bytes, {end - position} came")
        if frames == 0:
            promised = _promised_frames(data[position : position + length])
        position += length
        frames += 1
    if frames == 0:
        raise ValueError("it holds no sound")
    # The frame that carries the count is not part of it.
    if promised and frames - 1 < promised:
        raise ValueError(f"it is cut: {promised} frames are announced, {frames - 1} came")
    return frames


def _without_tags(data: bytes) -> tuple[int, int]:
    start, end = 0, len(data)
    if data[:3] == b"ID3" and end >= 10:
        size = 0
        for byte in data[6:10]:
            size = size << 7 | byte & 0x7F
        start = 10 + size
    if end >= 128 and data[end - 128 : end - 125] == b"TAG":
        end -= 128
    return start, end


def _frame_length(header: bytes) -> int | None:
    """Bytes of the frame that begins with these four, or None if none does."""
    if len(header) < _HEADER or header[0] != _SYNC or header[1] & 0xE6 != 0xE2:
        return None
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version not in _RATES or bitrate in (0, 15) or rate == 3:
        return None
    kilobits = _KILOBITS_1 if version == _VERSION_1 else _KILOBITS_2
    samples = 1152 if version == _VERSION_1 else 576
    return samples // 8 * kilobits[bitrate - 1] * 1000 // _RATES[version][rate] + (header[2] >> 1 & 1)


def _promised_frames(frame: bytes) -> int:
    """How many frames follow by the Xing or Info header in the first one; 0 if it carries none."""
    first_version, mono = frame[1] >> 3 & 3 == _VERSION_1, frame[3] >> 6 == _MONO
    side_information = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
    offset = 4 + side_information[first_version, mono] + (0 if frame[1] & 1 else 2)
    counted = frame[offset : offset + 4] in (b"Xing", b"Info") and frame[offset + 7] & 1
    return int.from_bytes(frame[offset + 8 : offset + 12], "big") if counted else 0
