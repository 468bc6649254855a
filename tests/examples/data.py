"""Small data sets in the formats that the examples read, written by hand."""

import gzip

import numpy as np

CIFAR_10 = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]


def write_idx(path, array):
    """Write bytes as the IDX format has them."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_records(path, labels, pixels):
    """Write a file of CIFAR-10's binary version."""
    records = np.hstack([np.reshape(labels, (-1, 1)), pixels]).astype(np.uint8)
    path.write_bytes(records.tobytes())


def write_cifar_10(folder):
    """Write eight images a file, in all four or more of every class to learn."""
    rng = np.random.default_rng(0)
    for name in CIFAR_10:
        labels = np.arange(8) + (2 if name[-1] in "24" else 0)
        write_records(folder / f"{name}.bin", labels, rng.integers(256, size=(8, 3072)))
    return folder


def write_imagenet(folder, **numbers):
    """Write so many pictures of each of two classes into each part's folder."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, number in numbers.items():
        for name in ("n01", "n02"):
            (folder / part / name).mkdir(parents=True)
            for k in range(number):
                pixels = rng.integers(256, size=(260 + 40 * k, 300, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{k}.JPEG")
    return folder
