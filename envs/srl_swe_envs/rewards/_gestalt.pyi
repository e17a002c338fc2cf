from numpy import float64, uint32
from numpy.typing import NDArray

_Sequence = str | NDArray[uint32]

def ratio(action: _Sequence, expert: _Sequence, autojunk: bool, bits_limit: int = 1024, /) -> float: ...
def ratios(
    actions: tuple[_Sequence, ...],
    experts: tuple[_Sequence, ...],
    out: NDArray[float64],
    autojunk: bool,
    num_threads: int,
    bits_limit: int = 1024,
    /,
) -> None: ...
def blocks(
    action: _Sequence, expert: _Sequence, autojunk: bool, bits_limit: int = 1024, /
) -> list[tuple[int, int, int]]: ...
