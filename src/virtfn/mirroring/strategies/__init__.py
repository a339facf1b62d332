"""The ways to make a mirror, one module each, and the registry that judges them. A strategy has guards of its own."""
