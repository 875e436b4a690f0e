import math

import numpy as np
import pytest
import torch

from hyperdemo.render.cameras import camera_rays, look_at_origin, pixel_grid
from hyperdemo.render.quadrature import (
    Rendering,
    composite,
    render_view,
    sample_distances,
    sphere_span,
)
from tests.render.test_bake import soft_ball
from tests.tiny import Ball

FRONT = torch.from_numpy(look_at_origin(0.0, 0.0))
TURNED = torch.from_numpy(look_at_origin(35.0, 20.0))


def rays(pose, size):
    """Origins and directions of all pixels as float64 arrays."""
    found = camera_rays(pose.double(), pixel_grid(size).double(), fov_deg=40.0, size=size)
    return [part.numpy() for part in found]


@pytest.mark.parametrize(
    ("origin", "direction", "radius", "near", "far"),
    [
        ((0, 0, 3), (0, 0, -1), 1.0, 2, 4),
        ((0.6, 0, 3), (0, 0, -1), 1.0, 2.2, 3.8),
        ((0, 3, 4), (0, -0.6, -0.8), 1.0, 4, 6),
        ((0, 0, 3), (0, 0, -1), 0.5, 2.5, 3.5),
        ((0, 0, 0.5), (0, 0, -1), 1.0, 0, 1.5),  # from inside
        ((0, 0, 0), (0.6, 0, 0.8), 1.0, 0, 1),
        ((0, 0, 3), (0, 0, 1), 1.0, 0, 0),  # the sphere is behind
        ((0, 2, 3), (0, 0, -1), 1.0, 3, 3),  # a miss
        ((1.25, 0, -3), (0, 0, -1), 1.0, 0, 0),  # both
    ],
)
def test_spans_worked_out_by_hand(origin, direction, radius, near, far):
    rays = torch.tensor([origin], dtype=torch.float32), torch.tensor([direction]).float()
    found = sphere_span(*rays, radius=radius)
    assert [f.item() for f in found] == pytest.approx([near, far], abs=1e-5)


def test_midpoints_of_equal_intervals():
    near, far = torch.tensor([2.0, 3.0]), torch.tensor([4.0, 3.0])
    distances, delta = sample_distances(near, far, n_samples=4)
    assert distances.tolist() == [[2.25, 2.75, 3.25, 3.75], [3.0, 3.0, 3.0, 3.0]]
    assert delta.tolist() == [0.5, 0.0]


def test_stratified_samples_stay_in_their_intervals(generator):
    near, far = torch.full((2000,), 1.0), torch.full((2000,), 3.0)
    distances, _ = sample_distances(near, far, n_samples=4, generator=generator)
    place = (distances - 1.0) / 0.5 - torch.arange(4)
    assert place.min() >= -1e-5 and place.max() <= 1 + 1e-5
    np.testing.assert_allclose(place.mean(0), 0.5, atol=0.03)
    np.testing.assert_allclose(place.std(0), math.sqrt(1 / 12), atol=0.02)
    again = sample_distances(near, far, n_samples=4, generator=generator)[0]
    assert not torch.equal(again, distances)


def composite_by_hand(density, rgb, distances, delta):
    colour, alpha, depth, transmittance = np.zeros(3), 0.0, 0.0, 1.0
    for sigma, c, t in zip(density, rgb, distances, strict=True):
        here = 1 - math.exp(-sigma * delta)
        colour += transmittance * here * c
        alpha += transmittance * here
        depth += transmittance * here * t
        transmittance *= 1 - here
    return colour + 1 - alpha, alpha, depth / max(alpha, 1e-8)


def test_composite_agrees_with_the_sum_written_out():
    rng = np.random.default_rng(1)
    density, rgb = rng.exponential(2.0, (6, 9)), rng.random((6, 9, 3))
    distances, delta = np.sort(rng.random((6, 9))), rng.random(6)
    found = composite(
        torch.from_numpy(density),
        torch.from_numpy(rgb),
        distances=torch.from_numpy(distances),
        delta=torch.from_numpy(delta),
    )
    for ray in range(6):
        colour, alpha, depth = composite_by_hand(density[ray], rgb[ray], distances[ray], delta[ray])
        np.testing.assert_allclose(found.rgb[ray], colour, atol=1e-12)
        assert found.alpha[ray].item() == pytest.approx(alpha)
        assert found.depth[ray].item() == pytest.approx(depth)


