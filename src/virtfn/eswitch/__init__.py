"""How a NIC's embedded switch forwards, per driver, with evidence: pure."""
