"""What programs call, over HTTP and as MCP tools: two functions whose names and results stay.

Gradio reads their signatures and docstrings, and shows them to whoever calls: hence type hints that
are evaluated here, and limits in them.
"""

import functools
import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import gradio as gr
from gradio.data_classes import FileData
from pydantic import Field, ValidationError, validate_call

from hyperdemo.config import MAX_RATE_HZ, MIN_RATE_HZ, SoundRequest, ViewRequest
from hyperdemo.events import Event, Progress
from hyperdemo.media import decode_image
from hyperdemo.media.audio import decode_audio
from hyperdemo.pipeline import SoundPipeline, ViewPipeline
from hyperdemo.preprocess.sound import prepare_sound
from hyperdemo.results import SoundWriter, ViewWriter
from hyperdemo.results.files import zip_network
from hyperdemo.ui.errors import streamed_in_plain_words
from hyperdemo.ui.uploads import NO_UPLOAD, uploaded

Models = Literal["both", "foundation", "scratch"]
Answer = dict[str, Any]
OBJECT_FILES = {"orbit": "orbit.mp4", "mesh": "mesh.glb", "network": "network.zip"}
SOUND_FILES = {"sound": "resynthesis.wav", "network": "network.zip"}


def offer_api(
    pipeline: ViewPipeline, sound: SoundPipeline | None, *, compute: Mapping[str, Any]
) -> None:
    """Add both functions to the page that is open; that of sound where there are models for it.

    Args:
        pipeline, sound: the loaded models.
        compute: `concurrency_id` and `concurrency_limit` of events that run models.
    """
    gr.api(_object_function(pipeline), api_name="photo_to_object", **compute)
    if sound is not None:
        gr.api(_sound_function(sound), api_name="sound_to_network", **compute)


