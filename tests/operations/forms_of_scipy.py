"""Calls of SciPy that are not element by element. Operands: see `forms.points`."""

from __future__ import annotations

from tests.operations.form_values import AXIS, FLAGS, MODES, ONE_AXIS, YES, calls

OF_SCIPY = (
    *calls(
        "scipy.special.logsumexp(t{})", axis=AXIS, keepdims=FLAGS, b=("y", "2.0"), return_sign=YES
    ),
    *calls(
        """
        scipy.special.softmax(t{})
        scipy.special.log_softmax(t{})
        """,
        axis=AXIS,
    ),
    *calls(
        """
        scipy.special.multigammaln(w + 3.0, 2{})
        scipy.special.polygamma(2, y{})
        scipy.special.expn(2, y{})
        """
    ),
    *calls(
        """
        scipy.special.airy(x{})
        scipy.special.fresnel(x{})
        scipy.special.shichi(x{})
        scipy.special.sici(y{})
        """
    ),
    *calls(
        """
        scipy.special.comb(y + 4.0, v[0] + 2.0{})
        scipy.special.comb(y + 4.0, 2{})
        """,
        repetition=("False",),
        exact=("False",),
    ),
    *calls("scipy.special.factorial(y{})", exact=("False",)),
    *calls("scipy.special.zeta(2.5, w + 1.0{})"),
    *calls("scipy.special.softplus(x{})"),
    *calls(
        """
        scipy.integrate.cumulative_trapezoid(x{})
        scipy.integrate.cumulative_trapezoid(t[:, :, 0].T{})
        """,
        x=("np.cumsum(w)",),
        dx=("a",),
        axis=ONE_AXIS,
        initial=("0", "None"),
    ),
    *calls(
        """
        scipy.integrate.simpson(x{})
        scipy.integrate.simpson(t{})
        """,
        x=("np.cumsum(w)",),
        dx=("a", "0.5"),
        axis=("0", "-1", "1"),
    ),
    *calls(
        """
        scipy.linalg.solve(q, v[:3]{})
        scipy.linalg.solve(p, x{})
        """,
        lower=FLAGS,
        transposed=FLAGS,
        assume_a=('"gen"', '"sym"', '"pos"', '"her"'),
    ),
    *calls(
        """
        scipy.linalg.solve_triangular(q, x{})
        scipy.linalg.solve_triangular(q, v[:3]{})
        """,
        trans=("0", "1", '"T"', '"N"'),
        lower=FLAGS,
        unit_diagonal=FLAGS,
    ),
    *calls(
        """
        scipy.linalg.det(q{})
        scipy.linalg.det(s{})
        scipy.linalg.inv(s{})
        """
    ),
    *calls("scipy.linalg.inv(q{})", assume_a=('"gen"',), lower=FLAGS),
    *calls("scipy.linalg.cholesky(p{})", lower=FLAGS),
    *calls(
        """
        scipy.linalg.cho_solve(scipy.linalg.cho_factor(p{}), x)
        np.triu(scipy.linalg.cho_factor(p)[0]{})
        """,
        lower=FLAGS,
    ),
    *calls(
        """
        scipy.linalg.cho_solve((np.linalg.cholesky(p), True), x{})
        scipy.linalg.cho_solve((q, False), v[:3]{})
        """
    ),
    *calls("scipy.linalg.lu_solve(scipy.linalg.lu_factor(q{}), x)"),
    *calls("scipy.linalg.lu_solve(scipy.linalg.lu_factor(q), v[:3]{})", trans=("0", "1", "2")),
    *calls("scipy.linalg.lu(q{})", permute_l=FLAGS, p_indices=YES),
    *calls("scipy.linalg.qr(q{})", mode=('"economic"', '"r"'), pivoting=YES),
    *calls(
        "scipy.linalg.eigvalsh(p{})",
        lower=FLAGS,
        b=("p + np.eye(3)",),
        type=("1", "2", "3"),
        subset_by_index=("[0, 1]",),
        eigvals_only=YES,
    ),
    *calls("scipy.linalg.eigh(p, eigvals_only=True{})", lower=FLAGS),
    *calls("np.abs(scipy.linalg.eigh(p{})[1])", lower=FLAGS, b=("p + np.eye(3)",)),
    *calls(
        """
        scipy.linalg.svd(x, full_matrices=False{})[1]
        scipy.linalg.svdvals(x{})
        """,
        lapack_driver=('"gesvd"',),
    ),
    *calls("scipy.linalg.svd(x{})", compute_uv=("False",)),
    *calls("scipy.linalg.pinv(x{})", atol=("1e-10",), rtol=("1e-10",), return_rank=YES),
    *calls(
        """
        scipy.linalg.norm(x{})
        scipy.linalg.norm(v{})
        """,
        ord=("None", "1", "2", "np.inf", '"fro"', '"nuc"', "3"),
        axis=("0", "-1", "(0, 1)"),
        keepdims=FLAGS,
    ),
    *calls(
        """
        scipy.linalg.expm(q{})
        scipy.linalg.expm(0.3 * s{})
        scipy.linalg.sinm(q{})
        scipy.linalg.cosm(q{})
        scipy.linalg.sinhm(q{})
        scipy.linalg.coshm(q{})
        scipy.linalg.sqrtm(p{})
        scipy.linalg.logm(p{})
        """
    ),
    *calls("scipy.linalg.expm_frechet(q, p{})", compute_expm=FLAGS),
    *calls("scipy.linalg.polar(q{})", side=('"left"', '"right"')),
    *calls(
        """
        scipy.linalg.solve_sylvester(q, p, s[0]{})
        scipy.linalg.solve_continuous_lyapunov(q, p{})
        """
    ),
    *calls("scipy.linalg.solve_discrete_lyapunov(0.2 * q, p{})", method=('"direct"', '"bilinear"')),
    *calls("scipy.linalg.solve_banded((1, 1), x + 3.0 * np.array([[0.0], [1.0], [0.0]]), v{})"),
    *calls("scipy.linalg.solveh_banded(y[:2] * 0.2 + np.array([[0.0], [3.0]]), v{})", lower=FLAGS),
    *calls(
        """
        scipy.linalg.solve_toeplitz(v + np.array([5.0, 0.0, 0.0, 0.0]), w{})
        scipy.linalg.solve_toeplitz((v + np.array([5.0, 0.0, 0.0, 0.0]), w), x.T{})
        """
    ),
    *calls(
        """
        scipy.linalg.toeplitz(v{})
        scipy.linalg.hankel(v{})
        """,
        r=("w", "np.cos(v[:2])", "None"),
    ),
    *calls(
        """
        scipy.linalg.circulant(v{})
        scipy.linalg.companion(w{})
        scipy.linalg.fiedler(v{})
        scipy.linalg.fiedler_companion(w{})
        scipy.linalg.leslie(v, w[:3]{})
        """
    ),
    *calls("""
        scipy.linalg.block_diag(x, q, v{})
        scipy.linalg.block_diag(a, c{})
        """),
    *calls("scipy.linalg.convolution_matrix(v, 3{})", mode=MODES),
    *calls(
        "scipy.linalg.eigvalsh_tridiagonal(v, w[:3]{})",
        select=('"a"', '"i"'),
        select_range=("(0, 1)",),
    ),
    *calls("scipy.linalg.eigh_tridiagonal(v, w[:3], True{})"),
    *calls("np.abs(scipy.linalg.eigh_tridiagonal(v, w[:3]{})[1])"),
    *calls(
        """
        scipy.signal.convolve(x, q[:2]{})
        scipy.signal.convolve(v, w[:2]{})
        scipy.signal.correlate(x, q[:2]{})
        scipy.signal.correlate(v, w[:2]{})
        """,
        mode=MODES,
        method=('"direct"', '"fft"', '"auto"'),
    ),
    *calls(
        """
        scipy.signal.convolve2d(x, q[:2]{})
        scipy.signal.correlate2d(x, q[:2]{})
        """,
        mode=MODES,
        boundary=('"fill"', '"wrap"', '"symm"'),
        fillvalue=("0.0", "2.0"),
    ),
    *calls(
        """
        scipy.signal.fftconvolve(x, q[:2]{})
        scipy.signal.fftconvolve(t, t[:, :, :2]{})
        """,
        mode=MODES,
        axes=("2", "-1", "(1, 2)", "None"),
    ),
    *calls("scipy.signal.lfilter(v, w, x{})", axis=ONE_AXIS, zi=("np.zeros((3, 3))",)),
    *calls(
        "scipy.signal.detrend(t{})", axis=ONE_AXIS, type=('"constant"', '"linear"'), bp=("0", "[2]")
    ),
    *calls(
        "scipy.signal.welch(x, nperseg=4{})[1]",
        fs=("2.0",),
        window=('"hamming"', "np.hanning(4)"),
        noverlap=("1",),
        nfft=("6",),
        detrend=("False", '"linear"'),
        return_onesided=FLAGS,
        scaling=('"spectrum"',),
        axis=("-1",),
        average=('"mean"', '"median"'),
    ),
    *calls(
        "scipy.stats.sem(t{})",
        axis=("0", "1", "None", "-1"),
        ddof=("0", "1"),
        nan_policy=('"propagate"',),
        keepdims=YES,
    ),
)
