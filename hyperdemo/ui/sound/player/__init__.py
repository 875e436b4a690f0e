"""The player of sounds: tracks of one length on one clock, of which one is heard at a time.

Gradio's own player would stream AAC, peak-normalise, and know one track. This one is a `gr.HTML`
whose value names 16-bit WAV files in Gradio's cache; `player.js` plays them through Web Audio.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.ui.sound.stream import Playlist
from hyperdemo.ui.style import SHARED_JS

_ASSETS = Path(__file__).parent


def sound_player(labels: Mapping[str, str]) -> gr.HTML:
    """The player with nothing to play yet.

    Args:
        labels: key and shown name of each track, in the order of the buttons.
    """
    html, css, js = (
        (_ASSETS / f"player.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    return gr.HTML(
        empty_value(labels), html_template=html, css_template=css, js_on_load=f"{SHARED_JS}\n{js}",
        apply_default_css=False, elem_id="sound-player",
    )  # fmt: skip


def empty_value(labels: Mapping[str, str]) -> dict[str, Any]:
    """Tracks by name, and no sound: what the player shows before the first run."""
    tracks = [{"key": key, "label": label, "pieces": []} for key, label in labels.items()]
    return {"run": "", "rate_hz": 16_000, "n_samples": 0, "complete": True, "tracks": tracks}


def player_value(
    playlist: Playlist, labels: Mapping[str, str], *, run: str, cached: Callable[[Path], str]
) -> dict[str, Any]:
    """All that can be played so far; it stands for itself, whichever updates a page has missed.

    Args:
        playlist: the WAV files of each track.
        labels: as for `sound_player`; a track without files yet is empty.
        run: tells one run from the next; the player begins anew where it changes.
        cached: where in Gradio's cache a file lies, which is then served from there.
    """
    tracks = [
        {
            "key": key,
            "label": label,
            "pieces": [
                # Gradio adds the address to whatever is marked as a file.
                {
                    "start": piece.start,
                    "file": {"path": cached(piece.path), "meta": {"_type": "gradio.FileData"}},
                }
                for piece in playlist.tracks.get(key, ())
            ],
        }
        for key, label in labels.items()
    ]
    return {
        "run": run,
        "rate_hz": playlist.rate_hz,
        "n_samples": playlist.n_samples,
        "complete": playlist.complete,
        "tracks": tracks,
    }
