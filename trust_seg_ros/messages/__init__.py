"""Message contents as plain data: image bytes in, maps and detections out. No ROS here; ``node/`` makes messages."""
