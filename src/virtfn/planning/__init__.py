"""From a difference to ordered steps and their way back: pure."""
