"""BaoStock, by a wire of its own: its calls, frames, connection, and what is asked in which order."""
