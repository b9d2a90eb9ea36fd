"""Programs as people write them, on which tools of this kind go wrong: what is overwritten and read
again, aliases and views, loops in both directions, jumps, lists; each with arguments. The tests of
`test_programs.py` compare their derivatives with difference quotients.
"""

from __future__ import annotations

import numpy as np

from tests.collected import Collection

COLLECTION = Collection(5)
CASES, case, v = COLLECTION.cases, COLLECTION.case, COLLECTION.array


@case(v(6))
def wrap(x):
    u = x.copy()
    for i in range(6):
        u[i] = u[i - 1] * u[i] + np.sin(u[i - 2])
    return np.sum(u)


@case(v(6))
def wrap2(x):
    u = x.copy()
    for i in range(5, -1, -1):
        u[i] = u[i - 1] * u[i]
    return np.sum(u * u)


@case(v(6))
def ahead(x):
    u = x.copy()
    for i in range(5):
        u[i] = u[i + 1] * u[i]
        u[i + 1] = u[i + 1] * u[i]
    return np.sum(u * u)


@case(v(6), 2)
def twosweeps(x, k):
    u = x.copy()
    for t in range(k):
        for i in range(1, 6):
            u[i] = u[i] * u[i - 1]
        for i in range(4, -1, -1):
            u[i] = u[i] * u[i + 1]
    return np.sum(u)


@case(v(5, 5))
def diag(A):
    D = A.copy()
    for i in range(1, 5):
        for j in range(4, 0, -1):
            D[i, j] = D[i - 1, j] * D[i, j - 1] + D[i, j] ** 2
    return np.sum(D)


@case(v(5, 5))
def rowcol(A):
    D = A.copy()
    for i in range(1, 5):
        D[i] = D[i - 1] * D[i]
        D[:, i] = D[:, i] * D[i, i]
    return np.sum(D)


@case(v(6))
def stepped(x):
    u = x.copy()
    for i in range(0, 6, 2):
        u[i] = u[i] ** 2
        if i + 1 < 6:
            u[i + 1] = u[i] * u[i + 1]
    for i in range(5, 0, -2):
        u[i - 1] += u[i] * u[i - 1]
    return np.sum(u)


@case(v(6), 3)
def shrink(x, n):
    for t in range(n):
        x = x[1:] * x[:-1]
    return np.sum(x)


@case(v(4), 3)
def grow(x, n):
    for t in range(n):
        x = np.concatenate((x, x[:1] * x[-1:]))
    return np.sum(x * x)


@case(v(4))
def keepview(x):
    y = x.copy()
    row = y[1:]
    s = 0.0
    for i in range(3):
        s += np.sum(row * row)
        y[i] = y[i] * s
    return s + np.sum(row)


@case(v(4))
def storeview(x):
    hist = []
    y = x.copy()
    for i in range(3):
        hist.append(y.copy())
        y *= x
        y[i] += 1.0
    return sum([np.sum(h * h) for h in hist]) + y[0]


@case(v(4))
def storealias(x):
    y = x.copy()
    z = y
    for i in range(3):
        z = z * y
        y[i] = z[i] ** 2
    return np.sum(y * z)


@case(v(3), v(3))
def branchalias(x, y):
    a = x.copy()
    b = y.copy()
    c = a if x[0] > y[0] else b
    t = np.sum(c * c)
    a = a * 2
    return t + np.sum(a * b)


@case(v(4))
def condwrite(x):
    y = x.copy()
    for i in range(4):
        if y[i] > 0.5:
            y[i] = y[i] ** 2
        elif i > 0:
            y[i - 1] = y[i] * y[i - 1]
        else:
            y[-1] *= y[0]
    return np.sum(y)


@case(v(5))
def brk_state(x):
    s = 1.0
    last = 0.0
    for i in range(5):
        last = s
        s = s * x[i] + np.sin(s)
        if s > 1.5:
            break
    return s * last


@case(v(5))
def nested_break(x):
    t = 0.0
    for i in range(5):
        p = x[i]
        for j in range(5):
            p = p * x[j] + 0.1
            if p < 0.4:
                break
            if j == 3:
                continue
            t += p * p
        if t > 3:
            return t * p
    return t


