"""Calls of products, polynomials, linear systems and transforms. Operands: see `forms.points`."""

from __future__ import annotations

from tests.operations.form_values import FLAGS, MODES, ORDERS, TRANSFORM, TRANSFORMS, YES, calls

PRODUCTS = (
    *calls(
        """
        np.dot(x, v{})
        np.dot(t, v{})
        np.dot(v, t.transpose(0, 2, 1){})
        np.dot(a, t{})
        np.dot(t, x.T{})
        np.dot(v, w{})
        t.dot(v{})
        np.inner(t, x{})
        np.inner(a, v{})
        np.outer(v, w{})
        np.outer(x, c{})
        np.vdot(x, y{})
        np.kron(x, c{})
        np.kron(t, v{})
        np.kron(a, v{})
        np.linalg.matmul(t, x.T{})
        np.linalg.outer(v, w{})
        np.linalg.multi_dot([x, y.T, c]{})
        np.linalg.multi_dot([v, y.T, x, w]{})
        """
    ),
    *calls(
        """
        np.matmul(t, x.T{})
        np.matmul(t, v{})
        np.matmul(c.T, x{})
        np.matmul(s, s{})
        np.matmul(q, s{})
        np.matmul(v, t.transpose(0, 2, 1){})
        np.matmul(np.zeros((3, 0)), z{})
        np.vecdot(t, v{})
        np.matvec(t, v{})
        np.matvec(x, t[:, :1]{})
        np.vecmat(c[:, 0], t{})
        """,
        dtype=("np.float64",),
    ),
    *calls("np.linalg.vecdot(t, x{})", axis=("1", "-1", "-2")),
    *calls("np.vecdot(t, x{})", axis=("1", "-1", "-2"), keepdims=FLAGS, axes=("[1, 0, ()]",)),
    *calls("np.matmul(t, t{})", axes=("[(1, 2), (2, 1), (0, 1)]",), axis=("0",), keepdims=FLAGS),
    *calls(
        """
        np.tensordot(t, x{})
        np.linalg.tensordot(t, x{})
        """,
        axes=("2", "0", "((1, 2), (0, 1))", "([2, 1], [1, 0])", "(1, 0)", "((-1,), (1,))"),
    ),
    *calls("np.cross(t[..., :3], q{})", axis=("-1", "2")),
    *calls("np.cross(q, s{})", axisa=("0", "-1"), axisb=("1", "2"), axisc=("0", "1"), axis=("2",)),
    *calls("np.linalg.cross(q, s{})", axis=("-1", "1")),
    *calls(
        """
        np.einsum("ijk,jk->i", t, x{})
        np.einsum("...k,k", t, v{})
        np.einsum("ii->i", q{})
        np.einsum("ij,jk,kl->il", q, x, y.T{})
        np.einsum("i,j->ij", v, w{})
        np.einsum("sij,sij->s", s, s{})
        np.einsum("ij,j->i", c, o{})
        """,
        optimize=FLAGS,
        order=ORDERS,
        dtype=("np.float64",),
    ),
    *calls(
        """
        np.convolve(v, w[:3]{})
        np.correlate(v, w[:3]{})
        np.convolve(w[:2], v{})
        """,
        mode=MODES,
    ),
    *calls(
        "np.cov(x{})",
        y=("y",),
        rowvar=FLAGS,
        bias=FLAGS,
        ddof=("0", "1"),
        fweights=("[1, 2, 1, 3]",),
        aweights=("[1.0, 0.5, 2.0, 1.0]", "w"),
        dtype=("np.float64",),
    ),
    *calls("np.corrcoef(x{})", y=("y",), rowvar=FLAGS, dtype=("np.float64",)),
    *calls(
        """
        np.polyval(v, x{})
        np.polyval(v, a{})
        np.polyadd(v, w[:2]{})
        np.polysub(w[:2], v{})
        """
    ),
    *calls("""
        np.polymul(v, w[:2]{})
        np.polydiv(v, w[:2]{})
        np.poly(v{})
        """),
    *calls("np.polyder(v{})", m=("0", "1", "2")),
    *calls("np.polyint(v{})", m=("0", "1", "2"), k=("a", "None")),
    *calls(
        """
        np.polyfit(np.cumsum(w), v, 1{})
        np.polyfit(np.cumsum(w), x.T, 2{})
        """,
        w=("w",),
        rcond=("1e-10",),
        full=YES,
        cov=YES,
    ),
    *calls("np.vander(v{})", N=("2", "0", "6", "None"), increasing=FLAGS),
)

