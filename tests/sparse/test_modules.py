"""Sparse Jacobians and Hessians against dense ones, in every direction and form."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_ad import DifferentiationError, cli, hessian, jacobian
from tests.sparse import programs
from tests.sparse.test_live import numerical

JACOBIANS = {
    programs.tridiagonal: (9, "3 tangents"),
    programs.differences: (9, "3 tangents"),
    programs.tridiagonal_loop: (7, "3 tangents"),
    programs.five_point: ((5, 6), "5 tangents"),
    programs.arrow: (8, "2 tangents and 1 adjoint"),
    programs.border: (9, "3 tangents and 3 adjoints"),
    programs.projections: (15, "6 tangents"),
}
HESSIANS = {
    programs.rosenbrock: (9, "3 tangents"),
    programs.arrow_energy: (8, "2 tangents"),
    programs.membrane: ((5, 6), "5 tangents"),
}


def point(shape: Any) -> Any:
    return np.random.default_rng(0).uniform(0.5, 1.0, shape)


def assert_close(found: Any, expected: Any) -> None:
    """To rounding: of a few operations on each entry."""
    scale = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=64 * np.finfo(float).eps * scale)


@pytest.mark.parametrize("direction", ["", "forward", "reverse", "mixed"])
@pytest.mark.parametrize("f", JACOBIANS, ids=lambda f: f.__name__)
def test_jacobian(f: Callable[..., Any], direction: str) -> None:
    shape, directions = JACOBIANS[f]
    x = point(shape)
    dense = jacobian(f)(x)
    sparse = jacobian(f, sparse="csr", direction=direction)
    found = sparse(x)
    expected = dense.reshape(-1, x.size)
    assert_close(found.toarray(), expected)
    np.testing.assert_allclose(found.toarray(), numerical(f, x), atol=1e-7)
    assert found.has_canonical_format
    assert found.nnz <= np.count_nonzero(expected)
    if not direction:
        assert sparse.source.splitlines()[2].endswith(f"from {directions}.")


@pytest.mark.parametrize("f", HESSIANS, ids=lambda f: f.__name__)
def test_hessian(f: Callable[..., Any]) -> None:
    shape, directions = HESSIANS[f]
    x = point(shape)
    sparse = hessian(f, sparse="csr")
    found = sparse(x).toarray()
    assert_close(found, hessian(f)(x).reshape(x.size, x.size))
    np.testing.assert_array_equal(found, found.T)
    assert sparse.source.splitlines()[2].endswith(f"from {directions}.")


@pytest.mark.parametrize("n", [3, 30, 3000])
def test_as_many_sweeps_for_every_size(n: int) -> None:
    sparse = jacobian(programs.tridiagonal, sparse="csr")
    x = np.linspace(0.1, 0.9, n)
    found = sparse(x)
    assert sparse.source.splitlines()[2] == f"{3 * n - 2} entries of {n} x {n} from 3 tangents."
    assert len(sparse.source) < 3000
    np.testing.assert_allclose(found.diagonal(), 2.0 + 3.0 * x**2 - np.append(x[1:], 0.0))


@pytest.mark.parametrize("n", [7, 20, 200])
def test_three_rows_and_columns_take_three_directions_each_way(n: int) -> None:
    x = np.linspace(0.5, 1.0, n)
    sparse = jacobian(programs.border, sparse="csr")
    assert_close(sparse(x).toarray(), jacobian(programs.border)(x))
    said = f"{6 * n - 9} entries of {n} x {n} from 3 tangents and 3 adjoints."
    assert sparse.source.splitlines()[2] == said


def test_bundle_adjustment_takes_the_parameters_of_a_camera_and_a_point() -> None:
    """A row depends on 9 parameters of a camera and 3 of a point: fewer tangents would not do."""
    example = Path(__file__).resolve().parents[2] / "examples" / "bundle_adjustment.py"
    residuals = runpy.run_path(str(example))["residuals"]
    random = np.random.default_rng(0)
    cameras = random.uniform(0.1, 0.3, (3, 9)) - np.array([0.0] * 5 + [5.0] + [0.0] * 3)
    given = cameras, random.uniform(-1.0, 1.0, (12, 3)), random.uniform(-0.1, 0.1, (36, 2))
    sparse = jacobian(residuals, wrt=("cameras", "points"), sparse="csr")
    dense = jacobian(residuals, wrt=("cameras", "points"))(*given)
    expected = np.hstack([np.reshape(block, (72, -1)) for block in dense])
    assert_close(sparse(*given).toarray(), expected)
    assert sparse.source.splitlines()[2] == "864 entries of 72 x 63 from 12 tangents."


def test_triplets_need_numpy_only() -> None:
    x = point(9)
    sparse = jacobian(programs.arrow, sparse="triplets")
    values, rows, columns = sparse(x)
    assert "scipy" not in sparse.source
    matrix = np.zeros((9, 9))
    matrix[rows, columns] = values
    assert_close(matrix, jacobian(programs.arrow)(x))
    rows[:] = 0  # the caller's
    np.testing.assert_array_equal(sparse(x)[0], values)


def test_several_arguments_containers_and_dtypes() -> None:
    def f(p: Any, scale: float, k: Any) -> Any:
        return {"a": p["x"][k] * scale, "b": (p["y"] ** 2).astype(np.float64)}

    p = {"x": np.array([1.0, 2.0, 3.0]), "y": np.array([0.5, 0.25], np.float32)}
    found = jacobian(f, wrt=("p", "scale"), sparse="csr")(p, 2.0, np.array([2, 0]))
    expected = [
        [0.0, 0.0, 2.0, 0.0, 0.0, 3.0],
        [2.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.5, 0.0],
    ]
    np.testing.assert_array_equal(found.toarray(), expected)


def test_compiled_for_the_integers_of_a_call() -> None:
    shift = 1

    def f(x: Any, k: Any, n: int) -> Any:
        return x[k] * x[n] + np.roll(x, shift)[:2]

    sparse = jacobian(f, sparse="csr")
    x = np.array([1.0, 2.0, 3.0, 4.0])
    for k, n, moved in (([0, 1], 2, 1), ([3, 3], 0, 1), ([3, 3], 0, 2)):
        shift = moved
        assert_close(sparse(x, np.array(k), n).toarray(), jacobian(f)(x, np.array(k), n))
    names: dict[str, Any] = {}
    exec(sparse.source, names)
    module = names["jacobian_f"]
    assert_close(module(x, np.array(k), n, shift=2).toarray(), jacobian(f)(x, np.array(k), n))
    for other in (np.array([3, 2]), n, 2), (np.array(k), 1, 2), (np.array(k), n, 1):
        with pytest.raises(ValueError, match="generated for another value of"):
            module(x, other[0], other[1], shift=other[2])


def test_a_free_array_of_another_shape_is_another_pattern() -> None:
    A = np.eye(3)

    def f(x: Any) -> Any:
        return A @ x * np.sum(x[:1])

    sparse = jacobian(f, sparse="csr")
    x = np.array([1.0, 2.0, 3.0])
    assert_close(sparse(x).toarray(), jacobian(f)(x))
    A = np.arange(15.0).reshape(5, 3)
    assert_close(sparse(x).toarray(), jacobian(f)(x))


def test_nothing_depends_on_anything() -> None:
    found = jacobian(lambda x: np.floor(x), sparse="csr")(np.ones(3))
    assert found.shape == (3, 3)
    assert found.nnz == 0


WRONG = [{"sparse": "coo"}, {"direction": "mixed"}, {"sparse": "csr", "has_aux": True}]


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_options_that_do_not_go_together(options: Any) -> None:
    with pytest.raises(ValueError, match=r"sparse|mixed"):
        jacobian(programs.arrow, **options)


def test_sizes_have_to_be_known() -> None:
    with pytest.raises(DifferentiationError, match="unknown-size"):
        _ = jacobian(lambda x: x[1:] * x[:-1], sparse="csr").source


PROGRAM = "import numpy as np\n\n\ndef f(x):\n    return x[1:] * x[:-1]\n"


def test_command_line(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    given = [str(path), "f", "--mode", "jacobian", "--sparse", "triplets", "--arg", "x=float[9]"]
    assert cli.main(given) == cli.DONE
    text, said = capsys.readouterr()
    assert said == "s2sad: 16 entries of 8 x 9 from 2 tangents.\n"
    names: dict[str, Any] = {}
    exec(text, names)
    values, rows, columns = names["jacobian_f"](np.arange(9.0))
    np.testing.assert_array_equal(values, np.arange(9.0)[np.where(rows == columns, rows + 1, rows)])
    assert cli.main([str(path), "f", "--sparse", "csr"]) == cli.WRONG_USAGE


PICK = """\
import numpy as np