@case(v(4))
def while_arr(x):
    y = x.copy()
    k = 0
    while np.sum(y) < 8.0 and k < 10:
        y = y * 1.3 + x
        y[k % 4] = y[k % 4] * x[0]
        k += 1
    return np.sum(y * y)


@case(v(3, 3))
def colwrites(A):
    for j in range(3):
        col = A[:, j]
        col *= col[0]
        A[j] = A[j] + col
    return np.sum(A * A)


@case(v(4))
def maskloop(x):
    y = x.copy()
    for t in range(3):
        m = y > 0.5
        y[m] = y[m] * y[0]
        y[~m] += 0.2 * y[1]
    return np.sum(y)


@case(v(4))
def reuse(x):
    tmp = np.empty(4)
    out = 0.0
    for t in range(3):
        for i in range(4):
            tmp[i] = x[i] ** (t + 1)
        out += np.sum(tmp * tmp[::-1])
        tmp[0] = out
    return out + tmp[0]


@case(v(4))
def fillit(x):
    buf = np.zeros(4)
    s = 0.0
    for t in range(3):
        buf.fill(x[t])
        buf[t] = s + 1.0
        s += np.prod(buf)
    return s


@case(v(4), v(4))
def swapparam(a, b):
    for i in range(4):
        a[i], b[i] = b[i] * a[0], a[i]
    return np.sum(a * b)


@case(v(4))
def shadow(grad_x):
    saved_s = 1.0
    for v1 in range(4):
        saved_s = saved_s * grad_x[v1] + np.sin(saved_s)
    return saved_s


@case(v(3), 2)
def zero_trips(x, n):
    s = np.sum(x)
    for i in range(n, 0):
        s = s * x[i]
    for i in range(0):
        s = s * 0
    return s


@case(v(4))
def acc_in_branch(x):
    tot = np.zeros(2)
    for i in range(4):
        k = 0 if x[i] > 0.6 else 1
        tot[k] += x[i] ** 2 * (1 + tot[1 - k])
    return tot[0] * tot[1] + tot[0]


@case(v(2, 3, 4))
def three(A):
    s = 0.0
    for i in range(2):
        for j in range(3):
            for k in range(4):
                A[i, j, k] *= A[i, j, k - 1]
                s = s * 0.9 + A[i, j, k]
    return s


@case(np.ones(0), 1.5)
def empties(x, a):
    s = a
    for t in x:
        s = s * t
    for i in range(len(x)):
        s += x[i]
    return s * a


@case(v(4))
def retarr(x):
    def upd(y, i):
        y[i] = y[i] * 2
        return y

    z = x.copy()
    for i in range(3):
        w = upd(z, i)
        z = w * z
    return np.sum(z)


@case(v(4))
def dictstate(x):
    st = {"a": x[0], "h": []}
    for i in range(4):
        st["a"] = st["a"] * x[i] + 1
        st["h"].append(st["a"])
    return st["h"][2] * st["h"][-1]


@case(v(4))
def tupstate(x):
    st = (x[0], x[1] * 2)
    for i in range(4):
        a, b = st
        st = (b * x[i], a + b)
    return st[0] * st[1]


@case(v(4))
def lastindex(x):
    s = 1.0
    for i in range(4):
        s *= x[i]
    return s * x[i] * i


@case(v(4))
def loopvar_rebound(x):
    s = 0.0
    for i in range(3):
        i = i + 1
        s = s * x[i] + x[i - 1]
    return s * i


@case(v(3))
def argmaxsel(x):
    s = 0.0
    y = x.copy()
    for t in range(3):
        k = np.argmax(y)
        s += y[k] ** 2 * (t + 1)
        y[k] = 0.1 * y[k]
    return s


@case(v(5))
def arrlist(x):
    ys = []
    for a in x:
        ys.append(np.sin(a) * a)
    y = np.array(ys)
    return np.sum(y * y[::-1]) + sum(ys)


@case(v(4, 3))
def rows(X):
    out = []
    for row in X:
        if row[0] > 0.3:
            out.append(row / np.sum(row))
    return np.sum(np.stack(out) ** 2)


@case(v(4))
def meanlist(x):
    l = [t**2 for t in x if t > 0.4]
    return np.mean(l) * np.max(l)


