"""Reading of bags: rosbag2 (MCAP, SQLite) and ROS 1; intact, cut off or damaged."""
