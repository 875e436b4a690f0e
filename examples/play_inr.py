"""Play networks that hyperdemo generated for a sound, with nothing but NumPy.

python play_inr.py inr.safetensors out.wav --rate 44100
"""

import argparse
import json
import struct
import wave

import numpy as np

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("inr")
parser.add_argument("sound")
parser.add_argument("--rate", type=int, help="samples a second; that of the clip by default")
args = parser.parse_args()

# A safetensors file is the length of its header, the header in JSON, and the raw numbers.
with open(args.inr, "rb") as file:
    header = json.loads(file.read(*struct.unpack("<Q", file.read(8))))
    numbers = np.frombuffer(file.read(), "<f4")
about = json.loads(header.pop("__metadata__")["description"])
config, training_rate = about["field"], about["training_rate_hz"]
rate = args.rate or about["rate_hz"]
stretch, overlap = config["stretch"], config["overlap"]


def tensor(name):
    first, last = header[name]["data_offsets"]
    return numbers[first // 4 : last // 4].reshape(header[name]["shape"])


gains = tensor("gains")
names = [f"layers.{k}." for k in range(config["depth"])]
layers = [[tensor(name + part) for part in ("base", "bias", "masks")] for name in names]
low, high = config["min_freq_hz"], config["max_freq_hz"]
space = np.geomspace if config["spacing"] == "log" else np.linspace
frequencies = space(low, high, config["n_freqs"])


def network(k, seconds):
    """Amplitudes at times [t] from the middle of stretch k: a generated network itself."""
    angles = 2 * np.pi * seconds[:, None] * frequencies
    share = 2 * seconds[:, None] * training_rate / stretch
    x = np.concatenate([share, np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
    for layer, (base, bias, masks) in enumerate(layers):
        if layer:
            x = np.maximum(x, 0) * np.float32(2**0.5)
        weight = base * np.repeat(masks[k], base.shape[1] // masks.shape[2], axis=1)
        if about["unit_output"] or layer < len(layers) - 1:
            weight = weight / np.maximum(np.linalg.norm(weight, axis=0), 1e-12)
        x = x @ weight + bias
    return config["scale"] * gains[k] * x[:, 0]


# Network k starts at the sample k·hop of the training rate; -(-a // b) rounds up, without error.
hop = stretch - overlap
sound = np.zeros(-(-about["n_samples"] * rate // about["rate_hz"]))
for k in range(len(gains)):
    first = -(-k * hop * rate // training_rate)
    end = min(len(sound), -(-(k * hop + stretch) * rate // training_rate))
    elapsed = (np.arange(first, end) * training_rate - k * hop * rate) / rate  # training samples
    weight = np.ones(len(elapsed))
    if overlap and k:
        weight -= 0.5 + 0.5 * np.cos(np.pi * np.clip(elapsed / overlap, 0, 1))
    if overlap and k + 1 < len(gains):
        weight *= 0.5 + 0.5 * np.cos(np.pi * np.clip((elapsed - hop) / overlap, 0, 1))
    sound[first:end] += weight * network(k, (elapsed - stretch / 2) / training_rate)

with wave.open(args.sound, "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(rate)
    file.writeframes(np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2").tobytes())
