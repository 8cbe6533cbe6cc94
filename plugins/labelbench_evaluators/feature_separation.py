"""How well classes are told apart by the features of a network: numbers, and a picture of them."""

from __future__ import annotations

import warnings

import numpy as np

from labelbench import Network

_BATCH = 500
_Z = 1.959964


def features_of(network: Network, pixels: np.ndarray) -> np.ndarray:
    """Features of images, before the head.

    Args:
        network: in eval mode, on any device.
        pixels: ``(n, height, width, 3)`` uint8.

    Returns:
        ``(n, num_features)`` float32.
    """
    import torch

    found = []
    with torch.no_grad():
        for start in range(0, len(pixels), _BATCH):
            images = torch.from_numpy(np.array(pixels[start : start + _BATCH])).to(network.mean.device)
            found.append(network.features(network.pixels(images)).float().cpu().numpy())
    return np.concatenate(found)


def neighbours_agree(features: np.ndarray, classes: np.ndarray, neighbours: int) -> np.ndarray:
    """Whether most of an image's nearest others are of its class, by Euclidean distance: leave-one-out k-NN.

    Where several classes have most votes, that of the nearest neighbour among them counts.

    Args:
        features: ``(n, num_features)``, n 2 or more.
        classes: ``(n,)`` from 0.
        neighbours: votes; at most n - 1 are used.

    Returns:
        ``(n,)`` bool.
    """
    from sklearn.neighbors import NearestNeighbors

    # Asked for no point, it gives the neighbours of each of its own without the point itself.
    search = NearestNeighbors(n_neighbors=min(neighbours, len(features) - 1), algorithm="brute").fit(features)
    voting = classes[search.kneighbors(return_distance=False)]
    votes = np.zeros((len(features), int(classes.max()) + 1), dtype=np.int64)
    np.add.at(votes, (np.arange(len(features))[:, None], voting), 1)
    most = np.take_along_axis(votes, voting, axis=1) == votes.max(axis=1, keepdims=True)
    winners = voting[np.arange(len(features)), most.argmax(axis=1)]
    return np.asarray(winners == classes)


def silhouettes(features: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Silhouette of each image (Rousseeuw 1987): ``(b - a) / max(a, b)``, -1 to 1, 0 for a class of one image.

    a is its mean Euclidean distance to the others of its class, b that to the class nearest to it.

    Args:
        features: ``(n, num_features)``.
        classes: ``(n,)``, of 2 to n - 1 classes.

    Returns:
        ``(n,)`` float64.
    """
    from sklearn.metrics import silhouette_samples

    return np.asarray(silhouette_samples(features.astype(np.float64), classes), dtype=np.float64)


def separation(features: np.ndarray, classes: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Share of the features' total variance that lies between classes, with its 95 % interval.

    ``1 - W / T``: W is the sum of squared distances of images to the mean of their class, T to the mean of all (the
    traces of within-class and total scatter). 1 if each class is a point, about ``(classes - 1) / (n - 1)`` if classes
    say nothing. The interval is the jackknife's over images, in closed form: without an image of a class of m, W loses
    ``m / (m - 1)`` of its squared distance to the class's mean, T ``n / (n - 1)`` of that to the mean of all.

    Args:
        features: ``(n, num_features)``, not all equal, n 3 or more.
        classes: ``(n,)``.
    """
    values = features.astype(np.float64)
    values = values - values.mean(axis=0)
    _, index, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, index, values)
    to_class = ((values - (sums / sizes[:, None])[index]) ** 2).sum(axis=1)
    to_all = (values**2).sum(axis=1)
    within, total, count = to_class.sum(), to_all.sum(), len(values)
    share = 1 - within / total
    size = sizes[index]
    left_within = within - to_class * size / np.maximum(size - 1, 1)
    left_total = np.maximum(total - to_all * count / (count - 1), np.finfo(np.float64).tiny)
    left = 1 - left_within / left_total
    error = float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
    return float(share), interval(float(share), error, 0.0)


def interval(mean: float, error: float, least: float) -> tuple[float, float]:
    """95 % interval of a mean with this standard error, within ``least`` and 1."""
    return max(least, mean - _Z * error), min(1.0, mean + _Z * error)


def tsne(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Places in a plane that keep neighbours (van der Maaten and Hinton 2008), from the first principal components.

    Args:
        features: ``(n, num_features)``, not all equal, n 4 or more.
        perplexity: about how many neighbours count; a third of the images at most is used.
        seed: equal seeds and features give equal places, whatever the number of threads.

    Returns:
        ``(n, 2)`` float32.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    perplexity = min(perplexity, (len(features) - 1) / 3)
    with warnings.catch_warnings():
        # Without variance along the second component the places start on a line, which is fine.
        warnings.simplefilter("ignore", RuntimeWarning)
        # With several threads, sums over points depend on how they are shared out.
        with threadpool_limits(1):
            model = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed, n_jobs=1)
            return np.asarray(model.fit_transform(features), dtype=np.float32)
