"""The value and gradient of each function of `programs.py`, by a careful programmer's hand.

They do no work twice, form no matrix that a product avoids, and use what the derivative shares with
the value. They check nothing about their arguments.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular


def scalar(x, y):
    u = x * y + np.sin(x)
    e = np.exp(-u * u)
    log_x = np.log(x)
    d = y + 2.0
    grad_u = -2.0 * u * e
    grad_x = grad_u * (y + np.cos(x)) + 1.0 / (x * d)
    grad_y = grad_u * x - log_x / (d * d)
    return e + log_x / d, (grad_x, grad_y)


def scalar_math(x, y):
    u = x * y + math.sin(x)
    e = math.exp(-u * u)
    log_x = math.log(x)
    d = y + 2.0
    grad_u = -2.0 * u * e
    grad_x = grad_u * (y + math.cos(x)) + 1.0 / (x * d)
    grad_y = grad_u * x - log_x / (d * d)
    return e + log_x / d, (grad_x, grad_y)


def perceptron(W1, b1, W2, b2, X, T):
    H = np.tanh(X @ W1 + b1)
    grad_Y = H @ W2 + b2 - T
    value = 0.5 * np.sum(grad_Y**2)
    grad_b2 = grad_Y.sum(axis=0)
    grad_W2 = H.T @ grad_Y
    grad_Z = (grad_Y @ W2.T) * (1.0 - H * H)
    grad_b1 = grad_Z.sum(axis=0)
    grad_W1 = X.T @ grad_Z
    return value, (grad_W1, grad_b1, grad_W2, grad_b2)


def logistic_regression(w, b, X, t, lam):
    z = X @ w + b
    softplus = np.logaddexp(0.0, z)
    value = np.mean(softplus - t * z) + 0.5 * lam * np.dot(w, w)
    grad_z = (np.exp(z - softplus) - t) / len(z)
    return value, (grad_z @ X + lam * w, grad_z.sum())


def cross_entropy(w, b, X, t):
    p = 1.0 / (1.0 + np.exp(-(X @ w + b)))
    value = -np.mean(t * np.log(p) + (1.0 - t) * np.log(1.0 - p))
    grad_z = (p - t) / len(p)
    return value, (grad_z @ X, grad_z.sum())


def softmax_regression(W, b, X, T):
    logits = X @ W + b
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    e = np.exp(shifted)
    total = np.sum(e, axis=1, keepdims=True)
    log_p = shifted - np.log(total)
    value = -np.mean(np.sum(T * log_p, axis=1))
    # the rows of T need not add up to 1
    grad_logits = (e * (np.sum(T, axis=1, keepdims=True) / total) - T) / len(X)
    return value, (X.T @ grad_logits, grad_logits.sum(axis=0))


def z_scores(W, gain, shift, X, T):
    H = X @ W
    centred = H - np.mean(H, axis=0)
    std = np.sqrt(np.mean(centred * centred, axis=0))
    Z = centred / std
    residual = gain * Z + shift - T
    value = np.mean(residual**2)
    grad_Y = residual * (2.0 / residual.size)
    grad_gain = np.sum(grad_Y * Z, axis=0)
    grad_shift = grad_Y.sum(axis=0)
    n = len(H)
    grad_H = (grad_Y - grad_shift / n - Z * (grad_gain / n)) * (gain / std)
    return value, (X.T @ grad_H, grad_gain, grad_shift)


def gaussian(mu, log_sigma, X):
    sigma = np.exp(log_sigma)
    z = (X - mu) / sigma
    z2 = z**2
    value = np.sum(-0.5 * z2 - log_sigma - 0.5 * np.log(2.0 * np.pi))
    return value, (z.sum(axis=0) / sigma, z2.sum(axis=0) - len(X))


def attention(Q, K, V, T):
    scale = 1.0 / np.sqrt(32.0)
    scores = Q @ K.T * scale
    e = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    weights = e / np.sum(e, axis=1, keepdims=True)
    residual = weights @ V - T
    value = np.mean(residual**2)
    grad_out = residual * (2.0 / residual.size)
    grad_weights = grad_out @ V.T
    grad_scores = weights * (grad_weights - np.sum(grad_weights * weights, axis=1, keepdims=True))
    grad_scores *= scale
    return value, (grad_scores @ K, grad_scores.T @ Q, weights.T @ grad_out)


def iterated_map(x, n):
    saved = np.empty(n)
    s = 1.0
    for i in range(n):
        saved[i] = s
        s = s * x + 0.1 * np.sin(s)
    grad_s, grad_x = 1.0, 0.0
    for i in range(n - 1, -1, -1):
        before = saved[i]
        grad_x += grad_s * before
        grad_s *= x + 0.1 * np.cos(before)
    return s, (grad_x,)


def heat_elements(u0, alpha, steps):
    u = u0.copy()
    last = len(u) - 1
    for _ in range(steps):
        for i in range(1, last):
            middle = u[i]
            u[i] = middle + alpha * (u[i - 1] - 2.0 * middle + u[i + 1])
    value = np.sum(u * u)
    grad = 2.0 * u
    for _ in range(steps):
        for i in range(last - 1, 0, -1):
            new = grad[i]
            part = alpha * new
            grad[i] = new - 2.0 * part
            grad[i - 1] += part
            grad[i + 1] += part
    return value, (grad,)


def heat_slices(u0, alpha, steps):
    u = u0.copy()
    saved = np.empty((steps, len(u) - 2))
    for t in range(steps):
        bend = u[:-2] - 2.0 * u[1:-1] + u[2:]
        saved[t] = bend
        u[1:-1] += alpha * bend
    value = np.sum(u * u)
    grad, grad_alpha = 2.0 * u, 0.0
    for t in range(steps - 1, -1, -1):
        grad_alpha += grad[1:-1] @ saved[t]
        part = alpha * grad[1:-1]
        grad[1:-1] -= 2.0 * part
        grad[2:] += part
        grad[:-2] += part
    return value, (grad, grad_alpha)


def recurrent(W, x, n):
    saved = np.empty((n + 1, len(x)))
    saved[0] = x
    for t in range(n):
        saved[t + 1] = np.tanh(W @ saved[t] + x)
    grad = np.ones(len(x))
    grad_z = np.empty((n, len(x)))
    for t in range(n - 1, -1, -1):
        after = saved[t + 1]
        grad_z[t] = grad * (1.0 - after * after)
        grad = W.T @ grad_z[t]
    return np.sum(saved[n]), (grad_z.T @ saved[:n], grad + grad_z.sum(axis=0))


def cholesky_loops(A):
    n = len(A)
    L = np.zeros_like(A)
    for j in range(n):
        row = L[j, :j]
        L[j, j] = np.sqrt(A[j, j] - row @ row)
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - L[i, :j] @ row) / L[j, j]
    diagonal = np.diag(L)
    grad_L, grad_A = np.diag(1.0 / diagonal), np.zeros_like(A)
    for j in range(n - 1, -1, -1):
        row, pivot = L[j, :j], L[j, j]
        for i in range(n - 1, j, -1):
            part = grad_L[i, j] / pivot
            grad_A[i, j] = part
            grad_L[j, j] -= part * L[i, j]
            grad_L[i, :j] -= part * row
            grad_L[j, :j] -= part * L[i, :j]
        part = 0.5 * grad_L[j, j] / pivot
        grad_A[j, j] = part
        grad_L[j, :j] -= 2.0 * part * row
    return np.sum(np.log(diagonal)), (grad_A,)


def tridiagonal(a, b, c, d):
    n = len(d)
    upper, right, x = np.zeros_like(d), np.zeros_like(d), np.zeros_like(d)
    pivots = np.empty(n)
    upper[0] = c[0] / b[0]
    right[0] = d[0] / b[0]
    for i in range(1, n):
        pivots[i] = pivot = b[i] - a[i] * upper[i - 1]
        upper[i] = c[i] / pivot
        right[i] = (d[i] - a[i] * right[i - 1]) / pivot
    x[n - 1] = right[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = right[i] - upper[i] * x[i + 1]
    grad_x = 2.0 * x
    grad_upper = np.zeros_like(d)
    for i in range(n - 1):
        part = grad_x[i]
        grad_upper[i] = -part * x[i + 1]
        grad_x[i + 1] -= part * upper[i]
    grad_right = grad_x
    grad_a, grad_b = np.zeros_like(a), np.zeros_like(b)
    grad_c, grad_d = np.zeros_like(c), np.zeros_like(d)
    for i in range(n - 1, 0, -1):
        pivot, below = pivots[i], a[i]
        part = grad_right[i] / pivot
        other = grad_upper[i] / pivot
        grad_d[i] = part
        grad_c[i] = other
        grad_pivot = -part * right[i] - other * upper[i]
        grad_b[i] = grad_pivot
        grad_a[i] = -part * right[i - 1] - grad_pivot * upper[i - 1]
        grad_right[i - 1] -= part * below
        grad_upper[i - 1] -= grad_pivot * below
    part = grad_right[0] / b[0]
    other = grad_upper[0] / b[0]
    grad_d[0] = part
    grad_c[0] = other
    grad_b[0] = -part * right[0] - other * upper[0]
    return np.sum(x * x), (grad_a, grad_b, grad_c, grad_d)


def lu_in_place(A):
    U = A.copy()
    n = len(U)
    for k in range(n):
        for i in range(k + 1, n):
            U[i, k] /= U[k, k]
            U[i, k + 1 :] -= U[i, k] * U[k, k + 1 :]
    diagonal = np.diag(U)
    grad = np.diag(1.0 / diagonal)
    for k in range(n - 1, -1, -1):
        row, pivot = U[k, k + 1 :], U[k, k]
        for i in range(n - 1, k, -1):
            part, factor = grad[i, k + 1 :], U[i, k]
            grad[k, k + 1 :] -= factor * part
            new = (grad[i, k] - part @ row) / pivot
            grad[i, k] = new
            grad[k, k] -= new * factor
    return np.sum(np.log(diagonal)), (grad,)


def leapfrog(q0, p0, m, h, steps):
    q, p = q0.copy(), p0.copy()
    n = len(m)
    saved_q, saved_p = np.empty((steps, *q.shape)), np.empty((steps, *q.shape))
    for t in range(steps):
        saved_q[t] = q
        for i in range(n):
            for j in range(i):
                r = q[j] - q[i]
                pull = h * m[i] * m[j] / (r @ r + 0.1) ** 1.5 * r
                p[i] += pull
                p[j] -= pull
        saved_p[t] = p
        for i in range(n):
            q[i] += h / m[i] * p[i]
    value = np.sum(q * q) + np.sum(p * p)
    grad_q, grad_p, grad_m = 2.0 * q, 2.0 * p, np.zeros_like(m)
    for t in range(steps - 1, -1, -1):
        q, p = saved_q[t], saved_p[t]
        for i in range(n - 1, -1, -1):
            inverse = h / m[i]
            grad_p[i] += inverse * grad_q[i]
            grad_m[i] -= grad_q[i] @ p[i] * (inverse / m[i])
        for i in range(n - 1, -1, -1):
            for j in range(i - 1, -1, -1):
                r = q[j] - q[i]
                square = r @ r + 0.1
                cube = square**1.5
                first, second = m[i], m[j]
                scale = h * first * second / cube
                grad_pull = grad_p[i] - grad_p[j]
                along = grad_pull @ r
                grad_scale = along * h / cube
                grad_m[i] += grad_scale * second
                grad_m[j] += grad_scale * first
                grad_r = scale * grad_pull - (3.0 * along * scale / square) * r
                grad_q[j] += grad_r
                grad_q[i] -= grad_r
    return value, (grad_q, grad_p, grad_m)


def stencil_in_place(u0, c, steps):
    u = u0.copy()
    n, m = u.shape
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
                u[i, j] = (1.0 - c) * u[i, j] + 0.25 * c * around
    grad = 2.0 * u
    for _ in range(steps):
        for i in range(n - 2, 0, -1):
            for j in range(m - 2, 0, -1):
                new = grad[i, j]
                part = 0.25 * c * new
                grad[i, j] = (1.0 - c) * new
                grad[i - 1, j] += part
                grad[i + 1, j] += part
                grad[i, j - 1] += part
                grad[i, j + 1] += part
    return np.sum(u * u), (grad,)


def recursive_filter(x, b, a):
    y = np.zeros_like(x)
    for i in range(2, len(x)):
        fed = b[0] * x[i] + b[1] * x[i - 1] + b[2] * x[i - 2]
        y[i] = fed - a[1] * y[i - 1] - a[2] * y[i - 2]
    grad_y, grad_x = 2.0 * y, np.zeros_like(x)
    b0, b1, b2, a1, a2 = b[0], b[1], b[2], a[1], a[2]
    grad_b0 = grad_b1 = grad_b2 = grad_a1 = grad_a2 = 0.0
    for i in range(len(x) - 1, 1, -1):
        part = grad_y[i]
        grad_y[i - 1] -= part * a1
        grad_y[i - 2] -= part * a2
        grad_a1 -= part * y[i - 1]
        grad_a2 -= part * y[i - 2]
        grad_x[i] += part * b0
        grad_x[i - 1] += part * b1
        grad_x[i - 2] += part * b2
        grad_b0 += part * x[i]
        grad_b1 += part * x[i - 1]
        grad_b2 += part * x[i - 2]
    gradients = grad_x, np.array([grad_b0, grad_b1, grad_b2]), np.array([0.0, grad_a1, grad_a2])
    return np.sum(y * y), gradients


def lower_part(symmetric):
    """What a function of the lower triangle of a symmetric matrix has as its gradient."""
    return np.tril(symmetric + symmetric.T) - np.diag(np.diag(symmetric))


def gaussian_process(amplitude, length, noise, x, y):
    distance = (x[:, None] - x) / length
    correlation = np.exp(-0.5 * distance**2)
    L = cholesky(amplitude**2 * correlation + noise**2 * np.eye(len(x)), lower=True)
    alpha = cho_solve((L, True), y)
    value = 0.5 * y @ alpha + np.sum(np.log(np.diag(L)))
    grad_K = 0.5 * (cho_solve((L, True), np.eye(len(x))) - np.outer(alpha, alpha))
    part = grad_K * correlation
    grad_length = amplitude**2 * np.sum(part * distance**2) / length
    return value, (2.0 * amplitude * np.sum(part), grad_length, 2.0 * noise * np.trace(grad_K))


def normal_log_density(x, mean, covariance):
    L = cholesky(covariance, lower=True)
    z = solve_triangular(L, x - mean, lower=True)
    value = -0.5 * z @ z - np.sum(np.log(np.diag(L)))
    grad_mean = solve_triangular(L, z, trans=1, lower=True)
    inverse = cho_solve((L, True), np.eye(len(x)))
    grad_covariance = lower_part(0.5 * (np.outer(grad_mean, grad_mean) - inverse))
    return value, (-grad_mean, grad_mean, grad_covariance)


def kalman_filter(F, H, Q, R, state, P, measured):
    total, kept, identity = 0.0, [], np.eye(len(R))
    for k in range(len(measured)):
        before, P_before = state, P
        state = F @ state
        P = F @ P @ F.T + Q
        innovation = measured[k] - H @ state
        L = cholesky(H @ P @ H.T + R, lower=True)
        PH = P @ H.T
        weighted = cho_solve((L, True), innovation)
        total -= 0.5 * innovation @ weighted + np.sum(np.log(np.diag(L)))
        gain = cho_solve((L, True), PH.T).T
        kept.append((before, P_before, L, weighted, gain))
        state = state + PH @ weighted
        P = P - gain @ PH.T
    grad_F, grad_Q, grad_R = np.zeros_like(F), np.zeros_like(Q), np.zeros_like(R)
    grad_state, grad_P = np.zeros_like(state), np.zeros_like(P)
    for before, P_before, L, weighted, gain in reversed(kept):
        along = gain.T @ grad_state
        grad_S = 0.5 * (np.outer(weighted, weighted) - cho_solve((L, True), identity))
        grad_S = grad_S - np.outer(along, weighted) + gain.T @ grad_P @ gain
        # the factor is that of the lower triangle
        grad_S = np.tril(grad_S) + np.triu(grad_S, 1).T
        grad_R += grad_S
        grad_PH = np.outer(grad_state, weighted) - (grad_P + grad_P.T) @ gain + H.T @ grad_S
        grad_P = grad_P + grad_PH @ H
        grad_state = grad_state - H.T @ (along - weighted)
        grad_Q += grad_P
        back = F.T @ grad_P
        grad_F += grad_P @ F @ P_before.T + grad_P.T @ F @ P_before + np.outer(grad_state, before)
        grad_P = back @ F
        grad_state = F.T @ grad_state
    return total, (grad_F, grad_Q, grad_R)
