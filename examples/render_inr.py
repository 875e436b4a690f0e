"""Render a network that hyperdemo generated, with nothing but NumPy.

python render_inr.py inr.safetensors view.png --azimuth 40 --elevation 20 --size 64
"""

import argparse
import json
import struct
import zlib

import numpy as np

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("inr")
parser.add_argument("picture")
parser.add_argument("--azimuth", type=float, default=40.0, help="degrees; 0 is the input view")
parser.add_argument("--elevation", type=float, default=20.0, help="degrees")
parser.add_argument("--size", type=int, default=64, help="pixels")
parser.add_argument("--samples", type=int, default=96, help="samples along each ray")
args = parser.parse_args()
size, samples = args.size, args.samples

# A safetensors file is the length of its header, the header in JSON, and the raw numbers.
with open(args.inr, "rb") as file:
    header = json.loads(file.read(*struct.unpack("<Q", file.read(8))))
    numbers = np.frombuffer(file.read(), "<f4")
about = json.loads(header.pop("__metadata__")["description"])
config, camera = about["field"], about["camera"]


def tensor(name):
    first, last = header[name]["data_offsets"]
    return numbers[first // 4 : last // 4].reshape(header[name]["shape"])


names = [f"layers.{k}." for k in range(config["depth"])]
layers = [(tensor(name + "weight"), tensor(name + "bias")) for name in names]
frequencies = np.pi * 2.0 ** np.linspace(0, config["max_log2_freq"], config["n_freqs"])


def field(points):
    """Density and colour at points [n, 3]: the generated network itself."""
    angles = (points[:, :, None] * frequencies).reshape(len(points), -1)
    x = np.concatenate([points, np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0) * np.float32(2**0.5)
    out = x @ layers[-1][0] + layers[-1][1]
    return config["density_scale"] * np.logaddexp(0, out[:, 0]), 0.5 + 0.5 * np.tanh(out[:, 1:] / 2)


# The camera looks at the origin, with y up; rays are integrated inside the unit sphere.
a, e = np.radians([args.azimuth, args.elevation])
back = np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
right = np.array([np.cos(a), 0, -np.sin(a)])
eye = camera["distance"] * back
slopes = ((np.arange(size) + 0.5) * 2 / size - 1) * np.tan(np.radians(camera["fov_deg"]) / 2)
image = np.empty((size, size, 3))
for row in range(size):
    rays = slopes[:, None] * right - slopes[row] * np.cross(back, right) - back
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    middle = -rays @ eye
    half = np.sqrt(np.maximum(1 - eye @ eye + middle**2, 0))[:, None]
    distances = middle[:, None] + half * ((np.arange(samples) + 0.5) * 2 / samples - 1)
    density, rgb = field((eye + rays[:, None] * distances[..., None]).reshape(-1, 3))
    optical = density.reshape(size, samples) * half * 2 / samples
    weights = np.exp(optical - optical.cumsum(axis=1)) * (1 - np.exp(-optical))
    colour = (weights[..., None] * rgb.reshape(size, samples, 3)).sum(axis=1)
    image[row] = colour + 1 - weights.sum(axis=1, keepdims=True)

with open(args.picture, "wb") as file:
    pixels = (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    shape = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n")
    for chunk in (b"IHDR" + shape, b"IDAT" + zlib.compress(rows), b"IEND"):
        file.write(struct.pack(">I", len(chunk) - 4) + chunk)
        file.write(struct.pack(">I", zlib.crc32(chunk)))
