"""What a person declares, in YAML: read (``loading``), written (``writing``), described for editors (``schema``)."""
