"""What ended a run or could not be done, in one sentence for a person."""

from __future__ import annotations

from collections.abc import Callable

from ptycho_nb.errors import InputError

NO_THREAD = "The system gives no further thread to work in; end other work on this machine, then try again."
NO_MEMORY = "There is not enough memory for this; crop or bin the scan, or lower the batch size where there is one."


def in_a_sentence(error: BaseException, what: str = "The run") -> str:
    """Our own errors as they are, a lack of memory with the way out, anything else by its name; ``what`` is what failed."""
    if isinstance(error, InputError):
        return str(error)
    if _lacks_memory(error):
        return NO_MEMORY
    if isinstance(error, KeyboardInterrupt):
        return f"{what} was interrupted; start it again where you want it."
    said = "".join(c if c.isprintable() else "?" for c in str(error).partition("\n")[0][:90])
    if isinstance(error, SystemExit):
        return f"{what} failed: something in it called exit ({said[:40]}); the kernel goes on."
    return f"{what} failed: {type(error).__name__}: {said}".removesuffix(": ")


def _lacks_memory(error: BaseException) -> bool:
    """Python's own, torch's for a GPU, and the plain RuntimeError that torch raises for main memory."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def guarded(action: Callable[[], object], tell: Callable[[str], object]) -> Callable[[object], None]:
    """What a click does: the action; where it cannot be done, its sentence is told."""

    def clicked(_: object) -> None:
        try:
            action()
        except InputError as error:
            tell(str(error))

    return clicked
