"""What a person meets of the library that speaks to the cloud: its patience, not its log."""

CLOUD_STEP = "the cloud's answer is waited for, at most as long as api_timeout says"

_LOGGERS = ("keystoneauth", "openstack", "urllib3", "stevedore")


def quieten_sdk() -> None:
    """Keep the SDK's log off stderr, where nobody has asked for it: what matters of it is said by our own errors."""
    import logging

    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