@case(v(3), 3)
def traj(x, n):
    tr = [x]
    for i in range(n):
        tr.append(np.tanh(tr[-1] * 1.3 + x[0]))
    T = np.array(tr)
    return np.sum(T[1:] * T[:-1])


@case(v(3), 3)
def lens(x, n):
    tr = [x[0]]
    while len(tr) < n + 2:
        tr.append(tr[-1] * x[1] + x[2])
    return tr[-1] * len(tr) + tr[1]


@case(v(6), v(6), v(6), v(6))
def thomas(a, b, c, d):
    n = len(d)
    cp = np.zeros(n)
    dp = np.zeros(n)
    cp[0] = c[0] / (b[0] + 2)
    dp[0] = d[0] / (b[0] + 2)
    for i in range(1, n):
        m = b[i] + 2 - a[i] * cp[i - 1]
        cp[i] = c[i] / m
        dp[i] = (d[i] - a[i] * dp[i - 1]) / m
    x = np.zeros(n)
    x[-1] = dp[-1]
    for i in range(n - 2, -1, -1):
        x[i] = dp[i] - cp[i] * x[i + 1]
    return np.sum(x**2)


@case(v(5, 5) + 5 * np.eye(5), v(5), 3)
def jacobi(A, b, iters):
    x = np.zeros_like(b)
    for k in range(iters):
        x_new = np.zeros_like(x)
        for i in range(A.shape[0]):
            s1 = np.dot(A[i, :i], x[:i])
            s2 = np.dot(A[i, i + 1 :], x[i + 1 :])
            x_new[i] = (b[i] - s1 - s2) / A[i, i]
        x = x_new
    return np.sum(x * x)


@case(v(5, 5) + 5 * np.eye(5), v(5), 3)
def gauss_seidel(A, b, iters):
    x = np.zeros(len(b))
    for _ in range(iters):
        for i in range(len(b)):
            s = b[i]
            for j in range(len(b)):
                if i != j:
                    s -= A[i, j] * x[j]
            x[i] = s / A[i, i]
    return np.linalg.norm(x)


