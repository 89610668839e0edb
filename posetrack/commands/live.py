"""`posetrack live`: a camera, a stream or the browser's own camera, tracked as it happens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from posetrack.commands import options
from posetrack.commands.options import complain
from posetrack.errors import PoseTrackError

if TYPE_CHECKING:
    from posetrack.live.hub import Hub
    from posetrack.live.serve import Address
    from posetrack.pipeline import PoseTracker
    from posetrack.sinks import Sink
    from posetrack.video import CameraSource


def live(
    source: Annotated[str | None, "camera number or name, stream address or file; default: camera 0"] = None,
    *,
    list: Annotated[bool, "list the cameras of this machine, and end"] = False,
    serve: Annotated[bool, "a web page: visitors' own cameras and, where given, the source"] = False,
    host: Annotated[
        str, "address to listen on; everywhere but on this machine a token is needed"
    ] = "127.0.0.1",
    port: Annotated[int, "port of the page; 0 takes any free one"] = 8000,
    token: Annotated[str | None, "access token; default: none on this machine, else a new one"] = None,
    tls_cert: Annotated[Path | None, "certificate for https (PEM)"] = None,
    tls_key: Annotated[Path | None, "its key (PEM)"] = None,
    max_clients: Annotated[int, "visitors and subscribers at once"] = 8,
    record: Annotated[Path | None, "folder for recordings: at once, with --serve when somebody asks"] = None,
    json: Annotated[bool, "joints as JSON lines on standard output"] = False,
    udp: Annotated[str | None, "joints as JSON datagrams to HOST:PORT"] = None,
    osc: Annotated[str | None, "joints as OSC messages to HOST:PORT"] = None,
    window: Annotated[bool, "show no window"] = True,
    reconnect: Annotated[str, "a lost source is looked for: forever, never, or so many times"] = "forever",
    detect_every: Annotated[str, "frames from one detection to the next, or auto: as time allows"] = "auto",
    preset: options.PresetName = "light",
    device: options.Device = "auto",
    weights: options.Weights = None,
    detector: options.Detector = None,
    flow: options.Flow = None,
    flow_scale: options.FlowScale = None,
    tracker: options.Tracker = None,
    trails: options.Trails = False,
    draw_boxes: options.DrawBoxes = False,
) -> int:
    """Track people as it happens: a window, or a web page with --serve.

    Joints go to other programs by --json, --udp and --osc; with --serve and a source also by the WebSocket
    /joints and the annotated MJPEG /stream.mjpg.
    """
    if list:
        return _list()
    every, tries = _detect_every(detect_every), _reconnect(reconnect)
    outputs = Outputs.of(json, udp, osc, record)
    load = partial(
        options.load_tracker, device=device, weights=weights, detector=detector,
        flow=flow, flow_scale=flow_scale, tracker=tracker,
    )  # fmt: skip
    if serve:
        address = _address(host, port, token, tls_cert, tls_key)
        changed = any(part is not None for part in (weights, detector))  # parts that fit one preset alone
        presets = [preset] if changed else _presets(preset)
        hub = _hub(load, preset, presets, every, max_clients, record, trails, draw_boxes)
        return _serve(address, hub, source, tries, outputs)
    show = window and _can_show(outputs)
    return _play(source or "0", tries, partial(load, preset), every, outputs, show, trails, draw_boxes)


@dataclass(frozen=True)
class Outputs:
    """Where tracks go besides the screen."""

    json: bool
    udp: tuple[str, int] | None
    osc: tuple[str, int] | None
    record: Path | None

    @staticmethod
    def of(json: bool, udp: str | None, osc: str | None, record: Path | None) -> Outputs:
        from posetrack.live.publishers import parse_address

        if record is not None:
            options.make_folder(record)
        to_udp = parse_address(udp, "--udp") if udp is not None else None
        to_osc = parse_address(osc, "--osc") if osc is not None else None
        return Outputs(json, to_udp, to_osc, record)

    def __bool__(self) -> bool:
        return self.json or any(part is not None for part in (self.udp, self.osc, self.record))

    def sinks(self, camera: CameraSource, tracker: PoseTracker) -> list[Sink]:
        """Those for other programs."""
        from posetrack.commands.track import header_of
        from posetrack.live.publishers import JsonLinesSink, OscSink, UdpSink

        found: list[Sink] = []
        if self.json:
            found.append(JsonLinesSink(sys.stdout, header_of(camera, tracker)))
        if self.udp is not None:
            found.append(UdpSink(*self.udp))
        if self.osc is not None:
            found.append(OscSink(*self.osc, min_joint_score=tracker.min_joint_score))
        return found


def _play(
    source: str, tries: int | None, load: Callable[[], PoseTracker], every: int | None, outputs: Outputs,
    show: bool, trails: bool, boxes: bool,
) -> int:  # fmt: skip
    """In a window or without; ends with the source, or when somebody closes the window."""
    from posetrack.live.play import play
    from posetrack.live.recorder import Recorder
    from posetrack.live.session import Session
    from posetrack.live.window import WindowSink
    from posetrack.video import CameraSource

    with ExitStack() as stack:
        camera = stack.enter_context(CameraSource(source, reconnect=tries))
        tracker = load()
        sinks = [stack.enter_context(sink) for sink in outputs.sinks(camera, tracker)]
        recorder = window = None
        if outputs.record is not None:
            recorder = stack.enter_context(Recorder(outputs.record, camera.stem, trails=trails, boxes=boxes))
            recorder.start(tracker)
            sinks.append(recorder)
        if show:
            window = stack.enter_context(WindowSink(camera, tracker, recorder, trails=trails, boxes=boxes))
            sinks.append(window)
        summary = play(camera, Session(tracker, every), sinks, window)
    print(f"{camera.name}: {summary}, {camera.dropped} dropped", file=sys.stderr)
    if recorder is not None:
        print(*recorder.made.values(), sep="\n", file=sys.stderr)
    return _complain_of(camera, sinks)


def _complain_of(camera: CameraSource, sinks: Sequence[Sink]) -> int:
    """Name what was not as it should be; the exit code."""
    warnings = [*camera.warnings, *(warning for sink in sinks for warning in sink.warnings)]
    for warning in warnings:
        complain(warning)
    return options.SOME_FAILED if warnings else options.DONE


def _serve(address: Address, hub: Hub, source: str | None, tries: int | None, outputs: Outputs) -> int:
    """The page, until somebody ends it."""
    from posetrack.live.room import Room
    from posetrack.live.serve import serve
    from posetrack.video import CameraSource

    if source is None:
        serve(hub, address)
        return options.DONE
    with ExitStack() as stack:
        camera = stack.enter_context(CameraSource(source, reconnect=tries))
        system = hub.system(hub.preset)
        sinks = [stack.enter_context(sink) for sink in outputs.sinks(camera, system)]
        serve(hub, address, Room(camera, hub, sinks))
    return _complain_of(camera, sinks)


def _hub(
    load: Callable[[str], PoseTracker], preset: str, presets: Sequence[str], every: int | None,
    max_clients: int, record: Path | None, trails: bool, boxes: bool,
) -> Hub:  # fmt: skip
    from posetrack.live.hub import Hub

    if max_clients < 1:
        raise PoseTrackError(f"--max-clients {max_clients}: give 1 or more")
    return Hub(load, preset, presets, every, max_clients, record, trails, boxes)


def _presets(preset: str) -> list[str]:
    """The presets that visitors may choose: those whose weights are here."""
    from posetrack import zoo
    from posetrack.presets import PRESETS, weights_of

    def here(name: str) -> bool:
        try:
            return all(zoo.weights(weight) for weight in weights_of(name))
        except PoseTrackError:
            return False

    return [name for name in PRESETS if name == preset or here(name)]


def _address(host: str, port: int, token: str | None, tls_cert: Path | None, tls_key: Path | None) -> Address:
    from posetrack.live.serve import Address

    return Address(host, port, token, tls_cert, tls_key)


def _can_show(outputs: Outputs) -> bool:
    """Whether there will be a window. Raises PoseTrackError where nothing would come of the run."""
    from posetrack.live.display import why_no_window

    why = why_no_window()
    if why is not None and not outputs:
        raise PoseTrackError(
            f"no window: {why}. Watch in a browser with --serve, or give --json, --udp, --osc or --record"
        )
    return why is None


def _list() -> int:
    from posetrack.video.devices import list_cameras

    for camera in (cameras := list_cameras()):
        print(camera)
    if not cameras:
        where = (
            "no camera is connected" if sys.platform == "linux" else "only Linux lists cameras: try 0, 1, 2"
        )
        print(where, file=sys.stderr)
    return options.DONE


def _detect_every(words: str) -> int | None:
    if words == "auto":
        return None
    if words.isdecimal() and int(words) >= 1:
        return int(words)
    raise PoseTrackError(f"--detect-every {words}: give a number from 1 up, or auto")


def _reconnect(words: str) -> int | None:
    if words in ("forever", "never"):
        return None if words == "forever" else 0
    if words.isdecimal():
        return int(words)
    raise PoseTrackError(f"--reconnect {words}: give forever, never, or a number")
