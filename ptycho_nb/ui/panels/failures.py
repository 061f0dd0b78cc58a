"""What ended a run, in one sentence for a person."""

from __future__ import annotations

from ptycho_nb.errors import InputError

NO_MEMORY = "There is not enough memory for this run; lower the batch size, or crop or bin the scan."


def in_a_sentence(error: Exception) -> str:
    """Our own errors as they are, a lack of memory with the way out, anything else by its name."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, for a GPU
        return NO_MEMORY
    return f"The run failed: {type(error).__name__}: {str(error).partition(chr(10))[0][:100]}"
