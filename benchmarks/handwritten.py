"""The value and gradient of each function of `programs.py`, by a careful programmer's hand.

They do no work twice, form no matrix that a product avoids, and use what the derivative shares with
the value. They check nothing about their arguments.
"""

from __future__ import annotations

import math

import numpy as np


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
