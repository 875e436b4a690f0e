import math

import numpy as np
import pytest
import torch

from hyperdemo.render.cameras import camera_rays, look_at_origin, pixel_grid
from hyperdemo.render.quadrature import composite, render_view, sample_distances, sphere_span
from tests.render.fields import composite_by_hand, naive_view, soft_ball
from tests.tiny import Ball

FRONT = torch.from_numpy(look_at_origin(0.0, 0.0))
TURNED = torch.from_numpy(look_at_origin(35.0, 20.0))


@pytest.mark.parametrize(
    ("origin", "direction", "near", "far"),
    [
        ((0, 0, 3), (0, 0, -1), 2, 4),
        ((0.6, 0, 3), (0, 0, -1), 2.2, 3.8),
        ((0, 3, 4), (0, -0.6, -0.8), 4, 6),
        ((0, 0, 0.5), (0, 0, -1), 0, 1.5),  # from inside
        ((0, 0, 0), (0.6, 0, 0.8), 0, 1),
        ((0, 0, 3), (0, 0, 1), 0, 0),  # the sphere is behind
        ((0, 2, 3), (0, 0, -1), 3, 3),  # a miss
        ((1.25, 0, -3), (0, 0, -1), 0, 0),  # both
    ],
)
def test_spans_worked_out_by_hand(origin, direction, near, far):
    found = sphere_span(torch.tensor([origin]).float(), torch.tensor([direction]).float())
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


def test_composite_agrees_with_the_sum_written_out():
    rng = np.random.default_rng(1)
    density, rgb = rng.exponential(2.0, (6, 9)), rng.random((6, 9, 3))
    distances, delta = np.sort(rng.random((6, 9))), rng.random(6)
    given = [torch.from_numpy(array) for array in (density, rgb, distances, delta)]
    found = composite(*given[:2], distances=given[2], delta=given[3])
    for ray, values in enumerate(zip(density, rgb, distances, delta, strict=True)):
        colour, alpha, depth = composite_by_hand(*values)
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


@pytest.mark.parametrize(
    ("ball", "n_samples", "atol"),
    [
        # One that fills the sphere is exact at any number of samples; near its rim the chord is
        # the root of a small difference, hence the tolerance.
        (Ball(density=0.8, radius=1.0), 3, 2e-4),
        # The edge of another is missed by half an interval at most, at both ends.
        (Ball(density=3.0, radius=0.5, azimuth_deg=70.0, height=0.2, away=0.3), 2000, 3e-3),
    ],
)
def test_balls_have_their_closed_form(ball, n_samples, atol):
    seen = render_view(ball, TURNED, fov_deg=40.0, size=9, n_samples=n_samples, chunk=30)
    rays = camera_rays(TURNED.double(), pixel_grid(9).double(), fov_deg=40.0, size=9)
    rgb, alpha = ball.see(*(part.numpy() for part in rays))
    assert 5 < (alpha > 0.3).sum() < 81
    np.testing.assert_allclose(seen.alpha.flatten(), alpha, atol=atol)
    np.testing.assert_allclose(seen.rgb.reshape(-1, 3), rgb, atol=atol)


def test_a_slab_with_a_ramp_of_colour():
    # ∫₀ᴸ σ·exp(−σt)·(t/L) dt = (1 − exp(−σL)·(1 + σL)) / (σL), and white behind the slab.
    sigma, half = 2.5, 0.4

    def slab(points):
        inside = (points[:, 2].abs() < half).to(points)
        shade = ((half - points[:, 2]) / (2 * half)).clamp(0, 1)  # black in front, white behind
        return sigma * inside, shade[:, None].expand(-1, 3)

    seen = render_view(slab, FRONT, fov_deg=40.0, size=1, n_samples=1000)
    optical = sigma * 2 * half
    left = math.exp(-optical)
    assert seen.alpha.item() == pytest.approx(1 - left, abs=1e-5)
    colour = (1 - left * (1 + optical)) / optical + left
    assert seen.rgb[0, 0].tolist() == pytest.approx([colour] * 3, abs=1e-4)
    # The mean depth within the slab is that same integral, stretched to world units.
    depth = 3 - half + 2 * half * (colour - left) / (1 - left)
    assert seen.depth.item() == pytest.approx(depth, abs=1e-4)


def test_agrees_with_a_loop_over_pixels():
    def field(points):
        x, y, z = points.unbind(-1)
        rgb = torch.stack([0.5 + x / 2, 0.5 - y / 2, torch.full_like(z, 0.3)], dim=-1)
        return 6 * (torch.sin(4 * x) * torch.cos(3 * y) + z).clamp_min(0), rgb

    seen = render_view(field, TURNED, fov_deg=50.0, size=6, n_samples=10, chunk=7)
    rgb, alpha, depth = naive_view(
        field, TURNED.numpy(), fov_deg=50.0, size=6, n_samples=lambda length: 10
    )
    assert 4 < (depth == 0).sum() < 32 and not seen.depth[depth == 0].any()
    np.testing.assert_allclose(seen.rgb, rgb, atol=1e-4)
    np.testing.assert_allclose(seen.alpha, alpha, atol=1e-4)
    np.testing.assert_allclose(seen.depth, depth, atol=1e-3)


def test_the_field_is_evaluated_in_chunks_and_only_within_the_sphere():
    sizes = []

    def field(points):
        sizes.append(len(points))
        assert points.norm(dim=-1).max() <= 1 + 1e-5
        return torch.zeros(len(points)), torch.zeros_like(points)

    render_view(field, TURNED, fov_deg=40.0, size=8, n_samples=5, chunk=16)
    assert max(sizes) <= 16 * 5
    sizes.clear()
    far_off = FRONT.clone()
    far_off[0, 3] += 10
    render_view(field, far_off, fov_deg=40.0, size=8)
    assert not sizes


def test_supersampling_is_the_mean_of_finer_pixels():
    fine = render_view(soft_ball, TURNED, fov_deg=40.0, size=24)
    view = render_view(soft_ball, TURNED, fov_deg=40.0, size=12, supersample=2)
    for name in ("rgb", "alpha"):
        mean = getattr(fine, name).unflatten(1, (12, 2)).unflatten(0, (12, 2)).mean((1, 3))
        torch.testing.assert_close(getattr(view, name), mean)
    assert 2.3 < view.depth[6, 6] < 2.7  # the near side of a ball of radius 0.5 at distance 3


def test_a_ray_that_touches_the_sphere_has_a_finite_gradient():
    origins = torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.5, 3.0], [0.0, 2.0, 3.0]], requires_grad=True)
    directions = torch.tensor([[0.0, 0.0, -1.0]]).expand(3, 3)
    near, far = sphere_span(origins, directions)
    torch.testing.assert_close((far - near).detach(), torch.tensor([0.0, 2 * 0.75**0.5, 0.0]))
    (far - near).sum().backward()
    expected = torch.tensor([[0.0, 0.0, 0.0], [0.0, -2 * 0.5 / 0.75**0.5, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(origins.grad, expected)
