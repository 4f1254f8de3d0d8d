"""``trust-seg check``: what this machine, its ROS 2 and a camera offer, and what to do where something is missing."""
