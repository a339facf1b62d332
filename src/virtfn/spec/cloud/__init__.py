"""The declared state of a cloud, in YAML: flat SR-IOV networks, direct ports, servers."""
