"""The engine: transactions over steps, with a journal. It knows nothing of NICs or clouds."""