def pick(x: "Float[Array, '6']", k: "Int[Array, 'm']", n: int = 1):
    return x[k] ** 2 * x[n]
"""
SPARSE = ("pick", "--mode", "jacobian", "--sparse", "csr")


@pytest.mark.parametrize("given", ["k=[0,2,4]", "k=k.npy", "k=k.npz"])
def test_integers_may_be_known_to_the_command(
    given: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A pattern has the entries that these integers pick, and no others."""
    monkeypatch.chdir(tmp_path)
    Path("pick.py").write_text(PICK, encoding="utf-8")
    k = np.array([0, 2, 4])
    np.save("k.npy", k)
    np.savez("k.npz", k=k)
    values = "--value", given, "--value", "n=5"
    assert cli.main(["pick.py", *SPARSE, *values, "-o", "out.py"]) == cli.DONE
    assert capsys.readouterr().err == "s2sad: 6 entries of 3 x 6 from 2 tangents.\n"
    assert cli.main(["verify", "pick.py", *SPARSE, *values, "--module", "out.py"]) == cli.DONE
    names: dict[str, Any] = {}
    exec(Path("out.py").read_text(encoding="utf-8"), names)
    x = np.arange(1.0, 7.0)
    expected = np.zeros((3, 6))
    expected[range(3), k], expected[:, 5] = 2.0 * x[k] * x[5], x[k] ** 2
    np.testing.assert_allclose(names["jacobian_pick"](x, k, 5).toarray(), expected)
    for wrong in ((x, k[::-1], 5), (x, k, 4)):
        with pytest.raises(ValueError, match="generated for another value of"):
            names["jacobian_pick"](*wrong)


WRONG_VALUES = ["k=[0.5]", "k=none.npy", "k=other.npz", "k=foo", "j=[1]", "k", "x=[[1],2]"]


@pytest.mark.parametrize("given", WRONG_VALUES)
def test_values_that_make_no_sense(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pick.py").write_text(PICK, encoding="utf-8")
    np.savez("other.npz", i=np.arange(3))
    assert cli.main(["pick.py", *SPARSE, "--value", given]) == cli.WRONG_USAGE
    assert "error: values: " in capsys.readouterr().err
    twice = "--value", "k=[0]", "--arg", "k=int[1]"
    assert cli.main(["pick.py", *SPARSE, *twice]) == cli.WRONG_USAGE
    assert cli.main(["pick.py", "pick", "--value", "k=[0]"]) == cli.WRONG_USAGE
