"""The three functions of scipy that are used, with types: scipy ships none."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats: TypeAlias = NDArray[np.float64]


def gammaln(values: Floats | float) -> Floats:
    """Return the logarithm of the gamma function."""
    return cast(Floats, special.gammaln(values))


def hyp2f1(a: Floats, b: Floats, c: Floats, z: Floats) -> Floats:
    """Return Gauss's hypergeometric function 2F1(a, b; c; z)."""
    return cast(Floats, special.hyp2f1(a, b, c, z))


def minimize(function: Callable[[Floats], float], start: Floats) -> Floats | None:
    """Return where a smooth function is least (L-BFGS-B); None if the search did not end."""
    found = optimize.minimize(function, start, method="L-BFGS-B", options={"ftol": 1e-13})
    return cast(Floats, found.x) if found.success else None