@case(v(4, 4) + 4 * np.eye(4), v(4))
def gauss_inplace(A, b):
    n = len(b)
    for k in range(n - 1):
        for i in range(k + 1, n):
            f = A[i, k] / A[k, k]
            A[i, k:] -= f * A[k, k:]
            b[i] -= f * b[k]
    x = np.zeros(n)
    for i in reversed(range(n)):
        x[i] = (b[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x.sum()


@case(v(4, 4) + 4 * np.eye(4))
def lu_det(A):
    A = A.copy()
    n = A.shape[0]
    det = 1.0
    for k in range(n):
        det *= A[k, k]
        for i in range(k + 1, n):
            A[i] = A[i] - A[i, k] / A[k, k] * A[k]
    return det


@case(v(8), 0.1, 5)
def heat_vec(u, alpha, steps):
    for t in range(steps):
        u[1:-1] += alpha * (u[:-2] - 2 * u[1:-1] + u[2:])
    return np.sum(u**2)


@case(v(6, 6), 0.1, 3)
def heat2d(u, alpha, steps):
    new = u.copy()
    for t in range(steps):
        for i in range(1, u.shape[0] - 1):
            for j in range(1, u.shape[1] - 1):
                new[i, j] = (
                    u[i, j]
                    + alpha
                    * (u[i + 1, j] + u[i - 1, j] + u[i, j + 1] + u[i, j - 1] - 4 * u[i, j]) ** 2
                )
        u, new = new, u
    return np.sum(u * np.arange(36).reshape(6, 6))


@case(v(3), 0.5, 10)
def rk4(y, h, n):
    def f(y):
        return np.array([y[1], -y[0] * y[2], 0.1 * y[0]])

    for _ in range(n):
        k1 = f(y)
        k2 = f(y + h / 2 * k1)
        k3 = f(y + h / 2 * k2)
        k4 = f(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y[0] * y[1]


@case(1.0, 0.0, 0.1, 20)
def verlet(x, p, dt, n):
    for i in range(n):
        p -= 0.5 * dt * np.sin(x)
        x += dt * p
        p -= 0.5 * dt * np.sin(x)
    return x * x + p


@case(v(5), v(4))
def dtw(a, b):
    n, m = len(a), len(b)
    D = np.full((n + 1, m + 1), 1e3)
    D[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = (a[i - 1] - b[j - 1]) ** 2
            D[i, j] = cost + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    return D[n, m]


@case(v(5), v(4))
def dtw2(a, b):
    D = np.zeros((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(b)):
            c = abs(a[i] - b[j])
            if i == 0 and j == 0:
                D[i, j] = c
            elif i == 0:
                D[i, j] = c + D[i, j - 1]
            elif j == 0:
                D[i, j] = c + D[i - 1, j]
            else:
                D[i, j] = c + np.minimum(np.minimum(D[i - 1, j], D[i, j - 1]), D[i - 1, j - 1])
    return D[-1, -1]


@case(100.0, 105.0, 0.05, 0.2, 1.0, 8)
def binomial(S, K, r, sigma, T, n):
    dt = T / n
    u = np.exp(sigma * np.sqrt(dt))
    d = 1 / u
    p = (np.exp(r * dt) - d) / (u - d)
    V = np.zeros(n + 1)
    for j in range(n + 1):
        V[j] = max(S * u**j * d ** (n - j) - K, 0.0)
    for i in range(n - 1, -1, -1):
        for j in range(i + 1):
            V[j] = np.exp(-r * dt) * (p * V[j + 1] + (1 - p) * V[j])
    return V[0]


@case(v(10), v(3), v(3))
def iir(x, b, a):
    y = np.zeros_like(x)
    for n in range(len(x)):
        for k in range(len(b)):
            if n - k >= 0:
                y[n] += b[k] * x[n - k]
        for k in range(1, len(a)):
            if n - k >= 0:
                y[n] -= a[k] * y[n - k]
    return np.sum(y * y)


@case(v(6), 0.3, 0.2)
def kalman(z, q, r):
    x = 0.0
    p = 1.0
    ll = 0.0
    for zi in z:
        p = p + q
        k = p / (p + r)
        ll += -0.5 * (np.log(p + r) + (zi - x) ** 2 / (p + r))
        x = x + k * (zi - x)
        p = (1 - k) * p
    return ll


@case(v(5), 1.5)
def horner(c, x):
    s = 0.0
    for ci in reversed(c):
        s = s * x + ci
    return s


@case(v(5), 1.5)
def horner2(c, x):
    s = c[-1]
    for k in range(len(c) - 2, -1, -1):
        s = s * x + c[k]
    return s


@case(2.0)
def newton_sqrt(a):
    x = a
    for _ in range(50):
        xn = 0.5 * (x + a / x)
        if abs(xn - x) < 1e-10:
            break
        x = xn
    return x


@case(3.0, 1e-3)
def while_true(x, tol):
    k = 0
    while True:
        x = x - (x * x - 2) / (2 * x)
        k += 1
        if abs(x * x - 2) < tol or k > 20:
            break
    return x * k


@case(v(5))
def bubble(x):
    n = len(x)
    for i in range(n):
        for j in range(n - 1 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return np.sum(x * np.arange(1.0, n + 1))


@case(v(4, 3))
def rowsnorm(X):
    for row in X:
        row /= np.sqrt(np.sum(row * row))
    return np.sum(X * np.arange(12).reshape(4, 3))


@case(v(4, 3), v(3))
def enum(X, w):
    t = 0.0
    for i, row in enumerate(X):
        t += (i + 1) * np.tanh(row @ w)
    return t


@case(v(4), v(4))
def zips(a, b):
    s = 0.0
    for x, y in zip(a, b):
        s += np.sin(x * y)
    else:
        s *= 2
    return s


@case(v(5))
def cumulative(x):
    y = np.empty_like(x)
    acc = 1.0
    for i in range(len(x)):
        acc *= x[i]
        y[i] = acc
    return y.sum()


@case(v(4), 3)
def listgrow(x, n):
    hist = [x]
    for i in range(n):
        hist.append(np.sin(hist[-1]) * x)
    s = 0.0
    for h in hist:
        s += np.sum(h * h)
    return s


@case(v(4))
def listcomp(x):
    ys = [np.sin(a) * k for k, a in enumerate(x)]
    return sum(ys)


@case(v(4))
def mask(x):
    y = x * 2
    y[y > 1.0] *= x[0]
    y[y < 0.6] = 0.3 * x[1]
    return np.sum(y * y)


@case(v(5))
def fancy(x):
    y = np.zeros(3)
    idx = np.array([0, 1, 1, 2, 0])
    for k in range(5):
        y[idx[k]] += x[k] * x[k]
    z = x.copy()
    z[idx] += 1.5 * x
    return np.sum(y * y) + np.sum(np.sin(z))


@case(v(5))
def addat(x):
    y = np.zeros(3)
    np.add.at(y, np.array([0, 1, 1, 2, 0]), x * x)
    return np.sum(y**2)


@case(1.2, 0.7)
def early_return(x, y):
    if x > 1:
        if y > 1:
            return x * y
        return np.sin(x) * y
    return y


@case(0.3, 2.0)
def ternary(x, y):
    a = x if x > y else y * x
    b = (a and x) or y
    return a * b if 0 < x < y < 3 else a + b


@case(v(3), 4)
def undef_zero(x, n):
    for i in range(n):
        last = x[i % 3] * i
    return last * 2


@case(v(6), 2.0)
def collatz(x, c):
    s = 0.0
    for i in range(6):
        k = 0
        t = x[i]
        while t < c:
            t = t * 1.5 + 0.1
            k += 1
            if k > 3:
                break
        else:
            s += t
        s += t * t
    return s


@case(v(5))
def contin(x):
    s = 0.0
    for i in range(len(x)):
        if i % 2:
            continue
        s += x[i] ** 2 * s + x[i]
    return s


@case(v(3, 3), v(3), 4)
def power_iter(A, x, n):
    for _ in range(n):
        x = A @ x
        x = x / np.linalg.norm(x)
    return x @ A @ x


@case(v(4), v(4))
def helper_writes(x, y):
    def scale(a, f):
        a *= f
        a[0] += 1.0

    z = x * 1.0
    scale(z, y[1])
    scale(z, 2.0)
    return np.sum(z * y)


@case(v(4))
def views(x):
    y = x.copy()
    v = y[1:3]
    w = v[::-1]
    v *= 2
    w[0] = x[3] * x[0]
    r = y.reshape(2, 2)
    return np.sum(y * y) + np.sum(w) + r[1, 0]


@case(v(3, 4))
def transp(A):
    B = A.T.copy()
    C = B.T
    C[0] += A[1]
    B[1, 2] = A[0, 0] ** 2
    return np.sum(B * B)


@case(v(4), 0.5)
def doublebuf(x, a):
    cur = x.copy()
    nxt = np.zeros_like(x)
    for t in range(3):
        for i in range(len(x)):
            nxt[i] = a * cur[i] + cur[i - 1] ** 2
        cur, nxt = nxt, cur
    return cur.sum()


@case(v(3))
def nested_fn(p):
    a, b, c = p
    f = lambda t: a * t * t + b * t + c
    s = 0.0
    t = 0.0
    while t < 1.0:
        s += f(t) * 0.1
        t += 0.1
    return s


@case(v(7))
def fill_out(x):
    y = np.empty(7)
    np.multiply(x, x, out=y)
    z = np.zeros(7)
    z.fill(x[2])
    np.copyto(z[:2], y[:2])
    y += z
    y -= 0.5 * x
    y /= 2.0
    return np.sum(y * z)


@case(v(4), v(4, 4))
def lstmish(h, W):
    c = np.zeros(4)
    for t in range(3):
        g = np.tanh(W @ h + c)
        i = 1 / (1 + np.exp(-g))
        c = c * i + g * (1 - i)
        h = i * np.tanh(c)
    return h.sum()


@case(v(6))
def maxloop(x):
    m = x[0]
    k = 0
    for i in range(1, len(x)):
        if x[i] > m:
            m = x[i]
            k = i
    return m * x[k - 1]


@case(v(6))
def logsumexp(x):
    m = -np.inf
    for a in x:
        m = max(m, a)
    s = 0.0
    for a in x:
        s += np.exp(a - m)
    return m + np.log(s)


@case(v(3), v(3))
def cross(a, b):
    c = np.zeros(3)
    for i in range(3):
        c[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3]
    return c @ np.array([1.0, 2.0, 3.0])


@case(0.5, 0.3)
def mandel(cr, ci):
    zr = zi = 0.0
    for n in range(6):
        zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
        if zr * zr + zi * zi > 4:
            break
    return zr * zr + zi * zi
