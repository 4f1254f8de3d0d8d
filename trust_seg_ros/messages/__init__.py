"""Fields of every message: image bytes in, maps and detections out. No ROS here; node/ makes messages of the fields."""
