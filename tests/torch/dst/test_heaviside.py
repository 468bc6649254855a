import pytest
import torch

from masksolve.torch.dst import step, surrogate

from . import naive


def double(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


POINTS = [-2.0, -1.0 - 1e-9, -1.0, -0.7, -0.4, -0.3, -1e-9, 0.0, 1e-9, 0.25, 0.4, 0.5, 1.0, 1.1]


def test_step_is_strict_and_keeps_the_dtype():
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        stepped = step(torch.tensor([-1.0, 0.0, 1e-6, 3.0], dtype=dtype))
        assert stepped.dtype == dtype
        assert stepped.tolist() == [0, 0, 1, 1]


def test_surrogate_is_the_papers_estimator():
    expected = [naive.estimator(q) for q in POINTS]
    torch.testing.assert_close(surrogate(double(POINTS)), double(expected))


def test_surrogate_by_finite_differences():
    """It is the slope of its primitive, worked out by hand, wherever that has one."""
    points = [k / 50 + 0.003 for k in range(-70, 70)]
    found = surrogate(double(points)).tolist()
    for q, slope in zip(points, found, strict=True):
        h = 1e-6
        difference = (naive.primitive(q + h) - naive.primitive(q - h)) / (2 * h)
        assert slope == pytest.approx(difference, abs=1e-8)


def test_gradient_goes_through_the_estimator():
    distance = double(POINTS, requires_grad=True)
    upstream = torch.linspace(-3, 3, len(POINTS), dtype=torch.float64)
    step(distance).backward(upstream)
    expected = [g * naive.estimator(q) for g, q in zip(upstream.tolist(), POINTS, strict=True)]
    torch.testing.assert_close(distance.grad, double(expected))


def test_another_mask_has_the_same_gradient():
    distance = double([-0.5, 0.1, 0.6], requires_grad=True)
    mask = torch.tensor([True, False, True])
    stepped = step(distance, mask)
    assert stepped.tolist() == [1, 0, 1]
    stepped.sum().backward()
    assert distance.grad.tolist() == pytest.approx([0.4, 1.6, 0.4])
    assert not mask.is_floating_point()


def test_arguments_stay_as_they_are():
    distance = double(POINTS, requires_grad=True)
    upstream = torch.ones(len(POINTS), dtype=torch.float64)
    step(distance).backward(upstream)
    surrogate(distance.detach())
    assert distance.tolist() == POINTS
    assert upstream.tolist() == [1.0] * len(POINTS)
