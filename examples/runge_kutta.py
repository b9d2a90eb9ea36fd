"""A pendulum by the classical Runge-Kutta method."""

from __future__ import annotations

import numpy as np


def pendulum(angle: float, speed: float, h: float, steps: int) -> float:
    for _ in range(steps):
        k1, l1 = speed, -np.sin(angle)
        k2, l2 = speed + 0.5 * h * l1, -np.sin(angle + 0.5 * h * k1)
        k3, l3 = speed + 0.5 * h * l2, -np.sin(angle + 0.5 * h * k2)
        k4, l4 = speed + h * l3, -np.sin(angle + h * k3)
        angle, speed = (
            angle + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4),
            speed + h / 6.0 * (l1 + 2.0 * l2 + 2.0 * l3 + l4),
        )
    return angle


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(pendulum)(1.0, 0.0, 0.1, 10))
