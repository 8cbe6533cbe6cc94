"""From a recording to the paper's mel spectrogram, and its shuffled twin."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from labelbench import InputError

# Part of a speech label's identity: raise it with every change that alters spectrograms.
PIPELINE_VERSION = 1
SAMPLE_RATE = 22_050
TRIM_DB = 60
WINDOW = 2048
HOP = 256
MELS = 64
HIGHEST_HZ = 8000
FLOOR_DB = 80.0
SHUFFLE_SEED = 8
# What the version stands for, for the record.
PIPELINE = MappingProxyType(
    {
        "version": PIPELINE_VERSION,
        "sample_rate": SAMPLE_RATE,
        "resampling": "soxr_hq",
        "trim_db": TRIM_DB,
        "window": WINDOW,
        "hop": HOP,
        "mels": MELS,
        "fmax": HIGHEST_HZ,
        "pad_mode": "reflect",
        "floor_db": -FLOOR_DB,
    }
)


def spectrogram(samples: np.ndarray, rate: int, side: int) -> np.ndarray:
    """Mel spectrogram of one recording in decibels below its maximum, as a square (paper, section 3.1).

    The authors' notebook with librosa: 22,050 Hz, silence below -60 dB cut off both ends, mel spectrogram (64 bands to
    8 kHz, window 2048, hop 256, edges reflected), decibels below the maximum with a floor at -80, resized. Computed
    in float64, so that values near the floor hardly depend on the machine.

    Args:
        samples: ``(n,)`` int16, mono.
        rate: samples per second.
        side: of the result.

    Returns:
        ``(side, side)`` float64, -80 to 0; rows are mel bands from low to high, columns are time.

    Raises:
        InputError: silence, or too little sound for one window.
    """
    import librosa

    waveform = samples.astype(np.float64) / 32768
    if not waveform.any():
        raise InputError("it is silent; expected a spoken word")
    waveform = librosa.resample(waveform, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    waveform, _ = librosa.effects.trim(waveform, top_db=TRIM_DB)
    if len(waveform) < WINDOW:
        milliseconds = 1000 * len(waveform) / SAMPLE_RATE
        raise InputError(f"it holds {milliseconds:.0f} ms of sound; expected a spoken word, 93 ms or more")
    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=SAMPLE_RATE,
        n_fft=WINDOW,
        hop_length=HOP,
        n_mels=MELS,
        fmax=HIGHEST_HZ,
        pad_mode="reflect",
        dtype=np.float64,
    )
    return resized(librosa.power_to_db(power, ref=np.max, top_db=FLOOR_DB), side)


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """An image as a square, smoothed where it shrinks: what ``skimage.transform.resize`` does by default.

    Args:
        image: ``(height, width)`` floating point.
        side: of the result.

    Returns:
        ``(side, side)``, within the range of ``image``.
    """
    from scipy import ndimage

    factors = np.array(image.shape) / side
    smooth = ndimage.gaussian_filter(image, sigma=np.maximum(0, (factors - 1) / 2), mode="mirror")
    square = ndimage.zoom(smooth, 1 / factors, order=1, mode="mirror", grid_mode=True)
    return np.asarray(np.clip(square, image.min(), image.max()))


def shuffle_time(spectrograms: np.ndarray, seed: int = SHUFFLE_SEED) -> np.ndarray:
    """Spectrograms with their columns in another order, one order per class (paper, section 3.1).

    One stream ``RandomState(seed)`` shuffles ``arange(width)`` for the classes in turn, again while that changes
    nothing: with seed 8 the official ``shuffle`` arrays are this function of the official ``speech`` arrays.

    Args:
        spectrograms: ``(classes, height, width)``, width 2 or more; time along the last axis.
        seed: 0 to 2**32 - 1.

    Returns:
        Same shape and dtype.
    """
    stream = np.random.RandomState(seed)
    shuffled = np.empty_like(spectrograms)
    in_order = np.arange(spectrograms.shape[2])
    for target, given in zip(shuffled, spectrograms, strict=True):
        order = in_order.copy()
        while (order == in_order).all():
            order = in_order.copy()
            stream.shuffle(order)
        target[:] = given[:, order]
    return shuffled
