"""Text that iproute2 printed somewhere else: read and rendered, pure."""
