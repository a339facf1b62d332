"""Why a server of a cloud did not start. Pure."""