SYSTEMS = (
    *calls(
        """
        np.linalg.solve(q, v[:3]{})
        np.linalg.solve(s, q{})
        np.linalg.solve(q, s{})
        np.linalg.solve(s, x{})
        """
    ),
    *calls("""
        np.linalg.inv(s{})
        np.linalg.det(s{})
        np.linalg.det(q{})
        np.linalg.slogdet(s{})[1]
        """),
    *calls(
        """
        np.linalg.cholesky(p{})
        np.linalg.cholesky(np.stack([p, 2.0 * p]){})
        """,
        upper=FLAGS,
    ),
    *calls(
        """
        np.linalg.eigvalsh(s{})
        np.linalg.eigvalsh(p{})
        """,
        UPLO=('"L"', '"U"'),
    ),
    *calls("np.linalg.eigh(p{})[0]", UPLO=('"L"', '"U"')),
    *calls("np.abs(np.linalg.eigh(p{})[1])", UPLO=('"L"', '"U"')),
    *calls(
        """
        np.linalg.svd(x, compute_uv=False{})
        np.linalg.svdvals(t{})
        """,
    ),
    *calls(
        """
        np.linalg.svd(s{})[1]
        np.linalg.svd(x{})[1]
        """,
        full_matrices=("False",),
        hermitian=("False",),
    ),
    *calls("np.abs(np.linalg.svd(x, False{})[0])"),
    *calls(
        """
        np.linalg.pinv(t{})
        np.linalg.pinv(x{})
        """,
        rcond=("1e-10",),
        rtol=("1e-10",),
        hermitian=("False",),
    ),
    *calls(
        """
        np.linalg.qr(y.T{})
        np.linalg.qr(s{})
        """,
        mode=('"reduced"', '"r"'),
    ),
    *calls(
        """
        np.linalg.lstsq(y.T, w{})[0]
        np.linalg.lstsq(y.T, x.T{})[0]
        """,
        rcond=("None", "1e-10"),
    ),
    *calls(
        """
        np.linalg.cond(q{})
        np.linalg.cond(s{})
        """,
        p=("None", "2", "-2", '"fro"', "1", "-1", "np.inf"),
    ),
    *calls(
        """
        np.linalg.matrix_power(s, 3{})
        np.linalg.matrix_power(q, -2{})
        np.linalg.matrix_power(q, 0{})
        """
    ),
    *calls(
        "np.linalg.tensorsolve(np.eye(6).reshape(2, 3, 6) + 0.2 * np.sum(x), t[:, :, 0]{})",
        axes=("None", "(0,)"),
    ),
    *calls("np.linalg.tensorinv(np.eye(6).reshape(2, 3, 6) + 0.02 * np.sum(x){})", ind=("2", "1")),
    *calls(
        """
        np.fft.fftshift(t{})
        np.fft.ifftshift(t{})
        """,
        axes=("None", "0", "-1", "(0, 2)"),
    ),
    *calls(
        """
        np.fft.fftfreq(5, a{})
        np.fft.rfftfreq(5{})
        np.fft.rfftfreq(6{})
        """,
        d=("a",),
    ),
    *calls(
        """
        np.abs(np.fft.fft(t{}))
        np.real(np.fft.ifft(t{}))
        np.imag(np.fft.rfft(t{}))
        """,
        **TRANSFORM,
    ),
    *calls(
        """
        np.fft.irfft(t{})
        np.fft.hfft(t{})
        np.real(np.fft.ihfft(t{}))
        """,
        **TRANSFORM,
    ),
    *calls(
        """
        np.abs(np.fft.fft2(t{}))
        np.real(np.fft.ifft2(t{}))
        np.imag(np.fft.rfft2(t{}))
        np.fft.irfft2(t{})
        """,
        **TRANSFORMS,
    ),
    *calls(
        """
        np.abs(np.fft.fftn(t{}))
        np.real(np.fft.ifftn(t{}))
        np.imag(np.fft.rfftn(t{}))
        np.fft.irfftn(t{})
        """,
        **TRANSFORMS,
    ),
)