def test_gradient_of_composite_by_finite_differences(generator):
    density = torch.rand(2, 5, generator=generator, dtype=torch.float64).requires_grad_()
    rgb = torch.rand(2, 5, 3, generator=generator, dtype=torch.float64).requires_grad_()
    distances = torch.linspace(2, 4, 5, dtype=torch.float64).expand(2, 5)
    delta = torch.tensor([0.4, 0.7], dtype=torch.float64)

    def rendered(density, rgb):
        seen = composite(density, rgb, distances=distances, delta=delta)
        return seen.rgb, seen.alpha, seen.depth

    assert torch.autograd.gradcheck(rendered, (density, rgb))


def test_gradient_is_finite_behind_a_wall_and_in_the_void():
    density = torch.tensor([[1e6, 1e6, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    rgb = torch.full((2, 3, 3), 0.5, requires_grad=True)
    seen = composite(density, rgb, distances=torch.ones(2, 3), delta=torch.ones(2))
    (seen.rgb.sum() + seen.alpha.sum() + seen.depth.sum()).backward()
    assert torch.isfinite(density.grad).all() and torch.isfinite(rgb.grad).all()
    assert seen.depth[1] == 0 and (seen.rgb[1] == 1).all()


@pytest.mark.parametrize("pose", [FRONT, TURNED], ids=["front", "turned"])
def test_a_ball_that_fills_the_sphere_is_exact_at_any_number_of_samples(pose):
    ball = Ball(density=0.8, radius=1.0)
    seen = render_view(ball, pose, fov_deg=40.0, size=9, n_samples=3)
    assert seen.rgb.shape == (9, 9, 3) and seen.alpha.shape == seen.depth.shape == (9, 9)
    rgb, alpha = ball.see(*rays(pose, 9))
    assert seen.alpha[4, 4].item() == pytest.approx(1 - math.exp(-2 * 0.8), abs=1e-5)
    # Near the rim the chord is the root of a small difference, hence the tolerance.
    np.testing.assert_allclose(seen.alpha.flatten(), alpha, atol=2e-4)
    np.testing.assert_allclose(seen.rgb.reshape(-1, 3), rgb, atol=2e-4)


def test_a_ball_inside_the_sphere_along_every_chord():
    ball = Ball(density=3.0, radius=0.5, azimuth_deg=70.0, height=0.2, away=0.3)
    seen = render_view(ball, TURNED, fov_deg=40.0, size=9, n_samples=2000, chunk=30)
    rgb, alpha = ball.see(*rays(TURNED, 9))
    assert 5 < (alpha > 0.3).sum() < 40
    # An edge is missed by half an interval at most, at both ends.
    np.testing.assert_allclose(seen.alpha.flatten(), alpha, atol=3.0 * 2.0 / 2000)
    np.testing.assert_allclose(seen.rgb.reshape(-1, 3), rgb, atol=3.0 * 2.0 / 2000)


def slab(density, half):
    def field(points):
        inside = (points[:, 2].abs() < half).to(points)
        shade = ((half - points[:, 2]) / (2 * half)).clamp(0, 1)  # black in front, white behind
        return density * inside, shade[:, None].expand(-1, 3)

    return field


def test_a_slab_with_a_ramp_of_colour():
    # ∫₀ᴸ σ·exp(−σt)·(t/L) dt = (1 − exp(−σL)·(1 + σL)) / (σL), and white behind the slab.
    sigma, half = 2.5, 0.4
    optical = sigma * 2 * half
    seen = render_view(slab(sigma, half), FRONT, fov_deg=40.0, size=1, n_samples=1000)
    left = math.exp(-optical)
    assert seen.alpha.item() == pytest.approx(1 - left, abs=1e-5)
    colour = (1 - left * (1 + optical)) / optical + left
    assert seen.rgb[0, 0].tolist() == pytest.approx([colour] * 3, abs=1e-4)
    # The mean depth within the slab is that same integral, stretched to world units.
    depth = 3 - half + 2 * half * (colour - left) / (1 - left)
    assert seen.depth.item() == pytest.approx(depth, abs=1e-4)


def test_an_opaque_wall_stands_where_it_is():
    seen = render_view(slab(1e5, 0.3), FRONT, fov_deg=20.0, size=3, n_samples=500)
    _, directions = rays(FRONT, 3)
    # The middle ray's first sample in the wall is half an interval (2/500) behind its face.
    assert seen.depth[1, 1].item() == pytest.approx(2.7, abs=1.0 / 500 + 1e-4)
    where = torch.from_numpy(-(3 - 0.3) / directions[:, 2]).reshape(3, 3)
    fov_20 = camera_rays(FRONT, pixel_grid(3), fov_deg=20.0, size=3)[1][:, 2].reshape(3, 3)
    assert (seen.depth + (3 - 0.3) / fov_20).abs().max() < 0.003
    assert (where - seen.depth).abs().max() > 0.003  # which another field of view would not give
    assert seen.alpha.min() > 0.9999


def test_converges_with_the_square_of_the_interval():
    # Density that grows exponentially towards the camera: its integral along the axis is known.
    rate = 3.0

    def field(points):
        return torch.exp(rate * points[:, 2]) / 4, torch.zeros_like(points)

    truth = 1 - math.exp(-2 * math.sinh(rate) / rate / 4)
    pose = FRONT.double()
    errors = [
        abs(render_view(field, pose, fov_deg=40.0, size=1, n_samples=n).alpha.item() - truth)
        for n in (8, 16, 64)
    ]
    assert errors[0] > 1e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(16, rel=0.1)


def test_agrees_with_a_loop_over_pixels():
    def density_and_colour(point):
        x, y, z = point
        return 6 * max(0.0, math.sin(4 * x) * math.cos(3 * y) + z), [0.5 + x / 2, 0.5 - y / 2, 0.3]

    def field(points):
        pairs = [density_and_colour(p) for p in points.tolist()]
        return torch.tensor([d for d, _ in pairs]), torch.tensor([c for _, c in pairs])

    size, n = 6, 10
    pose = TURNED.double().numpy()
    focal = 0.5 * size / math.tan(math.radians(50 / 2))
    seen = render_view(field, TURNED, fov_deg=50.0, size=size, n_samples=n, chunk=7)
    misses = 0
    for row in range(size):
        for column in range(size):
            local = np.array([(column + 0.5 - 3) / focal, (3 - row - 0.5) / focal, -1])
            ray, eye = pose[:3, :3] @ local / np.linalg.norm(local), pose[:3, 3]
            middle = -ray @ eye
            inside = 1 - eye @ eye + middle**2
            if inside <= 0:
                misses += 1
                assert seen.alpha[row, column] == 0 and (seen.rgb[row, column] == 1).all()
                assert seen.depth[row, column] == 0
                continue
            delta = 2 * math.sqrt(inside) / n
            distances = [middle - math.sqrt(inside) + delta * (k + 0.5) for k in range(n)]
            pairs = [density_and_colour(eye + t * ray) for t in distances]
            rgb = [np.array(c) for _, c in pairs]
            colour, alpha, depth = composite_by_hand([d for d, _ in pairs], rgb, distances, delta)
            np.testing.assert_allclose(seen.rgb[row, column], colour, atol=1e-4)
            assert seen.alpha[row, column].item() == pytest.approx(alpha, abs=1e-4)
            assert seen.depth[row, column].item() == pytest.approx(depth, abs=1e-3)
    assert 4 < misses < 32


def test_inside_the_object_only_what_is_ahead_counts():
    pose = torch.eye(4)  # at the origin, looking along −z
    seen = render_view(Ball(density=2.0, radius=1.0), pose, fov_deg=40.0, size=1)
    assert seen.alpha.item() == pytest.approx(1 - math.exp(-2.0), abs=1e-5)
    away = torch.from_numpy(look_at_origin(0.0, 0.0) @ np.diag([-1, 1, -1, 1]).astype(np.float32))
    blind = render_view(Ball(density=2.0, radius=1.0), away, fov_deg=40.0, size=3)
    assert blind.alpha.max() == 0 and blind.rgb.min() == 1


def test_the_field_is_asked_in_pieces_and_never_needlessly():
    asked = []

    def field(points):
        asked.append(len(points))
        assert points.norm(dim=-1).max() <= 1 + 1e-5
        return torch.zeros(len(points)), torch.zeros_like(points)

    whole = render_view(field, TURNED, fov_deg=40.0, size=8, n_samples=5, chunk=16)
    assert max(asked) <= 16 * 5 and isinstance(whole, Rendering)
    asked.clear()
    far_off = torch.from_numpy(look_at_origin(0.0, 0.0, distance=3.0))
    far_off[0, 3] += 10
    render_view(field, far_off, fov_deg=40.0, size=8)
    assert asked == []


def test_supersampling_is_the_mean_of_finer_pixels():
    pose = TURNED
    fine = render_view(soft_ball, pose, fov_deg=40.0, size=24)
    view = render_view(soft_ball, pose, fov_deg=40.0, size=12, supersample=2)
    for name in ("rgb", "alpha"):
        mean = getattr(fine, name).unflatten(1, (12, 2)).unflatten(0, (12, 2)).mean((1, 3))
        torch.testing.assert_close(getattr(view, name), mean)
    assert 2.3 < view.depth[6, 6] < 2.7  # the near side of a ball of radius 0.5 at distance 3
