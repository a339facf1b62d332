"""What a person who wants to try servers needs besides: an image and a flavor, by the names that examples use."""

from tests.cloud.control_plane.rest import Rest

IMAGE, FLAVOR = "cirros", "m1.tiny"


def furnish(rest: Rest) -> None:
    """Make the image (a few octets: the fake driver boots none) and the flavor where they are missing."""
    rest.log_in()
    if IMAGE not in {one["name"] for one in rest.get("glance", "/images")["images"]}:
        made = rest.post("glance", "/images", {"name": IMAGE, "disk_format": "raw", "container_format": "bare"})
        rest.upload(made["id"], b"vm\n")
    if FLAVOR not in {one["name"] for one in rest.get("nova", "/flavors")["flavors"]}:
        rest.post("nova", "/flavors", {"flavor": {"name": FLAVOR, "ram": 64, "vcpus": 1, "disk": 0}})
