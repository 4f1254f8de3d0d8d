"""Bag files in: rosbag2 (MCAP, SQLite) and ROS 1, whole, cut off or damaged."""