def _endpoint(function: Callable[..., Iterator[Answer]]) -> Callable[..., Iterator[Answer]]:
    """Check the arguments by their hints, word what is wrong, and tell callers what comes last."""
    checked, signature = validate_call(function), inspect.signature(function)

    @streamed_in_plain_words
    @functools.wraps(function)
    def endpoint(*args, **kwargs) -> Iterator[Answer]:
        try:
            given = signature.bind(*args, **kwargs).arguments
            updates = checked(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        yield from updates

    # Callers are shown what a value is; one that is left out, or null, is its default.
    parameters = [p.replace(annotation=_some(p.annotation)) for p in signature.parameters.values()]
    endpoint.__signature__ = inspect.Signature(parameters, return_annotation=Answer)
    endpoint.__annotations__ = {p.name: p.annotation for p in parameters}
    return endpoint


def _some(hint: Any) -> Any:
    """A type hint without its None."""
    return get_args(hint)[0] if type(None) in get_args(hint) else hint


def _object_function(pipeline: ViewPipeline) -> Callable[..., Iterator[Answer]]:
    @_endpoint
    def photo_to_object(
        image: FileData,
        mask: FileData | None = None,
        size: Annotated[int, Field(ge=16, le=512, multiple_of=2)] = 256,
        seconds: Annotated[float, Field(ge=0.1, le=10)] = 4.0,
        elevation: Annotated[float, Field(ge=-89, le=89)] = 20.0,
        sharpen: Annotated[int, Field(ge=0, le=100)] = 0,
        models: Models = "both",
    ) -> Iterator[Answer]:
        """Turn a photo of one object into neural networks that are its 3D shape and colour.

        A pretrained model ("foundation") and the same architecture trained from scratch
        ("scratch") each write the weights of a small radiance field; what these hold is rendered.

        Args:
            image: the photo, of one object.
            mask: picture of the photo's size, white where the object is; found if not given.
            size: side of the video in pixels, even, from 16 to 512.
            seconds: length of the video, one turn, up to 10.
            elevation: height of the camera above the horizon in degrees, from -89 to 89.
            sharpen: steps of fine-tuning on the photo before rendering, from 0 (none) to 100.
            models: both, foundation or scratch.

        Returns:
            "result": seconds of each stage, device, checkpoints
            "files": of each model, its "orbit" (MP4), "mesh" (GLB or null) and "network" (ZIP)
        """
        request = ViewRequest(
            size=size, n_frames=round(seconds * ViewRequest.fps), elevation_deg=elevation,
            refine_steps=sharpen,
        )  # fmt: skip
        rgba = decode_image(_uploaded(image))
        painted = None if mask is None else decode_image(_uploaded(mask))[..., 0]
        prepared = pipeline.prepare(rgba, mask=painted)
        with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
            with ViewWriter(Path(folder), pipeline, request=request) as writer:
                events = pipeline.view(prepared, request, names=_names(models))
                yield from _taken(events, writer)
                source = prepared.mask_source
                path = writer.finish(photo=Path(_name_of(image)), mask_source=source)
            yield _answer(path, OBJECT_FILES)

    return photo_to_object


def _sound_function(pipeline: SoundPipeline) -> Callable[..., Iterator[Answer]]:
    @_endpoint
    def sound_to_network(
        clip: FileData,
        rate: Annotated[int, Field(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)] | None = None,
        models: Models = "both",
    ) -> Iterator[Answer]:
        """Turn a sound into neural networks that are its waveform, one for every 30 ms.

        A pretrained model ("foundation") and the same architecture trained from scratch
        ("scratch") each write the networks; evaluated at every moment, they give the sound back.

        Args:
            clip: the sound, or a video; its first 60 seconds are used.
            rate: samples per second of the answer, 8000 to 192000; the clip's own if not given.
            models: both, foundation or scratch.

        Returns:
            "result": scores against the clip, seconds of each stage, device, checkpoints
            "files": of each model, its "sound" (WAV) and "network" (ZIP)
        """
        request = SoundRequest(rate_hz=rate)
        prepared = prepare_sound(decode_audio(_uploaded(clip)))
        with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
            writer = SoundWriter(Path(folder), pipeline, request=request, prepared=prepared)
            yield from _taken(pipeline.listen(prepared, request, names=_names(models)), writer)
            yield _answer(writer.finish(clip=Path(_name_of(clip))), SOUND_FILES)

    return sound_to_network


def _taken(events: Iterator[Event], writer: ViewWriter | SoundWriter) -> Iterator[Answer]:
    """Hand events to the writer, and how far the work is to the caller, in both of Gradio's ways:
    as an update, which all clients see, and as a status, which MCP passes on."""
    told = gr.Progress()
    for event in events:
        writer.take(event)
        if isinstance(event, Progress):
            told((round(100 * event.fraction), 100), desc=event.message, unit="%")
            yield {"progress": round(event.fraction, 3), "message": event.message}


def _answer(path: Path, wanted: Mapping[str, str]) -> Answer:
    """What `result.json` holds, and the files beside it, which Gradio copies before it goes on."""
    result = json.loads(path.read_text())
    files: dict[str, dict[str, Any]] = {}
    for name in result["models"]:
        folder = path.parent / name
        zip_network(folder)
        files[name] = {
            key: FileData(path=str(folder / file), orig_name=f"{name}-{file}").model_dump()
            if (folder / file).is_file()
            else None
            for key, file in wanted.items()
        }
    return {"result": result, "files": files}


def _uploaded(file: FileData) -> Path:
    """The path of what was uploaded, or fetched by Gradio from an address; of nothing else.

    Raises:
        ValueError: a path of the caller's own making.
    """
    path = uploaded(file.path)
    if not path.is_file():
        raise ValueError(NO_UPLOAD)
    return path


def _name_of(file: FileData) -> str:
    return Path(file.orig_name or file.path).name


def _names(models: Models) -> tuple[str, ...] | None:
    return None if models == "both" else (models,)
