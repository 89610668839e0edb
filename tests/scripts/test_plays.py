"""What is filmed: views that the square covers, crowds as large as asked for, a clip with its truth."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from posetrack.errors import PoseTrackError
from scripts.render import film as module
from scripts.render.bodies import Library
from scripts.render.cast import Performance, Role, smooth_way
from scripts.render.plays import DEMO, PLAYS, Hand, Play, crowd

CROWDS = {kind: crowd(7, 20, (480, 270), seed=5, kind=kind) for kind in ("street", "games")}  # type: ignore[arg-type]


@pytest.mark.parametrize("play", [DEMO, *PLAYS.values(), *CROWDS.values()])
def test_the_wide_picture_holds_every_view(play: Play) -> None:
    width, height = play.wide.size
    right, bottom = play.size[0] - 1, play.size[1] - 1
    corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], float)
    for frame in range(0, play.frames, 10):
        camera = play.camera(frame)
        seen = play.wide.project(np.array(camera.position) + camera.rays(corners))[:, :2]
        assert (seen >= 0).all()
        assert (seen <= [width - 1, height - 1]).all()


def test_everybody_of_a_street_walks_and_every_second_one_of_games_does_not() -> None:
    assert [type(p) for p in CROWDS["street"].people] == [Role] * 7
    assert [type(p) for p in CROWDS["games"].people] == [Role, Performance] * 3 + [Role]
    assert CROWDS["street"].frames == 600
    assert crowd(7, 20, (480, 270), seed=5) == CROWDS["street"]
    assert crowd(7, 20, (480, 270), seed=6) != CROWDS["street"]


def test_ways_are_long_enough_to_walk_to_the_end() -> None:
    for role in CROWDS["street"].people:
        assert isinstance(role, Role)
        assert 0.02 * len(smooth_way(role.way)) >= 2 * 20  # faster than anybody walks


def test_a_film_of_nobody_has_every_frame_and_is_not_replaced_unasked(tmp_path: Path) -> None:
    play = Play((), Hand((0.0, 1.6, 0.0), -0.05, 0.0, 5, 0.0), frames=3, size=(64, 36), noise=2.0)

    class Empty(module.Set):
        def shot(self, number: int) -> module.Shot:
            return np.full((36, 64, 3), 40 * number, np.uint8), []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Set, "built", lambda play, library: Empty(play, [], None))  # type: ignore[arg-type]
        clip, truth = module.film(play, Library(tmp_path), tmp_path / "empty")
        with pytest.raises(PoseTrackError, match=r"empty\.mp4 exists already: use --overwrite"):
            module.film(play, Library(tmp_path), tmp_path / "empty")
    with av.open(str(clip)) as container:
        brightness = [f.to_ndarray(format="rgb24").mean() for f in container.decode(video=0)]
    np.testing.assert_allclose(brightness, [0, 40, 80], atol=2)
    known = json.loads(truth.read_text())
    assert (len(known["images"]), known["annotations"]) == (3, [])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.json", "empty.mp4"]
