"""Source-to-source reverse-mode automatic differentiation for Python and NumPy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2s_ad.api import Derivative, grad, jac_sparsity, jvp, value_and_grad, vjp
    from s2s_ad.checking import check_grads
    from s2s_ad.custom import custom_jvp, custom_vjp, on_adjoint, stop_gradient
    from s2s_ad.diagnostics import Diagnostic, DifferentiationError
    from s2s_ad.jacobians import hessian, hvp, jacobian
    from s2s_ad.operations.declared import declare

    __version__: str

__all__ = [
    "Derivative",
    "Diagnostic",
    "DifferentiationError",
    "__version__",
    "check_grads",
    "custom_jvp",
    "custom_vjp",
    "declare",
    "grad",
    "hessian",
    "hvp",
    "implicit",
    "jac_sparsity",
    "jacobian",
    "jvp",
    "on_adjoint",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]

_HOMES = {
    "Derivative": "api",
    "grad": "api",
    "jac_sparsity": "api",
    "jvp": "api",
    "value_and_grad": "api",
    "vjp": "api",
    "hessian": "jacobians",
    "hvp": "jacobians",
    "jacobian": "jacobians",
    "check_grads": "checking",
    "custom_jvp": "custom",
    "custom_vjp": "custom",
    "on_adjoint": "custom",
    "stop_gradient": "custom",
    "declare": "operations.declared",
    "implicit": "operations.declared",
    "Diagnostic": "diagnostics",
    "DifferentiationError": "diagnostics",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: `s2sad --help` and generated code need none of it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("s2s-ad")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"s2s_ad.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
